import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Timing } from './timing.ts';

/** This many refusals in a row, of whatever names, are a server that does not serve us. */
const REFUSALS = 3;
/** Silence and network failures count from the first; the log hears of a server from the second in a row. */
const REPORTED_FAILURES = 2;

/**
 * What real traffic has shown of one server. Times are monotonic milliseconds, given by the caller.
 * A server without failures is `up`. One that failed is asked after those, and probed beside them when its
 * backoff is over, until it answers.
 */
export class Health {
  /** Smoothed round-trip time and its variation (RFC 6298 §2), -1 before the first sample. */
  rtt: Milliseconds = -1;
  variation: Milliseconds = 0;
  /** Why it failed last. */
  fault = '';
  readonly #timing: Timing;
  #measuredAt: Monotonic = Number.NEGATIVE_INFINITY;
  #heardAt: Monotonic = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #refusals = 0;
  #failedAt: Monotonic = Number.NEGATIVE_INFINITY;
  #probeAt: Monotonic = Number.NEGATIVE_INFINITY;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  get up(): boolean {
    return this.#failures === 0;
  }

  /** Down for longer than one lost datagram. */
  get down(): boolean {
    return this.#failures >= REPORTED_FAILURES;
  }

  get failedAt(): Monotonic {
    return this.#failedAt;
  }

  /** A good answer. `rtt` in milliseconds, or -1 where it says nothing. The one that ends a failure is no sample. */
  answered(now: Monotonic, rtt: Milliseconds): void {
    const isBack = !this.up;
    this.#heardAt = now;
    this.#failures = 0;
    this.#refusals = 0;
    if (isBack) {
      // Its first answer may be slow, with nothing in its cache. Counted, it would keep the server behind a quicker one for good.
      this.rtt = -1;
      this.variation = 0;
      return;
    }
    if (rtt < 0) return;
    if (this.rtt < 0) {
      this.rtt = rtt;
      this.variation = rtt / 2;
    } else {
      this.variation += (Math.abs(rtt - this.rtt) - this.variation) / 4;
      this.rtt += (rtt - this.rtt) / 8;
    }
    this.#measuredAt = now;
  }

  /** An RCODE that is no answer, or a reply that cannot be used. One name may be the cause, many are not. */
  refused(now: Monotonic, fault: string): void {
    this.#heardAt = now;
    this.fault = fault;
    if (++this.#refusals >= REFUSALS || !this.up) this.#fail(now);
  }

  /** A socket or handshake failed. */
  broken(now: Monotonic, fault: string): void {
    this.fault = fault;
    this.#fail(now);
  }

  /**
   * A question that went out at `sentAt` has no answer by `now`. Its last wait began at `since`: later than `sentAt` where
   * a reply over UDP sent it to TCP. It counts when the server had its time, half of it since `since`, and nothing was
   * heard from it since then: one name that its own servers leave unanswered is not its failure. Returns whether it counted.
   */
  silent(now: Monotonic, sentAt: Monotonic, since: Monotonic, fault: string): boolean {
    const its = this.retryAfter();
    // Had the wait begun anew over TCP, the answer of the next server would end it, each time, before it counts.
    if (now - sentAt < its || now - since < its / 2 || this.#heardAt >= since) return false;
    this.fault = fault;
    this.#fail(now);
    return true;
  }

  /** How long to wait for it before the next one is asked: its usual time and some, within the bounds of `Timing`. */
  retryAfter(): Milliseconds {
    const { minRetry, firstRetry } = this.#timing;
    if (this.rtt < 0) return firstRetry;
    return Math.min(firstRetry, Math.max(minRetry, this.rtt + 4 * this.variation));
  }

  /** Whether a failed server may be probed. */
  isProbeDue(now: Monotonic): boolean {
    return !this.up && now >= this.#probeAt;
  }

  isMeasured(now: Monotonic): boolean {
    return now - this.#measuredAt < this.#timing.measure;
  }

  /** Failures that come together are one: the backoff grows when a later try fails too. */
  #fail(now: Monotonic): void {
    this.#failedAt = now;
    if (!this.up && now < this.#probeAt) return;
    const { backoff, maxBackoff } = this.#timing;
    this.#probeAt = now + Math.min(maxBackoff, backoff * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
  }
}
