import { closeSync, openSync, renameSync } from 'node:fs';

/** Databases that are kept aside. */
const MOST_ASIDE = 20;

/** Gives a damaged database another name, so that somebody can look at it: that name, or null where it could not be done. */
export function keepAside(store: string): string | null {
  for (let i = 1; i <= MOST_ASIDE; i++) {
    const copy = `${store}.damaged-${i}`;
    try {
      closeSync(openSync(copy, 'wx', 0o600));
      renameSync(store, copy);
      for (const more of ['-wal', '-shm']) renameIfThere(`${store}${more}`, `${copy}${more}`);
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
