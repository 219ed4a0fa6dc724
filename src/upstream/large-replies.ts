/** Octets up to which a message over a stream is read when it comes. */
const SMALL = 2048;
/** Octets of messages after which, in one turn of the event loop, no more large ones are read: some 3 ms at worst. */
const A_TURN = 0x8000;

/** Who holds back a large reply, one at most, and reads no further meanwhile. */
export interface ReplyHolder {
  /** Reads what is held. */
  proceed(): void;
}

/**
 * Lets large replies through one after the other, a few a turn of the event loop: to read one may take milliseconds, and
 * many may arrive at once. Its queue is bounded by the number of streams.
 */
export class LargeReplies {
  readonly #waiting = new Set<ReplyHolder>();
  #spent = 0;
  #scheduled = false;

  /** Whether a message of so many octets may be read now, and then it counts; else its holder is called in a later turn. */
  admit(octets: number, holder: ReplyHolder): boolean {
    if (octets > SMALL && (this.#spent >= A_TURN || this.#waiting.size > 0)) {
      this.#waiting.add(holder);
      return false;
    }
    this.count(octets);
    return true;
  }

  /** It has ended. */
  leave(holder: ReplyHolder): void {
    this.#waiting.delete(holder);
  }

  /** A message of so many octets is read now: its holder's turn has come. */
  count(octets: number): void {
    this.#spent += octets;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#spent = 0;
    this.#scheduled = false;
    for (const holder of this.#waiting) {
      this.#waiting.delete(holder);
      holder.proceed();
      if (this.#spent >= A_TURN) break;
    }
    // What waits behind it has its turn, whatever came of this.
    if (this.#waiting.size > 0) this.count(0);
  };
}
