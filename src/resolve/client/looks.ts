import type { Milliseconds } from '../../wire/quantity.ts';
import type { Underway } from './standing.ts';

/** Looks a second of one identity, and of all. */
const MOST_OF_ONE = 400;
const MOST_OF_ALL = 4_000;
const SECOND: Milliseconds = 1_000;

/** How often a second something is looked for that costs microseconds, and that nobody misses in a flood. */
export class Looks {
  #since: Milliseconds = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** Whether one more may be had now. */
  take(underway: Underway, now: Milliseconds): boolean {
    if (now - this.#since >= SECOND || now < this.#since) {
      this.#since = now;
      this.#count = 0;
    }
    if (underway.looksSince !== this.#since) {
      underway.looksSince = this.#since;
      underway.looks = 0;
    }
    if (this.#count >= MOST_OF_ALL || underway.looks >= MOST_OF_ONE) return false;
    this.#count++;
    underway.looks++;
    return true;
  }
}
