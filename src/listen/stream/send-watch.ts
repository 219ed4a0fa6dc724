import type { Socket } from 'node:net';

/** Sees whether a client takes what is written to it. */
export class SendWatch {
  #flushed = 0;
  #flushedAt: number;

  /** `now`: monotonic milliseconds, as in `stalls`. */
  constructor(now: number) {
    this.#flushedAt = now;
  }

  /** Whether something has been unsent for longer than `most` milliseconds, and no octet of it has left in that time. */
  stalls(socket: Socket, now: number, most: number): boolean {
    const unsent = socket.writableLength;
    const flushed = socket.bytesWritten - unsent;
    if (unsent > 0 && flushed === this.#flushed) return now - this.#flushedAt > most;
    this.#flushed = flushed;
    this.#flushedAt = now;
    return false;
  }
}
