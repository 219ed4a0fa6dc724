import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { FeedEvent, Kind } from './event.ts';

/** An event that is not committed yet: what only the store gives is missing. Times of events are made of `at`. */
export interface Draft extends Omit<FeedEvent, 'id' | 'seq' | 'server' | 'version' | 'time'> {
  /** Of the decision, in milliseconds since 1970. */
  readonly at: EpochMilliseconds;
}

/** What was decided and has no event: how many of a kind, by identity. */
export interface Loss {
  readonly of: Kind;
  readonly why: 'ring' | 'quota' | 'disk';
  /** By the identity's name; `other` for those that could not be told apart. */
  readonly lost: Readonly<Record<string, number>>;
  /** Milliseconds since 1970 of the first and the last. */
  readonly from: EpochMilliseconds;
  readonly to: EpochMilliseconds;
}

/** What one transaction of the store takes: all of it, or nothing. */
export interface Batch {
  readonly drafts: readonly Draft[];
  readonly losses: readonly Loss[];
  /** Keys of the table `state`, null to remove one. */
  readonly state: ReadonlyMap<string, string | null>;
}
