/** The upper bound of the first bucket, and how many buckets double from there: 8 µs to 4.2 s. */
const FIRST_EXPONENT = 3;
const BUCKETS = 20;
const BEYOND = BUCKETS;
const SUM = BUCKETS + 1;

/** Upper bounds in seconds, ascending; what is beyond the last has a bucket too. */
export const BOUNDS: readonly number[] = Array.from(
  { length: BUCKETS },
  (_, i) => 2 ** (FIRST_EXPONENT + i) / 1e6,
);

/** How often each duration was seen, in buckets that double. All of it is one array, and adding to it allocates nothing. */
export class Histogram {
  /** Buckets from the shortest, what is beyond, and the sum in milliseconds. */
  readonly #counts = new Float64Array(SUM + 1);

  /** Adds a duration in milliseconds, `times` over. A negative one, of a clock that was read late, counts as none. */
  add(milliseconds: number, times: number = 1): void {
    const whole = milliseconds <= 0 ? 0 : Math.ceil(milliseconds * 1000);
    // An upper bound belongs to its bucket. Beyond 2^31 µs the shift below would begin anew.
    const bits =
      whole > 2 ** FIRST_EXPONENT ? 32 - Math.clz32(Math.min(whole, 2 ** 30) - 1) - FIRST_EXPONENT : 0;
    this.#counts[bits < BEYOND ? bits : BEYOND]! += times;
    if (milliseconds > 0) this.#counts[SUM]! += milliseconds * times;
  }

  /** How many durations were at most `BOUNDS[i]`, and at the end how many there were. */
  cumulative(): number[] {
    let sum = 0;
    return Array.from(this.#counts.subarray(0, SUM), (count) => {
      sum += count;
      return sum;
    });
  }

  /** Seconds in all. */
  get sum(): number {
    return this.#counts[SUM]! / 1000;
  }
}
