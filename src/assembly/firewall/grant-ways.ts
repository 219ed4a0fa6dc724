import type { GrantWaiter } from '../../resolve/grants/enforcement.ts';
import type { GrantOrder } from '../../resolve/grants/grant-line.ts';

/** One way to those who keep clients to what was answered: `namegate enforce`, or a feed. */
export interface GrantWay {
  /** Nobody has been there for longer than an answer may wait. */
  readonly down: boolean;
  /** As of `Enforcement`. */
  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void;
}

/** All of them as one: an answer waits for each of `awaited`, and for none of `followers`. */
export class GrantWays implements GrantWay {
  readonly #awaited: readonly GrantWay[];
  readonly #followers: readonly GrantWay[];

  constructor(awaited: readonly GrantWay[], followers: readonly GrantWay[]) {
    this.#awaited = awaited;
    this.#followers = followers;
  }

  get down(): boolean {
    return this.#awaited.some(({ down }) => down);
  }

  order(orders: readonly GrantOrder[], waiter: GrantWaiter | null): void {
    for (const way of this.#followers) way.order(orders, null);
    const awaited = this.#awaited;
    if (awaited.length === 1) {
      awaited[0]!.order(orders, waiter);
      return;
    }
    const joint = waiter === null ? null : new JointWaiter(waiter, awaited.length);
    for (const way of awaited) way.order(orders, joint);
    // Nobody is called within `order`.
    if (waiter !== null && awaited.length === 0) setImmediate(() => waiter.settled(true));
  }
}

/** Hears of each way, and tells the worst of it once. */
class JointWaiter implements GrantWaiter {
  readonly #waiter: GrantWaiter;
  #left: number;
  #good = true;
  #expired = false;

  constructor(waiter: GrantWaiter, ways: number) {
    this.#waiter = waiter;
    this.#left = ways;
  }

  settled(good: boolean): void {
    this.#good &&= good;
    if (--this.#left === 0) this.#waiter.settled(this.#good);
  }

  expired(): void {
    if (this.#expired) return;
    this.#expired = true;
    this.#waiter.expired();
  }
}
