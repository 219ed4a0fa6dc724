import { Ledger } from '../../src/detect/ledger.ts';
import { Charges } from '../../src/resolve/ledger/charges.ts';
import type { Departures } from '../../src/resolve/ledger/departures.ts';

/** Ticks that a test turns: what was charged leaves at `depart`. */
export class Ticks implements Departures {
  tick = 1;
  readonly waiting: [number, () => void][] = [];
  /** Everything leaves at once, without a tick. */
  atOnce = true;

  note(): void {}

  leave(order: number, go: () => void): void {
    if (this.atOnce) go();
    else this.waiting.push([order, go]);
  }

  /** Lets everything leave that waits, in its order. */
  depart(): void {
    this.tick++;
    for (const [, go] of this.waiting.splice(0).sort(([a], [b]) => a - b)) go();
  }
}

export function newCharges(ticks: Ticks, ledger = new Ledger()): Charges {
  return new Charges(ledger, ticks, Buffer.alloc(16, 9));
}
