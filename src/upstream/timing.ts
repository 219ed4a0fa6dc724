import type { Milliseconds } from '../wire/quantity.ts';

/** When things happen while a question waits, and how long states last. Milliseconds. */
export interface Timing {
  /** The first retry comes at the latest this long after the first send. */
  readonly firstRetry: Milliseconds;
  /** And at the earliest this long after it, however quick the server used to be. */
  readonly minRetry: Milliseconds;
  /** Later retries, since the first send, ascending. */
  readonly retries: readonly number[];
  /** When the listener hears that the answer is slow (RFC 8767 §5). */
  readonly slow: Milliseconds;
  /** When the question ends without an answer; below the 4 s that the port promises. */
  readonly end: Milliseconds;
  /** A failed server is probed after this; the time doubles with each further failure, up to `maxBackoff`. */
  readonly backoff: number;
  readonly maxBackoff: Milliseconds;
  /** How long a probe waits for its answer. */
  readonly probe: Milliseconds;
  /** A round-trip time is measured anew when it is older than this, if the server in use is slow. */
  readonly measure: Milliseconds;
  /** A TCP connect and TLS handshake take at most this. */
  readonly connect: Milliseconds;
  /** A stream without questions is closed after this (RFC 7766 §6.2.3). */
  readonly idle: Milliseconds;
  /** resolv.conf is looked at again after this, when a question comes. */
  readonly poll: Milliseconds;
  /** The log hears of one server at most this often. */
  readonly report: Milliseconds;
}

export const TIMING: Timing = {
  // On the wire within 400 ms, with what a timer may be late.
  firstRetry: 350,
  minRetry: 200,
  retries: [1000, 1800, 2800],
  slow: 1800,
  end: 3800,
  backoff: 1000,
  // A recovered server is seen within 5 s: this, and the gap until a question comes.
  maxBackoff: 3000,
  probe: 1500,
  measure: 60_000,
  connect: 3000,
  idle: 15_000,
  poll: 1000,
  report: 5000,
};

/** Milliseconds after the first send at which somebody is asked again, who has asked again so often; `firstRetry`: the first time. */
export function retryDue({ retries, end }: Timing, firstRetry: Milliseconds, done: number): Milliseconds {
  return done === 0 ? firstRetry : (retries[done - 1] ?? end);
}

/** How many of these times have come, `done` of them before, when so many milliseconds have passed. */
export function retriesDue(
  timing: Timing,
  firstRetry: Milliseconds,
  done: number,
  elapsed: Milliseconds,
): number {
  let due = done;
  while (due <= timing.retries.length && elapsed >= retryDue(timing, firstRetry, due)) due++;
  return due;
}

/** Bounds of the streams to one server. */
export interface StreamLimits {
  /** Connections open at once. */
  readonly connections: number;
  /** Questions without an answer on one connection, those that nobody waits for any more included. */
  readonly inFlight: number;
  /** Octets that may wait for a peer that does not read. */
  readonly buffered: number;
}

export const STREAM_LIMITS: StreamLimits = { connections: 4, inFlight: 1024, buffered: 256 * 1024 };
