import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { Loss } from './draft.ts';

/** How full the store is, and what sinks have not had. */
export interface StoreStatus {
  readonly last: number;
  /** The last number of each kind. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly decisions: { readonly octets: number; readonly rows: number; readonly quota: number };
  readonly findings: { readonly octets: number; readonly rows: number; readonly quota: number };
  /** Questions and events that were lost since the start, by why. */
  readonly lost: Readonly<Record<Loss['why'], number>>;
  readonly sinks: readonly {
    readonly name: string;
    readonly cursor: number;
    /** Milliseconds since 1970, or null. */
    readonly acknowledged: EpochMilliseconds | null;
    readonly dead: number;
    /** Events that it has not acknowledged, whether or not it takes their kind; and the time of the oldest, or null. */
    readonly depth: number;
    readonly oldest: EpochMilliseconds | null;
  }[];
}
