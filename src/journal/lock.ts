import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from './folder.ts';

/**
 * Keeps a second process off a folder. It is a lock of the kernel's (fcntl), which goes with the process however that ends;
 * Node itself has none, and SQLite's exclusive lock on an empty database is one.
 */
export class FolderLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Makes the folder where there is none, for its owner alone, and locks it; or says why it cannot. */
  static take(folder: string): FolderLock | string {
    const fault = prepareFolder(folder);
    if (fault !== null) return fault;
    const path = join(folder, 'lock');
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path, { timeout: 0 });
      chmodSync(path, 0o600);
      database.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
      return new FolderLock(database);
    } catch (error) {
      database?.close();
      const { errcode, message } = error as Error & { readonly errcode?: number };
      return errcode === SQLITE_BUSY
        ? `${BUSY} ${folder}`
        : `the state folder ${folder} cannot be locked: ${message}`;
    }
  }

  /** Whether what `take` said is that another process has the folder. */
  static isBusy(fault: string): boolean {
    return fault.startsWith(BUSY);
  }

  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

const BUSY = 'another process uses the state folder';

/** https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/** Makes a folder that its owner alone can enter; one that is there is narrowed. Returns why it cannot, or null. */
function prepareFolder(folder: string): string | null {
  try {
    makeFolder(folder);
    const { mode, uid } = statSync(folder);
    if (uid !== process.geteuid?.()) {
      return (mode & 0o022) === 0
        ? null
        : `the state folder ${folder} belongs to uid ${uid}, and others may write into it`;
    }
    if ((mode & 0o077) !== 0) chmodSync(folder, 0o700);
    return null;
  } catch (error) {
    return `the state folder ${folder} cannot be used: ${(error as Error).message}; write a folder of your own at state: in the server file`;
  }
}
