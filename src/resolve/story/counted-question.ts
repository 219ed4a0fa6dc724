import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** Where a question is counted that the worker has heard of: an entry of the table of counts. */
export interface CountedQuestion {
  /** Where it is counted from here on: `count` of this entry is added to this question. */
  readonly entry: number;
  readonly generation: number;
  /** The last of what the entry counted before. `last`: milliseconds since 1970. */
  readonly before: { readonly generation: number; readonly count: number; readonly last: EpochMilliseconds };
  readonly folded: 0 | 1 | 2;
  readonly audited: boolean;
  /** The client is one of many that are not told apart. */
  readonly others: boolean;
  /** Of the rule that decided, and the hash of its content; empty for none. */
  readonly pattern: string;
  readonly hash: string;
}
