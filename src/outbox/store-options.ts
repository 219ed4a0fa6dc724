import type { EpochMilliseconds, Monotonic } from '../wire/quantity.ts';
import type { QuotaSetting } from './quota.ts';

/** How the store keeps events; a load may change it. */
export interface StoreSetting {
  /** Each commit reaches the disk: without it a loss of power may take the last ones, the end of the process none. */
  readonly isDurable: boolean;
  readonly decisions: QuotaSetting;
  readonly findings: QuotaSetting;
  /** What goes when a quota is full of events that somebody has not had. */
  readonly full: 'drop_oldest' | 'drop_new';
}

/** What the store is made from. */
export interface StoreOptions {
  readonly path: string;
  readonly setting: StoreSetting;
  /** The server's name, and namegate's version: they stand in every event. */
  readonly server: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now: () => EpochMilliseconds;
  /** Milliseconds of a clock that nobody sets; the process's unless given. */
  readonly running?: () => Monotonic;
}
