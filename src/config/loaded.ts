import { hash } from 'node:crypto';
import type { Problem } from '../policy/problem.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { Settings } from '../settings/settings.ts';
import type { EpochSeconds } from '../wire/quantity.ts';
import type { DynamicException } from './policy/exceptions.ts';

/**
 * What `check` and the server get from the files. It stands apart from what reads them (`load.ts`), which is large: a server
 * reads in a thread, whose memory goes with it.
 */
export interface LoadResult {
  /** Sorted by file, line and column, warnings included. */
  readonly problems: readonly Problem[];
  /** Frozen; null if any problem is an error, and where a policy was loaded without its server file. */
  readonly settings: Settings | null;
  /** Null if any problem is an error. */
  readonly snapshot: Snapshot | null;
  /** The texts that problems point into, by `Problem.at.file`. */
  readonly sources: ReadonlyMap<string, string>;
  /** Absolute paths of all that was read or looked for, folders included, sorted. */
  readonly files: readonly string[];
  /** Those of them that led outside of the policy's folder: they are followed as links, and never read. */
  readonly barred: readonly string[];
  /** What each of these was, by its path: it changes if and only if the content does. */
  readonly digests: ReadonlyMap<string, string>;
  /** sha256 over these paths and what each was: it changes if and only if one of them does. */
  readonly hash: string;
  /** The same over `hash` and the exceptions that the load was made with. */
  readonly content: string;
}

/** A load without errors, of a server file. */
export interface Loaded extends LoadResult {
  readonly settings: Settings;
  readonly snapshot: Snapshot;
}

export function isLoaded(result: LoadResult): result is Loaded {
  return result.settings !== null && result.snapshot !== null;
}

export interface LoadOptions {
  /** NAMEGATE_UPSTREAM is read from it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Seconds since 1970. */
  readonly now: EpochSeconds;
  /** 32 random bits for the tree's hash. */
  readonly salt: number;
  /** What the admin API excepts beside what stands in files. */
  readonly exceptions?: readonly DynamicException[];
  /** Whether a file of the policy's folder is passed over, as if it were not there. */
  readonly passesOver?: (path: string) => boolean;
}

/** `LoadResult.content` of a load that found files with this hash. */
export function contentOf(files: string, exceptions: readonly DynamicException[]): string {
  return hash('sha256', files + JSON.stringify(exceptions));
}

/** Deeply; what is in typed arrays cannot be frozen, and is not written to. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
