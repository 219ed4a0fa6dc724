import type { Milliseconds } from '../../wire/quantity.ts';

const FIRST: Milliseconds = 250;
const MOST = 10_000;
/** The longest that a receiver may ask to be left alone. */
const MOST_ASKED: Milliseconds = 60_000;

/** How long to wait after one more failure: twice as long each time, at most 10 s, half of it chance. */
export class Backoff {
  readonly #random: () => number;
  #step: Milliseconds = FIRST;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Milliseconds; at least what the receiver asked for, within its bound. */
  next(asked: Milliseconds): Milliseconds {
    const own = this.#step / 2 + (this.#step / 2) * this.#random();
    this.#step = Math.min(MOST, this.#step * 2);
    return Math.max(own, Math.min(MOST_ASKED, asked));
  }

  reset(): void {
    this.#step = FIRST;
  }
}
