/**
 * A number of one kind. It costs nothing at run time: a plain number is taken as any kind, and one kind is never taken as
 * another, so that seconds do not become milliseconds, nor a node a rule.
 */
export type Quantity<Kind extends string> = number & {
  readonly kind?: Kind;
  /** Numbers have it. Without a member that they have, the compiler would take none. */
  toFixed(digits?: number): string;
};

/**
 * A duration in seconds. A TTL is one (RFC 2181 §8). The compiler takes any sum for any kind, so `test/times.test.ts` reads all
 * sums, differences and comparisons: two moments of one clock are a duration apart, and nothing else mixes.
 */
export type Seconds = Quantity<'seconds'>;

/** A duration in milliseconds. */
export type Milliseconds = Quantity<'milliseconds'>;

/** A moment of the clock that never goes back, in milliseconds since this process began: `performance.now()`. */
export type Monotonic = Quantity<'monotonic'>;

/** A moment of the clock that never goes back, in milliseconds since the machine began: it means the same to the next process. */
export type SinceBoot = Quantity<'since boot'>;

/** A moment of the machine's clock, in milliseconds since 1970: `Date.now()`. That clock may jump. */
export type EpochMilliseconds = Quantity<'epoch milliseconds'>;

/** A moment of the machine's clock, in seconds since 1970. */
export type EpochSeconds = Quantity<'epoch seconds'>;

/** What makes an `EpochMilliseconds` of a `Monotonic` that it is added to. It changes when the machine's clock jumps. */
export type ClockOffset = Quantity<'clock offset'>;

/** A moment of the ledger's clock, in whole ticks: `TICK_MS` of `detect/charge.ts`. */
export type Tick = Quantity<'tick'>;

/** A moment of the machine's clock, in ticks of the same length since 1970. */
export type EpochTick = Quantity<'epoch tick'>;

/** Times in an array of doubles: what is put in and what is read have their kind. */
export type Times<Kind extends number> = Float64Array & { [index: number]: Kind };

/** A type of resource records (RFC 1035 §3.2.2). */
export type RrType = Quantity<'type'>;

/**
 * A case that the types rule out, in what comes from a disk or a socket: what another version of namegate wrote there is passed
 * over. The compiler stops at a new case all the same.
 */
export function passOver(_value: never): void {}

/** A case that the types rule out. A new verdict, ground or exit makes the compiler stop here, at every switch that lacks it. */
export function unreachable(value: never): never {
  throw new Error(`no such case: ${String(value)}`);
}
