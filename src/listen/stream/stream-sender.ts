import type { Socket } from 'node:net';
import { readAddress } from '../../socket/address-words.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { Arrived } from './arrival.ts';
import type { BatchOwner, ReplyBatch } from './reply-batch.ts';

/** The sending side of a connection: what is written, whether the client takes it, and how the socket ends. */
export class StreamSender {
  readonly #socket: Socket;
  /** The socket that a TLS one runs over, or the same one: only it can be reset. */
  readonly #raw: Socket;
  #flushed = 0;
  #flushedAt: Monotonic;

  /** `now`: monotonic milliseconds, as in `stalls`. */
  constructor({ socket, raw }: Arrived, now: Monotonic) {
    this.#socket = socket;
    this.#raw = raw;
    this.#flushedAt = now;
  }

  /** Writes the batch's answers, which are `owner`'s; returns the octets that are unsent. */
  write(batch: ReplyBatch, owner: BatchOwner): number {
    const socket = this.#socket;
    // Not from Buffer's pool where it may have to wait: a few octets would keep a whole slab.
    const waits = socket.writableLength > 0;
    const packet = waits ? Buffer.allocUnsafeSlow(batch.used) : Buffer.allocUnsafe(batch.used);
    batch.octets.copy(packet, 0, 0, batch.used);
    batch.forget(owner);
    socket.write(packet);
    return socket.writableLength;
  }

  /** Whether something has been unsent for longer than `most` milliseconds, and no octet of it has left in that time. */
  stalls(now: Monotonic, most: Milliseconds): boolean {
    const unsent = this.#socket.writableLength;
    const flushed = this.#socket.bytesWritten - unsent;
    if (unsent > 0 && flushed === this.#flushed) return now - this.#flushedAt > most;
    this.#flushed = flushed;
    this.#flushedAt = now;
    return false;
  }

  /** Reads the address that was dialled; false where the socket has gone. */
  asked(out: AddressWords): boolean {
    const text = this.#raw.localAddress;
    if (text === undefined) return false;
    readAddress(text, out);
    return true;
  }

  /** Ends it now; what is unsent is forgotten. */
  close(): void {
    if (this.#socket.writableLength > 0) this.cut();
    else this.#socket.destroySoon();
  }

  /** Resets it. Node leaves the descriptor of a socket open for good where it is reset while its own end is on the way (26.10). */
  cut(): void {
    if (this.#socket.writableEnded) this.#raw.destroy();
    else this.#raw.resetAndDestroy();
  }
}
