import { MAX_FRAME } from '../../wire/framing.ts';

/** Octets of the length in front of each message (RFC 1035 §4.2.2). */
const PREFIX = 2;

/** Whose answers a batch holds. */
export interface BatchOwner {
  /** Writes the batch out and empties it. */
  flush(): void;
}

/**
 * Where answers are laid out, each behind its length, so that those of one connection that are ready together leave in one
 * write. It holds answers of one connection at a time.
 */
export class ReplyBatch {
  /** Where the answerer writes. */
  readonly reply: Buffer = Buffer.allocUnsafeSlow(MAX_FRAME);
  readonly octets: Buffer;
  used = 0;
  #owner: BatchOwner | null = null;
  readonly #full: number;
  #scheduled = false;

  /** `full`: octets at which the batch is written out; one more answer fits always. */
  constructor(full: number) {
    this.#full = full;
    this.octets = Buffer.allocUnsafeSlow(full + PREFIX + MAX_FRAME);
  }

  get full(): boolean {
    return this.used >= this.#full;
  }

  /** Adds an answer of `owner`'s; what another owner or a full batch has waiting is written out first. */
  append(owner: BatchOwner, reply: Buffer, length: number): void {
    if (length > MAX_FRAME) throw new RangeError(`an answer of ${length} octets fits no message`);
    if (this.used > 0 && (this.#owner !== owner || this.full)) this.#owner!.flush();
    this.#owner = owner;
    const { octets } = this;
    octets[this.used] = length >>> 8;
    octets[this.used + 1] = length;
    const at = this.used + PREFIX;
    // A loop costs less than a call for as few octets as most answers have.
    if (length > 256) reply.copy(octets, at, 0, length);
    else for (let i = 0; i < length; i++) octets[at + i] = reply[i]!;
    this.used += PREFIX + length;
  }

  holds(owner: BatchOwner): boolean {
    return this.used > 0 && this.#owner === owner;
  }

  /** The owner is no more. */
  forget(owner: BatchOwner): void {
    if (this.#owner !== owner) return;
    this.#owner = null;
    this.used = 0;
  }

  /** Writes out what is there when all that this turn of the event loop reads has been read. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.used > 0) this.#owner!.flush();
  };
}
