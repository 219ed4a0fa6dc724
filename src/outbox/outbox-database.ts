import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../database/database.ts';

/** What leads from one version to the next: the first makes an empty database version 1. */
const STEPS: readonly string[] = [
  `
  -- Decisions, and all else: a flood of the one takes no room from the other.
  CREATE TABLE decision (
    position INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE TABLE finding (
    position INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, seq INTEGER NOT NULL, severity INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  -- The last number of each kind.
  CREATE TABLE sequence (kind INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  CREATE TABLE sink (name TEXT PRIMARY KEY, position INTEGER NOT NULL, acknowledged INTEGER) STRICT, WITHOUT ROWID;
  CREATE TABLE dead (
    number INTEGER PRIMARY KEY, sink TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX dead_of ON dead (sink, number);
  -- What is in hand and not yet an event: where reading goes on, words of the ring, entries that fold, findings that are open.
  CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
];

/** The version that this namegate writes, as `PRAGMA user_version`. */
export const SCHEMA_VERSION = STEPS.length;

/** Of its pages: enough for batches of 256 rows. */
const CACHE = 2 ** 20;

/**
 * Opens a database of the outbox, and makes or migrates what is in it. `isDurable`: each commit reaches the disk, else a loss
 * of power may take the last ones. Throws a DatabaseRefusal.
 */
export function openOutbox(path: string, isDurable: boolean): DatabaseSync {
  const pragmas = `PRAGMA synchronous = ${isDurable ? 'FULL' : 'NORMAL'};`;
  return openDatabase(path, { steps: STEPS, pragmas, cache: CACHE });
}
