import type { ReplyLater } from '../../resolve/ports.ts';
import { readAddress } from '../../socket/address-words.ts';
import type { DatagramBatch } from '../../socket/datagrams.ts';
import { ADDRESS_SIZE, AF_INET6 } from '../../socket/socket-address.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import type { ListenerEndpoint } from '../listener.ts';
import { type LateOwner, ReplyOnce } from '../reply-once.ts';
import { DatagramClient } from './datagram-client.ts';
import type { Forgery } from './forgery.ts';

/** The listener whose slots hold the datagrams. */
export interface SlotHost extends LateOwner<Buffer> {
  readonly address: ListenerEndpoint;
  /** A query is out; returns where its way back is to be written. */
  wait(): Buffer;
}

/** Who sent the datagram of a slot. */
export class SlotClient extends DatagramClient {
  readonly #listener: SlotHost;
  readonly #inbox: DatagramBatch;
  readonly #forgery: Forgery;
  #slot = 0;

  constructor(listener: SlotHost, inbox: DatagramBatch, forgery: Forgery) {
    super();
    this.#listener = listener;
    this.#forgery = forgery;
    this.#inbox = inbox;
  }

  /** Reads the address of slot `i`; false where no reply can be sent. */
  refill(i: number): boolean {
    const { addresses } = this.#inbox;
    const at = i * ADDRESS_SIZE;
    this.#slot = i;
    this.later = null;
    if (addresses[at] === AF_INET6) {
      this.family = 6;
      this.w0 = wordAt(addresses, at + 8);
      this.w1 = wordAt(addresses, at + 12);
      this.w2 = wordAt(addresses, at + 16);
      this.w3 = wordAt(addresses, at + 20);
    } else {
      this.family = 4;
      this.w0 = wordAt(addresses, at + 4);
      this.w1 = 0;
      this.w2 = 0;
      this.w3 = 0;
    }
    this.spoofable = this.#forgery.isPossible(this);
    this.port = (addresses[at + 2]! << 8) | addresses[at + 3]!;
    return this.port !== 0;
  }

  asked(out: AddressWords): boolean {
    readAddress(this.#listener.address.host, out);
    return (out.w0 | out.w1 | out.w2 | out.w3) !== 0 || this.#inbox.askedAt(this.#slot, out);
  }

  defer(): ReplyLater {
    const wayBack = this.#listener.wait();
    this.#inbox.wayBack(this.#slot, wayBack);
    this.later = new ReplyOnce(this.#listener, wayBack);
    return this.later;
  }
}

function wordAt(octets: Buffer, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0;
}
