import type { Entry } from './entry.ts';
import type { Key, KeyHash } from './key.ts';

/** Where entries are kept, bounded in octets; `cache/` implements it. */
export interface AnswerStore {
  /** What keys are hashed with. */
  readonly hashOf: KeyHash;
  /** Points `entry` to what is kept under `key`, until the next `put`; false where there is nothing. */
  find(key: Key, entry: Entry): boolean;
  /** Copies `entry`, which is no entry of the store itself, in place of what was kept under `key`. One that is too large is not kept. */
  put(key: Key, entry: Entry): void;
  /** Forgets what was kept under `key`, if anything was. */
  drop(key: Key): void;
}
