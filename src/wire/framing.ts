/** Octets of the longest message that the prefix can announce (RFC 1035 §4.2.2). */
export const MAX_FRAME = 0xffff;

/** Why a stream cannot be read on: a frame of no octets, or one longer than the reader takes. */
export type FrameFault = 'empty' | 'long';

/** What a partial message starts with; it grows with what really arrives, never with what a prefix claims. */
const FIRST_HELD = 512;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts a byte stream into messages by their 16-bit length prefix (RFC 1035 §4.2.2, RFC 7766 §8, RFC 7858 §3.3).
 * The prefix may arrive one octet at a time. At most one partial message is held: less than `limit` octets, and
 * less than twice what has arrived of it, or 512.
 */
export class FrameReader {
  /** Why reading ended, or null while the stream is good. */
  fault: FrameFault | null = null;
  /** Octets of the last chunk that were read; less than all of it after `pause`, `close` or a fault. */
  taken = 0;
  readonly #limit: number;
  #closed = false;
  #paused = false;
  #prefixOctets = 0;
  #size = 0;
  #held: Buffer = NOTHING;
  #have = 0;

  /** `limit`: octets of the longest message that is taken, 1 to 65,535. */
  constructor(limit: number = MAX_FRAME) {
    this.#limit = limit;
  }

  /** Whether a message has begun and not ended: a peer that stops here is slow, not idle. */
  get partial(): boolean {
    return this.#prefixOctets > 0;
  }

  /**
   * Takes the next octets and calls `onMessage` for each message that they complete, in order. The message is a
   * view that is good during the call; copy what is kept. Returns false when nothing more will be read: after a
   * fault (see `fault`) or `close`, which `onMessage` may call.
   */
  push(chunk: Buffer, onMessage: (message: Buffer) => void): boolean {
    let at = 0;
    this.#paused = false;
    while (at < chunk.length && !this.#closed && !this.#paused) {
      if (this.#prefixOctets < 2) {
        this.#size = this.#prefixOctets === 0 ? chunk[at]! : (this.#size << 8) | chunk[at]!;
        this.#prefixOctets++;
        at++;
        if (this.#prefixOctets === 2) this.#checkSize();
        continue;
      }
      const missing = this.#size - this.#have;
      const given = Math.min(missing, chunk.length - at);
      let message: Buffer | null = null;
      if (this.#have === 0 && given === missing) {
        message = chunk.subarray(at, at + given);
      } else {
        this.#hold(chunk, at, given);
        if (given === missing) message = this.#held.subarray(0, this.#size);
      }
      at += given;
      if (message !== null) {
        // Clean before the call, so that whatever it does finds the reader between two messages.
        this.#release();
        onMessage(message);
      }
    }
    this.taken = at;
    return !this.#closed;
  }

  /** From within `onMessage`: ends this `push` after that message. The caller keeps the octets from `taken` on, and pushes them later. */
  pause(): void {
    this.#paused = true;
  }

  /** Lets go of what is held and reads nothing more. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #checkSize(): void {
    if (this.#size > 0 && this.#size <= this.#limit) return;
    this.fault = this.#size === 0 ? 'empty' : 'long';
    this.close();
  }

  #hold(chunk: Buffer, at: number, octets: number): void {
    const needed = this.#have + octets;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafe(
        Math.min(this.#size, Math.max(needed, 2 * this.#held.length, FIRST_HELD)),
      );
      this.#held.copy(grown, 0, 0, this.#have);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#have, at, at + octets);
    this.#have = needed;
  }

  #release(): void {
    this.#prefixOctets = 0;
    this.#size = 0;
    this.#held = NOTHING;
    this.#have = 0;
  }
}
