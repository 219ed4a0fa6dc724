import type { Clock } from '../resolve/ports.ts';
import type { ClockOffset, Milliseconds } from '../wire/quantity.ts';

/** Milliseconds by which the machine's clock may drift from the monotonic one between two looks. */
const DRIFT_MS: Milliseconds = 3_000;

/** Notices when the machine's clock was set, or the machine slept: TTLs go by the monotonic clock, dates by the machine's. */
export class ClockWatch {
  readonly #clock: Clock;
  #offset: ClockOffset;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = offsetOf(clock);
  }

  /** Milliseconds that the clock has jumped since the last look, forwards or (negative) back; 0 where it did not. */
  look(): Milliseconds {
    const offset = offsetOf(this.#clock);
    const jump = offset - this.#offset;
    this.#offset = offset;
    return Math.abs(jump) > DRIFT_MS ? jump : 0;
  }
}

function offsetOf(clock: Clock): ClockOffset {
  return clock.epoch() * 1000 - clock.monotonic();
}
