import { TICK_MS } from '../detect/charge.ts';
import { LONGEST_WAIT } from '../detect/holder.ts';
import type { Departures } from '../resolve/ledger/departures.ts';

/** Lets charged questions leave on ticks of the monotonic clock. A timer runs only while something waits. */
export class DepartureTicks implements Departures {
  readonly #monotonic: () => number;
  #waiting: { readonly order: number; readonly go: () => void }[] = [];

  /** `monotonic`: milliseconds that never go back. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Ticks begin a whole window late, so that no charge lies before their beginning. */
  get tick(): number {
    return LONGEST_WAIT + Math.floor(this.#monotonic() / TICK_MS) + 1;
  }

  leave(order: number, go: () => void): void {
    if (this.#waiting.length === 0) {
      const next = TICK_MS - (this.#monotonic() % TICK_MS);
      setTimeout(() => this.#depart(), next);
    }
    this.#waiting.push({ order, go });
  }

  #depart(): void {
    const leaving = this.#waiting;
    this.#waiting = [];
    leaving.sort((a, b) => a.order - b.order);
    for (const { go } of leaving) go();
  }
}
