import { performance } from 'node:perf_hooks';
import type { Clock } from '../resolve/ports.ts';
import { MACHINE_TIME, type Time } from '../upstream/time.ts';

/** Milliseconds after which the machine's clock is read again: as late as that a step of it is noticed. */
const STEP_MS = 50;

/**
 * The machine's own time. Between `hold` and `release` it stands still: a batch of queries or replies is done within a
 * millisecond, and reading clocks took a fortieth of each miss.
 */
export class SystemClock implements Clock {
  #isHeld = false;
  #held = 0;
  /** Milliseconds since 1970 at which the monotonic clock was 0, and when that was read last. */
  #origin = 0;
  #readAt = Number.NEGATIVE_INFINITY;

  readonly #now: () => number;
  readonly #wall: () => number;

  /** `now`: milliseconds that never go back; `wall`: since 1970. */
  constructor(now: () => number, wall: () => number) {
    this.#now = now;
    this.#wall = wall;
  }

  readonly monotonic = (): number => (this.#isHeld ? this.#held : this.#now());

  readonly epoch = (): number => {
    const now = this.monotonic();
    if (now - this.#readAt >= STEP_MS) {
      this.#readAt = now;
      this.#origin = this.#wall() - now;
    }
    return (this.#origin + now) / 1000;
  };

  readonly hold = (): void => {
    this.#held = this.#now();
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
