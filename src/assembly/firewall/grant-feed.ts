import type { Socket } from 'node:net';
import type { GrantWaiter } from '../../resolve/grants/enforcement.ts';
import type { GrantOrder } from '../../resolve/grants/grant-line.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { FeedConsumer } from './feed-consumer.ts';
import type { GrantWay } from './grant-ways.ts';

/** Consumers of one feed at once. */
const MOST_CONSUMERS = 16;
/** Orders of a feed that are waited for at once. */
const MOST_WAITING = 100_000;
const LOOK_MS: Milliseconds = 10;

export interface GrantFeedOptions {
  readonly name: string;
  /** Answers wait for its consumers. */
  readonly awaited: boolean;
  /** Milliseconds that an order is waited for. */
  readonly wait: () => Milliseconds;
  readonly now: () => Monotonic;
  /** All that holds now, in parts that are whole in themselves. */
  readonly snapshot: () => Iterator<readonly GrantOrder[]>;
  readonly heard: FeedEvents;
}

export interface FeedEvents {
  /** A consumer has all that is live, or is gone; `synced`: how many have. */
  changed(feed: string, synced: number, text: string): void;
  fault(feed: string, text: string): void;
  bug(error: unknown): void;
}

export interface FeedCounts {
  readonly consumers: number;
  /** Consumers that have acknowledged all that is live. */
  readonly synced: number;
  /** Times that a consumer was too slow, and lines were dropped. */
  readonly dropped: number;
  /** Milliseconds since the oldest line was sent that a consumer has not acknowledged; 0 where there is none. */
  readonly oldest: Milliseconds;
}

/** One order, and how many consumers have still to acknowledge it. */
interface Waiting {
  readonly waiter: GrantWaiter;
  readonly deadline: Monotonic;
  left: number;
  acknowledged: number;
  good: boolean;
  expired: boolean;
  done: boolean;
}

interface Awaited {
  readonly first: number;
  readonly last: number;
  readonly waiting: Waiting;
}

/**
 * The grants as a stream for other enforcers. Each consumer has a bounded queue of its own and waits for no other. Where answers
 * wait for the feed, they wait for the consumers that have all that is live, and there must be one.
 */
