import {
  constants,
  copyFile,
  type FileHandle,
  link,
  open,
  readFile,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';

/** A file that a journal writes. */
export type DiskFile = Pick<FileHandle, 'write' | 'datasync' | 'sync' | 'truncate' | 'stat' | 'close'>;

/** What a journal asks of the file system: a test hands in one that tells, or fails. All reject with the system's error. */
export interface Disk {
  /** The octets of a file, or null where there is none. */
  read(path: string): Promise<Buffer | null>;
  open(path: string, flags: string, mode: number): Promise<DiskFile>;
  /** The number of the file at a path, or null where there is none. */
  inode(path: string): Promise<number | null>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes durable what names a folder has. */
  syncFolder(path: string): Promise<void>;
  /** Keeps a file under a name of its own beside it, and gives the name; null where that cannot be done. */
  keepAside(path: string): Promise<string | null>;
}

/** Copies of damaged files that are kept at once. */
const MAX_ASIDE = 100;

/** The real one. */
export const DISK: Disk = {
  async read(path) {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  },
  open,
  async inode(path) {
    const there = await stat(path).catch(() => null);
    return there === null ? null : there.ino;
  },
  rename,
  unlink,
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async keepAside(path) {
    for (let i = 1; i <= MAX_ASIDE; i++) {
      const aside = i === 1 ? `${path}.damaged` : `${path}.damaged-${i}`;
      try {
        // A second name takes no room on a full disk: the journal goes on in another file.
        await link(path, aside).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') throw error;
          return copyFile(path, aside, constants.COPYFILE_EXCL);
        });
        return aside;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return null;
      }
    }
    return null;
  },
};
