import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { sep } from 'node:path';

/**
 * Folders that the files of a policy must lie in, symbolic links resolved: who may change the policy must not read what
 * the server may read. A folder itself may be a link, and may be switched to another one while files are read (git-sync
 * does this): a file of the old or of the new one lies inside.
 */
export class Enclosure {
  /** Absolute, as they were named. */
  readonly folders: readonly string[];
  readonly #atStart: readonly string[];

  constructor(folders: readonly string[]) {
    this.folders = folders;
    this.#atStart = resolved(folders);
  }

  /** Whether an absolute, normalized path lies inside as it is written, links not followed. */
  names(path: string): boolean {
    return isInside(path, [...this.folders, ...this.#atStart]);
  }

  /** Whether a path without links lies inside now, or did at the start. */
  holds(real: string): boolean {
    return isInside(real, this.#atStart) || isInside(real, resolved(this.folders));
  }

  /**
   * Whether an open file lies inside: it may be another than the one that was looked at before. Linux names what is
   * open; elsewhere the path must still lead to the same file.
   */
  holdsOpen(fd: number, path: string, file: { readonly dev: number; readonly ino: number }): boolean {
    const opened = openedPath(fd);
    if (opened !== null) return this.holds(opened);
    const real = realpathSync.native(path);
    const there = statSync(real);
    return this.holds(real) && there.dev === file.dev && there.ino === file.ino;
  }
}

function resolved(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => {
    try {
      return [realpathSync.native(folder)];
    } catch {
      return [];
    }
  });
}

function isInside(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(folder.endsWith(sep) ? folder : folder + sep));
}

function openedPath(fd: number): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
}
