import type { Milliseconds, Monotonic } from '../wire/quantity.ts';

/** Milliseconds for which a server is asked without OPT before it is tried with OPT again: the first time, and the most. */
const FIRST: Milliseconds = 5_000;
const LAST: Milliseconds = 300_000;

/**
 * Whether one server is asked with OPT (RFC 6891 §7). A server that answered only without it is asked without it for a
 * while; then a question of a client goes out with OPT too, beside it, so that nobody waits for what that shows.
 */
export class OptMemory {
  /** It has answered a question with OPT: then silence is no sign that it knows none. */
  tolerant = false;
  #plain = false;
  #life: Milliseconds = FIRST;
  #until: Monotonic = 0;

  /** Questions go out without OPT. */
  get plain(): boolean {
    return this.#plain;
  }

  isProbeDue(now: Monotonic): boolean {
    return this.#plain && now >= this.#until;
  }

  /** It answered without OPT where it did not with OPT. Returns whether this is news. */
  remember(now: Monotonic): boolean {
    const news = !this.#plain;
    if (news) this.#life = FIRST;
    this.#plain = true;
    this.tolerant = false;
    this.#until = now + this.#life;
    return news;
  }

  /** The probe with OPT failed: the next one comes after twice the time. */
  stays(now: Monotonic): void {
    this.#life = Math.min(LAST, this.#life * 2);
    this.#until = now + this.#life;
  }

  /** It answered a question with OPT. Returns whether this is news. */
  forget(): boolean {
    const news = this.#plain;
    this.#plain = false;
    this.tolerant = true;
    return news;
  }
}
