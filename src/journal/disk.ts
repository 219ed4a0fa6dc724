import fs, { constants } from 'node:fs';
import { copyFile, type FileHandle, link, open, rename, unlink } from 'node:fs/promises';

/** A file that a journal writes. All reject with the system's error. */
export interface DiskFile {
  /** Appends what stands from `at` on, and gives how many octets of it are durable now: at least one. */
  write(octets: Buffer, at: number): Promise<number>;
  /** Makes durable whatever else was done to the file. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  inode(): Promise<number>;
  close(): Promise<void>;
}

/** What a journal asks of the file system: a test hands in one that tells, or fails. All reject with the system's error. */
export interface Disk {
  /** The octets of a file, or null where there is none. */
  read(path: string): Promise<Buffer | null>;
  /** Opens a file to append to it, mode 0600, and makes it where there is none. `fresh`: there must be none. */
  open(path: string, fresh: boolean): Promise<DiskFile>;
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

/**
 * Linux: a write returns when it is durable (open(2), O_DSYNC), which spares the second trip to a thread that fdatasync takes.
 * Elsewhere the flag may stop at the drive's cache, which Node's fdatasync does not.
 */
const DSYNC = process.platform === 'linux' ? constants.O_DSYNC : 0;

/** The real one. Callbacks, since a FileHandle's promises cost the query thread twice as much. */
export const DISK: Disk = {
  async read(path) {
    let file: FileHandle;
    try {
      // Without waiting: a pipe has nobody at its other end.
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    try {
      if (!(await file.stat()).isFile()) throw new Error(`${path} is no regular file: move it away`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  },
  async open(path, fresh) {
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | DSYNC;
    return fileOf(
      await promised<number>((done) => fs.open(path, fresh ? flags | constants.O_EXCL : flags, 0o600, done)),
    );
  },
  async inode(path) {
    // Asked for each batch. The kernel has the name of an open file at hand: a trip to a thread takes five times as long.
    try {
      return fs.statSync(path).ino;
    } catch {
      return null;
    }
  },
  rename,
  unlink,
  async syncFolder(path) {
    const folder = await promised<number>((done) => fs.open(path, 'r', done));
    try {
      await promised<void>((done) => fs.fsync(folder, done));
    } finally {
      await promised<void>((done) => fs.close(folder, done));
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

function fileOf(descriptor: number): DiskFile {
  const write = (octets: Buffer, at: number): Promise<number> =>
    promised((done) => fs.write(descriptor, octets, at, octets.length - at, null, done));
  const datasync = (): Promise<void> => promised((done) => fs.fdatasync(descriptor, done));
  return {
    write:
      DSYNC === 0 ? (octets, at) => write(octets, at).then((length) => datasync().then(() => length)) : write,
    sync: () => promised((done) => fs.fsync(descriptor, done)),
    truncate: (length) => promised((done) => fs.ftruncate(descriptor, length, done)),
    inode: async () => (await promised<fs.Stats>((done) => fs.fstat(descriptor, done))).ino,
    close: () => promised((done) => fs.close(descriptor, done)),
  };
}

function promised<T>(call: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    call((error, value) => (error === null ? resolve(value as T) : reject(error))),
  );
}
