import { performance } from 'node:perf_hooks';
import type { Clock } from '../resolve/ports.ts';
import { MACHINE_TIME, type Time } from '../upstream/time.ts';
import type { EpochMilliseconds, EpochSeconds, Monotonic } from '../wire/quantity.ts';

/**
 * The machine's own time. Between `hold` and `release` it stands still: a batch of queries or replies is done within a
 * millisecond, and reading clocks took a fortieth of each miss.
 */
export class SystemClock implements Clock {
  #isHeld = false;
  #held: Monotonic = 0;
  /** Seconds since 1970; NaN where nobody has asked since it is held. */
  #heldEpoch: EpochSeconds = Number.NaN;
  readonly #now: () => Monotonic;
  readonly #wall: () => EpochMilliseconds;

  /** `now`: milliseconds that never go back; `wall`: since 1970. */
  constructor(now: () => Monotonic, wall: () => EpochMilliseconds) {
    this.#now = now;
    this.#wall = wall;
  }

  readonly monotonic = (): Monotonic => (this.#isHeld ? this.#held : this.#now());

  readonly epoch = (): EpochSeconds => {
    if (!this.#isHeld) return this.#wall() / 1000;
    if (Number.isNaN(this.#heldEpoch)) this.#heldEpoch = this.#wall() / 1000;
    return this.#heldEpoch;
  };

  readonly hold = (): void => {
    this.#held = this.#now();
    this.#heldEpoch = Number.NaN;
    this.#isHeld = true;
  };

  readonly release = (): void => {
    this.#isHeld = false;
  };
}

const clock = new SystemClock(
  () => performance.now(),
  () => Date.now(),
);

export const CLOCK: Clock = clock;

/** The same for upstreams. */
export const TIME: Time = {
  ...MACHINE_TIME,
  now: clock.monotonic,
  hold: clock.hold,
  release: clock.release,
};
