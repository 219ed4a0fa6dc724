import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** The version that this namegate writes, as `PRAGMA user_version`. */
export const SCHEMA_VERSION = 1;

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

/** Why a database was not opened; `newer`: a later namegate wrote it. */
export class StoreRefusal extends Error {
  readonly why: 'newer' | 'damaged' | 'system';

  constructor(why: StoreRefusal['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Opens a database of the outbox, and makes or migrates what is in it. `isDurable`: each commit reaches the disk, else a loss
 * of power may take the last ones. Throws a StoreRefusal.
 */
export function openDatabase(path: string, isDurable: boolean): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    // SQLite gives the files beside it the mode that it has.
    closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path, { timeout: 1_000 });
    // A page of its cache is memory of ours: 1 MiB is enough for batches of 256 rows.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${isDurable ? 'FULL' : 'NORMAL'};
      PRAGMA cache_size = -1024;
      PRAGMA journal_size_limit = 4194304;
      PRAGMA temp_store = MEMORY;
    `);
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof StoreRefusal) throw error;
    const { errcode = 0, message } = error as Error & { readonly errcode?: number };
    const isDamaged = (errcode & 0xff) === SQLITE_CORRUPT || (errcode & 0xff) === SQLITE_NOTADB;
    throw new StoreRefusal(isDamaged ? 'damaged' : 'system', `${path}: ${message}`);
  }
}

function migrate(database: DatabaseSync, path: string): void {
  const row = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const version = row.user_version;
  if (version > SCHEMA_VERSION) {
    throw new StoreRefusal(
      'newer',
      `${path} has version ${version}, and this namegate knows ${SCHEMA_VERSION}: start the later namegate again, or move the file away`,
    );
  }
  for (let from = version; from < SCHEMA_VERSION; from++) {
    database.exec(`BEGIN IMMEDIATE; ${STEPS[from]!} PRAGMA user_version = ${from + 1}; COMMIT`);
  }
}
