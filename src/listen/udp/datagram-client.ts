import type { Credential } from '../../resolve/client/credential.ts';
import type { Client, ReplyLater } from '../../resolve/ports.ts';
import { type AddressWords, HeldAddress } from '../../wire/ip-address.ts';

/** Who sent the datagram at hand. One object a socket, filled again for each datagram. */
export abstract class DatagramClient extends HeldAddress implements Client {
  readonly transport = 'udp';
  readonly credential: Credential | null = null;
  spoofable = false;
  lease = '';
  port = 0;
  /** What `defer` gave for the datagram at hand. */
  later: ReplyLater | null = null;

  abstract asked(out: AddressWords): boolean;
  abstract defer(): ReplyLater;
}