export class GrantFeed implements GrantWay {
  readonly #options: GrantFeedOptions;
  /** With what each has to acknowledge, in the order of its numbers. */
  readonly #consumers = new Map<FeedConsumer, Queue<Awaited>>();
  readonly #waiting = new Queue<Waiting>();
  #downSince: Monotonic;
  #dropped = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: GrantFeedOptions) {
    this.#options = options;
    this.#downSince = options.now();
  }

  get name(): string {
    return this.#options.name;
  }

  /** Consumers. */
  get size(): number {
    return this.#consumers.size;
  }

  /** What a scrape shows of it. */
  get counts(): FeedCounts {
    const now = this.#options.now();
    let oldest = now;
    for (const consumer of this.#consumers.keys()) oldest = Math.min(oldest, consumer.oldest ?? now);
    return {
      consumers: this.size,
      synced: this.#synced.length,
      dropped: this.#dropped,
      oldest: now - oldest,
    };
  }

  get down(): boolean {
    if (this.#waiting.size > MOST_WAITING) return true;
    return this.#synced.length === 0 && this.#options.now() - this.#downSince > this.#options.wait();
  }

  /** Somebody who may hear it. Returns whether there is room. */
  join(socket: Socket, name: string): boolean {
    if (this.#consumers.size >= MOST_CONSUMERS) {
      socket.destroy();
      return false;
    }
    const { heard, awaited } = this.#options;
    const consumer = new FeedConsumer(socket, name, {
      greeting: { feed: this.name, class: awaited ? 'wait' : 'follow' },
      snapshot: () => this.#options.snapshot(),
      changed: (one) => {
        if (!one.isSynced) {
          this.#dropped++;
          this.#release(one);
        }
        this.#tell(one, one.isSynced ? 'has all that is live' : 'was too slow: lines were dropped');
      },
      acknowledged: (one, sequence) => this.#acknowledge(one, sequence),
      fault: (one, sequence, text) => {
        this.#consumers.get(one)?.find(
          (item) => compare(item, sequence),
          (item) => {
            item.waiting.good = false;
          },
        );
        heard.fault(this.name, `${name}: ${text}`);
      },
      now: () => this.#options.now(),
      gone: (one, why) => {
        this.#release(one);
        this.#consumers.delete(one);
        this.#tell(one, `is over: ${why}`);
      },
    });
    this.#consumers.set(consumer, new Queue());
    return true;
  }

  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void {
    const lines = this.#consumers.size === 0 ? [] : orders.map((order) => JSON.stringify(order));
    const waiting = waiter === null ? null : this.#wait(waiter);
    const synced = this.#synced;
    for (const [consumer, queue] of this.#consumers) {
      // One that is only beginning is waited for where there is no other.
      const isAwaited = synced.length === 0 || consumer.isSynced;
      const first = consumer.sent + 1;
      const last = consumer.tell(lines);
      if (waiting === null || !isAwaited || last < 0) continue;
      if (last <= consumer.acknowledged) waiting.acknowledged++;
      else {
        queue.push({ first, last, waiting });
        waiting.left++;
      }
    }
    // Nobody is called within `order`.
    if (waiting !== null && waiting.left === 0 && waiting.acknowledged > 0)
      setImmediate(() => this.#settle(waiting));
  }

  /** Ends every consumer whose name `stays` does not take. */
  review(stays: (name: string) => boolean): void {
    for (const consumer of this.#consumers.keys())
      if (!stays(consumer.name)) consumer.end('it is trusted no longer');
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const consumer of this.#consumers.keys()) consumer.end('namegate stops');
  }

  get #synced(): FeedConsumer[] {
    return [...this.#consumers.keys()].filter(({ isSynced }) => isSynced);
  }

  #tell({ name }: FeedConsumer, text: string): void {
    const synced = this.#synced.length;
    if (synced > 0) this.#downSince = Number.POSITIVE_INFINITY;
    else if (this.#downSince === Number.POSITIVE_INFINITY) this.#downSince = this.#options.now();
    this.#options.heard.changed(this.name, synced, `${name} ${text}`);
  }

  #wait(waiter: GrantWaiter): Waiting {
    const deadline = this.#options.now() + this.#options.wait();
    const waiting = { waiter, deadline, left: 0, acknowledged: 0, good: true, expired: false, done: false };
    this.#waiting.push(waiting);
    this.#watch();
    return waiting;
  }

  #acknowledge(consumer: FeedConsumer, sequence: number): void {
    const queue = this.#consumers.get(consumer);
    for (let next = queue?.first; next !== undefined && next.last <= sequence; next = queue!.first) {
      queue!.shift();
      next.waiting.acknowledged++;
      if (--next.waiting.left === 0) this.#settle(next.waiting);
    }
  }

  /** What a consumer has not acknowledged is no longer waited for, if another has it. */
  #release(consumer: FeedConsumer): void {
    const queue = this.#consumers.get(consumer);
    for (let next = queue?.shift(); next !== undefined; next = queue!.shift()) {
      const { waiting } = next;
      if (--waiting.left > 0) continue;
      if (waiting.acknowledged === 0) waiting.good = false;
      // This may run within `order`, where nobody is called.
      setImmediate(() => this.#settle(waiting));
    }
  }

  #settle(waiting: Waiting): void {
    if (waiting.done) return;
    waiting.done = true;
    this.#call(() => waiting.waiter.settled(waiting.good));
  }

  #call(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.heard.bug(error);
    }
  }

  /** Deadlines pass in the order in which they were set. */
  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const now = this.#options.now();
      for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
        if (!next.done && next.deadline > now) break;
        this.#waiting.shift();
        if (next.done) continue;
        const late = next;
        late.expired = true;
        this.#call(() => late.waiter.expired());
      }
      if (this.#waiting.size > 0) this.#watch();
    }, LOOK_MS);
  }
}

function compare({ first, last }: Awaited, sequence: number): number {
  return sequence < first ? 1 : sequence > last ? -1 : 0;
}

/** First in, first out; to take one costs the same however many there are. */
class Queue<Item> {
  #items: Item[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get first(): Item | undefined {
    return this.#items[this.#head];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    if (++this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Does something with the one that `order` finds: negative for one before it, positive for one behind. */
  find(order: (item: Item) => number, then: (item: Item) => void): void {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle]!;
      const side = order(item);
      if (side === 0) {
        then(item);
        return;
      }
      if (side < 0) low = middle + 1;
      else high = middle;
    }
  }
}
