import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { CountReader } from './count-table.ts';
import type { FeedSetting } from './feed-setting.ts';
import type { Sighting } from './finding-life.ts';
import type { SlotRecord } from './slot-record.ts';

/**
 * Who else hears what the ring says, in the worker. A round commits followers first and events then; slots of the ring are
 * given back only when all have committed. So a follower that cannot write holds the ring, and what has no room in it is counted.
 */
export interface Follower {
  /**
   * Hears each record once a run, in order. After a kill it hears again what was not given back: `position` tells those apart.
   * It is the record's place in the ring, modulo 2^32; of a text in several slots that of the last. `now`: milliseconds since
   * 1970. The record is good during the call. What goes to `sight` has the life of a finding: create, update, close.
   */
  take(
    record: SlotRecord,
    position: number,
    now: EpochMilliseconds,
    sight: (sighting: Sighting) => void,
  ): void;
  /**
   * Between rounds, about every 100 ms: what time alone brings. `all`: the worker is about to stop.
   */
  flush(now: EpochMilliseconds, all: boolean, sight: (sighting: Sighting) => void): void;
  /**
   * Writes what it holds, with the position behind the last record that it took. Called each round, so it costs nothing where
   * nothing is new. Throws where it cannot: nothing is given back, and it is tried again.
   */
  commit(position: number): void;
  /**
   * What the database of the events keeps for the next run, by key: null for what need not be kept any more. It is written with
   * the position behind the last record that was taken, so that a kill makes nobody hear a record twice or not at all.
   * `all`: the worker is about to stop.
   */
  changes?(all: boolean): Iterable<readonly [key: string, value: string | null]>;
  /** Answers what a person asks, when all has been read that was there; undefined for what is not its business. */
  answer?(question: object): unknown;
  /** What it counts, by a name that no other follower has: for the metrics, so it is cheap. */
  figures?(): Readonly<Record<string, number>>;
  /** A reload. */
  configure?(setting: FeedSetting): void;
  close(): void;
}

/** What a follower is opened with. */
export interface FollowerPlace {
  /** Absolute path of the state folder. */
  readonly folder: string;
  /** Of the ring: positions of another say nothing of this one. */
  readonly ring: string;
  readonly server: string;
  readonly setting: FeedSetting;
  /** How often questions were asked that `asked` records have told of. */
  readonly counts: CountReader;
  /** Where the registered domain of a wire name starts. */
  readonly registered: (name: Uint8Array) => number;
  /** Milliseconds since 1970. */
  readonly now: () => EpochMilliseconds;
  /** What `changes` of another run gave, under keys that begin so. */
  readonly kept: (prefix: string) => Iterable<readonly [key: string, value: string]>;
  /** Tells that a database of the follower could not be read and is kept under another name. */
  readonly damaged: (text: string, copy: string) => void;
}

/** Opens a follower before the first record is read. What it throws is trouble of the worker, which tries again. */
export type OpenFollower = (place: FollowerPlace) => Follower;
