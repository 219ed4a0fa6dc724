import type { GrantWaiter } from '../../resolve/grants/enforcement.ts';
import type { GrantOrder } from '../../resolve/grants/grant-line.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

interface Waiting {
  readonly first: number;
  readonly last: number;
  readonly waiter: GrantWaiter;
  readonly since: Monotonic;
  readonly deadline: Monotonic;
  good: boolean;
  expired: boolean;
}

/** Orders that nobody was there to take. */
interface KeptOrders {
  readonly orders: readonly GrantOrder[];
  readonly waiter: GrantWaiter | null;
  readonly deadline: Monotonic;
}

export interface WaitingOptions {
  readonly now: () => Monotonic;
  /** Milliseconds that an order is waited for. */
  readonly wait: () => Milliseconds;
  readonly heard: { bug(error: unknown): void };
}

/** Who waits for the enforcer to do what it was told, and until when. No waiter is called within `add` and `keep`. */
export class WaitingOrders {
  readonly #options: WaitingOptions;
  /** In the order of their numbers; those from `#head` on wait. */
  readonly #waiting: Waiting[] = [];
  #head = 0;
  /** They go when somebody is there. The first has a waiter: what comes behind it may undo it. */
  #kept: KeptOrders[] = [];
  #acked = 0;
  #deadlines: NodeJS.Timeout | null = null;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** How many wait, at the least. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Milliseconds since the first of those that wait was told; 0 where nobody waits. */
  get oldest(): Milliseconds {
    const first = this.#waiting[this.#head];
    return first === undefined ? 0 : Math.max(0, this.#options.now() - first.since);
  }

  /** The orders with these numbers have been told. */
  add(first: number, last: number, waiter: GrantWaiter, deadline: Monotonic): void {
    const since = this.#options.now();
    const waiting = { first, last, waiter, since, deadline, good: true, expired: false };
    if (last <= this.#acked) this.#later(waiting, true);
    else this.#waiting.push(waiting);
    this.#watch();
  }

  /** Nobody is there to be told. */
  keep(orders: readonly GrantOrder[], waiter: GrantWaiter | null, deadline: Monotonic): void {
    if (waiter !== null || this.#kept.length > 0) this.#kept.push({ orders, waiter, deadline });
    this.#watch();
  }

  /** What was kept, and is now told. */
  takeKept(): readonly KeptOrders[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  /** The order with this number could not be done. */
  fail(sequence: number): void {
    const waiting = this.#waiting.find(({ first, last }) => first <= sequence && sequence <= last);
    if (waiting !== undefined) waiting.good = false;
  }

  /** All up to this number are done. */
  acknowledge(sequence: number): void {
    this.#acked = Math.max(this.#acked, sequence);
    while (this.#head < this.#waiting.length && this.#waiting[this.#head]!.last <= sequence) {
      const { waiter, good } = this.#waiting[this.#head++]!;
      this.#tell(() => waiter.settled(good));
    }
    if (this.#head === this.#waiting.length || this.#head > 1024) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Whatever was not acknowledged may be in force or not: it is told again, and waited for as long as it may. */
  lost(): void {
    for (const waiting of this.#waiting.splice(this.#head)) if (!waiting.expired) this.#later(waiting, false);
    this.#waiting.length = 0;
    this.#head = 0;
  }

  close(): void {
    if (this.#deadlines !== null) clearTimeout(this.#deadlines);
  }

  #later(waiting: Waiting, good: boolean): void {
    setImmediate(() => this.#tell(() => waiting.waiter.settled(good)));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.heard.bug(error);
    }
  }

  /** Deadlines pass in the order in which they were set, for all are as long; a changed setting counts a moment later. */
  #watch(): void {
    if (this.#deadlines !== null) return;
    this.#deadlines = setTimeout(() => this.#wake(), Math.max(1, Math.min(10, this.#options.wait())));
  }

  #wake(): void {
    this.#deadlines = null;
    const now = this.#options.now();
    for (let i = this.#head; i < this.#waiting.length && this.#waiting[i]!.deadline <= now; i++) {
      const waiting = this.#waiting[i]!;
      if (waiting.expired) continue;
      waiting.expired = true;
      this.#tell(() => waiting.waiter.expired());
    }
    while (this.#kept.length > 0 && (this.#kept[0]!.waiter === null || this.#kept[0]!.deadline <= now)) {
      const { waiter } = this.#kept.shift()!;
      if (waiter !== null) this.#tell(() => waiter.expired());
    }
    if (this.#kept.length > 0 || this.#waiting.some(({ expired }, i) => i >= this.#head && !expired))
      this.#watch();
  }
}
