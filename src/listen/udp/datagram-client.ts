import type { Credential } from '../../resolve/client/credential.ts';
import type { Client, ReplyLater } from '../../resolve/ports.ts';
import type { AddressWords } from '../../socket/address-words.ts';

/** Who sent the datagram at hand. One object a socket, filled again for each datagram. */
export abstract class DatagramClient implements Client, AddressWords {
  readonly transport = 'udp';
  readonly credential: Credential | null = null;
  spoofable = false;
  lease = '';
  family: 4 | 6 = 4;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  port = 0;
  /** What `defer` gave for the datagram at hand. */
  later: ReplyLater | null = null;

  abstract asked(out: AddressWords): boolean;
  abstract defer(): ReplyLater;
}
