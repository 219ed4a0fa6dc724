import type { ClockOffset, EpochMilliseconds, Milliseconds, Monotonic } from '../wire/quantity.ts';

/** A clock that is set forward by more is doubted: corrections are smaller. */
const STEP: Milliseconds = 3_600_000;
/** What is doubted is believed after so long without another change. */
const DOUBT: Milliseconds = 86_400_000;

/**
 * The time by which events grow old, in milliseconds since 1970. A clock that is set days ahead, by a fault or by somebody who
 * can, would let all of them go at once: so it counts only once it has gone on so for a day. A clock that is set back counts at once.
 */
export class AgeClock {
  readonly #wall: () => EpochMilliseconds;
  readonly #running: () => Monotonic;
  /** What the wall clock was ahead of the other when it was believed last, and when somebody looked last. */
  #ahead: ClockOffset;
  #seen: ClockOffset;
  /** Since when it has been further ahead, by the other clock; null where it is not. */
  #doubtedSince: Monotonic | null = null;
  #wasSetBack: boolean;

  /**
   * `wall`: since 1970. `running`: a clock that nobody sets. `newest`: the last time that is known of another run, or null. `kept`:
   * what it gave last, or empty.
   */
  constructor(
    wall: () => EpochMilliseconds,
    running: () => Monotonic,
    newest: EpochMilliseconds | null,
    kept: string,
  ) {
    this.#wall = wall;
    this.#running = running;
    const now = wall();
    const [last = '', doubted = ''] = kept.split(' ');
    const known = last === '' ? newest : Number(last);
    this.#seen = now - running();
    this.#ahead = Math.min(now, known ?? Number.POSITIVE_INFINITY) - running();
    this.#doubtedSince = doubted === '' ? null : running() - Number(doubted);
    this.#wasSetBack = newest !== null && newest > now + STEP;
  }

  now(): EpochMilliseconds {
    const running = this.#running();
    const ahead = this.#wall() - running;
    if (this.#seen - ahead > STEP) this.#wasSetBack = true;
    if (Math.abs(ahead - this.#seen) > STEP) this.#doubtedSince = null;
    this.#seen = ahead;
    const isDoubted = ahead - this.#ahead > STEP;
    if (isDoubted) this.#doubtedSince ??= running;
    if (!isDoubted || running - this.#doubtedSince! >= DOUBT) {
      this.#ahead = ahead;
      this.#doubtedSince = null;
    }
    return running + this.#ahead;
  }

  /** For another run: the time, and for how long the clock has been doubted. Empty while it is not. */
  get kept(): string {
    const now = this.now();
    const since = this.#doubtedSince;
    return since === null ? '' : `${Math.floor(now)} ${Math.floor(this.#running() - since)}`;
  }

  /** Whether the clock was set back since `dated`: what it dated before may lie ahead. */
  get wasSetBack(): boolean {
    return this.#wasSetBack;
  }

  /** What was dated ahead is dated anew, on disk too. */
  dated(): void {
    this.#wasSetBack = false;
  }
}
