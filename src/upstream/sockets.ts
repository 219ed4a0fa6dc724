import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { LargeReplies } from './large-replies.ts';
import type { Time } from './time.ts';
import type { StreamLimits, Timing } from './timing.ts';
import type { UpstreamCounters, UpstreamEvent } from './upstream-event.ts';

/** Failures of this machine, which say nothing about the server that was to be asked. */
const LOCAL_FAULTS = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EAGAIN',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
]);

/** The codes when our own bounds are reached: on sockets, and on the connections to one server. */
export const NO_SOCKET = 'ENOSOCKET';
export const NO_ROOM = 'ENOROOM';

const REPORT_EVERY: Milliseconds = 10_000;

/** What everything in this room shares: the bound on sockets, times, counters and the way to the log. */
export class Sockets {
  readonly time: Time;
  readonly timing: Timing;
  readonly limits: StreamLimits;
  readonly counters: UpstreamCounters = {
    questions: 0,
    replies: 0,
    overTcp: 0,
    mismatched: 0,
    probes: 0,
  };
  readonly largeReplies = new LargeReplies();
  readonly emit: (event: UpstreamEvent) => void;
  readonly #max: number;
  #open = 0;
  #reportedAt: Monotonic = Number.NEGATIVE_INFINITY;

  /** `max`: UDP sockets and streams that may be open at once. */
  constructor(
    max: number,
    time: Time,
    timing: Timing,
    limits: StreamLimits,
    emit: (event: UpstreamEvent) => void,
  ) {
    this.#max = max;
    this.time = time;
    this.timing = timing;
    this.limits = limits;
    this.emit = emit;
  }

  get open(): number {
    return this.#open;
  }

  /** The other half is for first sends: retries and probes then make do with what they have. */
  get tight(): boolean {
    return this.#open >= this.#max / 2;
  }

  /** Whether one more socket may be opened; `release` gives it back. */
  take(): boolean {
    if (this.#open >= this.#max) return false;
    this.#open++;
    return true;
  }

  release(): void {
    this.#open--;
  }

  /** Whether a failure is this machine's own; it is told to the log, not too often. */
  isLocalFault(code: string): boolean {
    let detail = code;
    if (code === NO_SOCKET) detail = `${this.#max} sockets to upstreams are open`;
    else if (code === NO_ROOM) detail = 'the connections to a server are full';
    else if (!LOCAL_FAULTS.has(code)) return false;
    const now = this.time.now();
    if (now - this.#reportedAt >= REPORT_EVERY) {
      this.#reportedAt = now;
      this.emit({ kind: 'sockets-exhausted', detail });
    }
    return true;
  }
}
