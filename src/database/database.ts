import { closeSync, constants, openSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** What makes a database this one. */
export interface DatabaseForm {
  /** What leads from one version (`PRAGMA user_version`) to the next: the first makes an empty database version 1. */
  readonly steps: readonly string[];
  /** Pragmas beside those that all have: they stand in front of the others. */
  readonly pragmas: string;
  /** Octets of memory for its pages. */
  readonly cache: number;
}

/** Why a database was not opened; `newer`: a later namegate wrote it. */
export class DatabaseRefusal extends Error {
  readonly why: 'newer' | 'damaged' | 'system';

  constructor(why: DatabaseRefusal['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** Databases that are kept aside. */
const MOST_ASIDE = 20;
/** Without waiting: a pipe has nobody at its other end. */
const APPENDING = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Opens a database to write it, in WAL mode and readable by its owner alone, and migrates it. Throws a DatabaseRefusal. */
export function openDatabase(path: string, { steps, pragmas, cache }: DatabaseForm): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    // SQLite gives the files beside it the mode that it has.
    closeSync(openSync(path, APPENDING, 0o600));
    database = new DatabaseSync(path, { timeout: 1_000 });
    database.exec(`
      ${pragmas}
      PRAGMA journal_mode = WAL;
      PRAGMA cache_size = -${cache / 1024};
      PRAGMA journal_size_limit = 4194304;
      PRAGMA temp_store = MEMORY;
    `);
    migrate(database, path, steps);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof DatabaseRefusal) throw error;
    throw new DatabaseRefusal(isDamage(error) ? 'damaged' : 'system', `${path}: ${(error as Error).message}`);
  }
}

/** Whether SQLite says that a file is no database, or holds what it did not write. */
export function isDamage(error: unknown): boolean {
  const { errcode = 0 } = error as { readonly errcode?: number };
  // The octets above say more of the same.
  const code = errcode & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** `PRAGMA user_version`; 0 of an empty one. */
export function versionOf(database: DatabaseSync): number {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

function migrate(database: DatabaseSync, path: string, steps: readonly string[]): void {
  const version = versionOf(database);
  if (version > steps.length) {
    throw new DatabaseRefusal(
      'newer',
      `${path} has version ${version}, and this namegate knows ${steps.length}: start the later namegate again, or move the file away`,
    );
  }
  for (let from = version; from < steps.length; from++) {
    database.exec(`BEGIN IMMEDIATE; ${steps[from]!} PRAGMA user_version = ${from + 1}; COMMIT`);
  }
}

/** Gives a damaged database another name, so that somebody can look at it: that name, or null where it could not be done. */
export function keepAside(path: string): string | null {
  for (let i = 1; i <= MOST_ASIDE; i++) {
    const copy = `${path}.damaged-${i}`;
    try {
      closeSync(openSync(copy, 'wx', 0o600));
      renameSync(path, copy);
      for (const more of ['-wal', '-shm']) renameIfThere(`${path}${more}`, `${copy}${more}`);
      return copy;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return null;
    }
  }
  return null;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
