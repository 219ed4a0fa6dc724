/**
 * A number of one kind. It costs nothing at run time: a plain number is taken as any kind, and one kind is never taken as
 * another, so that seconds do not become milliseconds, nor a node a rule.
 */
export type Quantity<Kind extends string> = number & {
  readonly kind?: Kind;
  /** Numbers have it. Without a member that they have, the compiler would take none. */
  toFixed(digits?: number): string;
};

/** A duration, or a time since 1970 where the name says so. */
export type Seconds = Quantity<'seconds'>;

/** A duration, or a time of the clock that never goes back. */
export type Milliseconds = Quantity<'milliseconds'>;

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
