import type { Tick } from '../../wire/quantity.ts';

/** When charged questions leave; `assembly/` implements it. */
export interface Departures {
  /** The tick at which a question that is charged now leaves. Ticks never go back, over restarts either. */
  readonly tick: Tick;
  /** Writes down what changed in the ledger though no question leaves: who was contained, what a further hour costs. */
  note(): void;
  /**
   * Calls `go` at that tick, once all that was charged is on disk; those of one tick in the order of `order`. Where the disk
   * fails it is called all the same.
   */
  leave(order: number, go: () => void): void;
}
