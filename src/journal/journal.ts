import { type FileHandle, open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DamagedLine, decodeLines, encodeLine } from './lines.ts';

/** What a journal held when it was opened. */
export interface Replay {
  readonly records: readonly object[];
  readonly damaged: readonly DamagedLine[];
  readonly torn: boolean;
  /** Where what was damaged has been copied to, or null. */
  readonly copy: string | null;
}

/** Why something could not be made durable: the system's error. */
export interface JournalFault {
  /** ENOSPC, EDQUOT, EIO, … */
  readonly code: string;
  readonly message: string;
}

interface Waiting {
  readonly line: Buffer;
  /** Puts the record in force; runs before anybody else hears of it, and before a compaction asks for the state. */
  readonly apply: () => void;
  /** It is in force whether or not it can be written. */
  readonly stands: boolean;
  readonly settle: (fault: JournalFault | null) => void;
}

/** Octets from which a journal is written anew, if four times as large as it was then. */
const COMPACT_FROM = 1 << 20;
const VERSION = 1;

/**
 * An append-only file of records that outlive a crash at any moment. What waits at once is written and synced at once (group
 * commit). From time to time the file is written anew from what is in force: a temporary file, synced, renamed, and the
 * folder synced. Nothing of a batch that could not be written stays, in the file or in force.
 */
export class Journal {
  readonly #path: string;
  readonly #state: () => Iterable<object>;
  #file: FileHandle;
  #inode: number;
  /** Octets that are durable: the file is cut to them before anything is written. */
  #length: number;
  #compacted: number;
  /** The file may hold what is not so, or what `#length` does not say: it is written anew before it is used. */
  #suspect = false;
  #queue: Waiting[] = [];
  /** Somebody wants the file written anew. */
  #rewrite: ((fault: JournalFault | null) => void)[] = [];
  #work: Promise<void> | null = null;

  private constructor(
    path: string,
    state: () => Iterable<object>,
    file: FileHandle,
    inode: number,
    length: number,
  ) {
    this.#path = path;
    this.#state = state;
    this.#file = file;
    this.#inode = inode;
    this.#length = length;
    this.#compacted = length;
  }

  /**
   * Opens the journal at `path`, mode 0600, and hands what it holds to `replay`. From then on `state` gives all that has
   * to be there after it was written anew. Rejects where the file cannot be read or made, or is of a later version.
   */
  static async open(
    path: string,
    replay: (found: Replay) => void,
    state: () => Iterable<object>,
  ): Promise<Journal> {
    const octets = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const { records, damaged, torn, goodLength } = decodeLines(octets);
    const version = (records[0] as { readonly journal?: number } | undefined)?.journal ?? VERSION;
    if (version > VERSION) throw new Error(`${path} was written by a later version of namegate`);
    let copy: string | null = null;
    if (damaged.length > 0) {
      copy = `${path}.damaged`;
      // A full disk must not keep the server from what can be read.
      await writeFile(copy, octets, { mode: 0o600 }).catch(() => {});
    }
    const file = await open(path, 'a+', 0o600);
    const { ino } = await file.stat();
    const journal = new Journal(path, state, file, ino, goodLength);
    replay({ records: records.filter((record) => !('journal' in record)), damaged, torn, copy });
    const fault = await journal.rewrite();
    if (fault !== null && torn) await journal.#cut();
    return journal;
  }

  /** Makes a record durable and puts it in force by `apply`; or gives the fault, and nothing of it stays. */
  append(record: object, apply: () => void): Promise<JournalFault | null> {
    return this.#append({ line: encodeLine(record), apply, stands: false });
  }

  /**
   * Makes durable what is in force already, such as an end. Where that fails, nothing else is written before the file has
   * been written anew without it: what came after it must not meet it again after a restart.
   */
  record(record: object): Promise<JournalFault | null> {
    return this.#append({ line: encodeLine(record), apply: () => {}, stands: true });
  }

  /** What is in force is not what the file says: `rewrite` mends that, and so does the next `append`. */
  get behind(): boolean {
    return this.#suspect;
  }

  #append(waiting: Omit<Waiting, 'settle'>): Promise<JournalFault | null> {
    return new Promise((settle) => {
      this.#queue.push({ ...waiting, settle });
      this.#start();
    });
  }

  /** Writes the file anew from what is in force. */
  rewrite(): Promise<JournalFault | null> {
    return new Promise((settle) => {
      this.#rewrite.push(settle);
      this.#start();
    });
  }

  /** Waits for what is being written, and closes the file. */
  async close(): Promise<void> {
    while (this.#work !== null) await this.#work;
    await this.#file.close();
  }

  #start(): void {
    this.#work ??= this.#run().finally(() => {
      this.#work = null;
      if (this.#queue.length > 0 || this.#rewrite.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    // Whoever asks in this turn is in the first batch.
    await null;
    while (this.#queue.length > 0 || this.#rewrite.length > 0) {
      const wanted = this.#rewrite;
      this.#rewrite = [];
      const fault = wanted.length > 0 || (await this.#needsRewrite()) ? await this.#compact() : null;
      for (const settle of wanted) settle(fault);
      const batch = this.#queue;
      this.#queue = [];
      if (batch.length === 0) continue;
      const failed = this.#suspect ? (fault ?? SUSPECT) : await this.#write(batch);
      if (failed === null) for (const { apply } of batch) apply();
      else if (batch.some(({ stands }) => stands)) this.#suspect = true;
      for (const { settle } of batch) settle(failed);
    }
  }

  async #needsRewrite(): Promise<boolean> {
    if (this.#suspect) return true;
    if (this.#length > COMPACT_FROM && this.#length > 4 * this.#compacted) return true;
    // Somebody may have moved the file away: what is written into it would be gone.
    const there = await stat(this.#path).catch(() => null);
    if (there?.ino === this.#inode) return false;
    this.#suspect = true;
    return true;
  }

  /** Null when the batch is durable. */
  async #write(batch: readonly Waiting[]): Promise<JournalFault | null> {
    const octets = Buffer.concat(batch.map(({ line }) => line));
    try {
      for (let at = 0; at < octets.length; ) {
        const { bytesWritten } = await this.#file.write(octets, at);
        at += bytesWritten;
      }
    } catch (error) {
      await this.#cut();
      return faultOf(error);
    }
    try {
      await this.#file.datasync();
    } catch (error) {
      // What the kernel could not write it may have dropped: this file is not to be trusted any more.
      await this.#cut();
      this.#suspect = true;
      return faultOf(error);
    }
    this.#length += octets.length;
    return null;
  }

  /** Takes back what was written behind the last durable record. */
  async #cut(): Promise<void> {
    try {
      await this.#file.truncate(this.#length);
      await this.#file.datasync();
    } catch {
      this.#suspect = true;
    }
  }

  async #compact(): Promise<JournalFault | null> {
    const temporary = `${this.#path}.new`;
    let file: FileHandle | null = null;
    try {
      await unlink(temporary).catch(() => {});
      // `a+`: this handle goes on as the journal's own.
      file = await open(temporary, 'ax+', 0o600);
      const octets = Buffer.concat([
        encodeLine({ journal: VERSION }),
        ...Array.from(this.#state(), encodeLine),
      ]);
      for (let at = 0; at < octets.length; ) at += (await file.write(octets, at)).bytesWritten;
      await file.sync();
      const { ino } = await file.stat();
      await rename(temporary, this.#path);
      await syncFolder(dirname(this.#path));
      await this.#file.close().catch(() => {});
      this.#file = file;
      this.#inode = ino;
      this.#length = octets.length;
      this.#compacted = octets.length;
      this.#suspect = false;
      return null;
    } catch (error) {
      await file?.close().catch(() => {});
      await unlink(temporary).catch(() => {});
      return faultOf(error);
    }
  }
}

const SUSPECT: JournalFault = { code: 'EIO', message: 'the journal could not be written anew after a fault' };

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function faultOf(error: unknown): JournalFault {
  const { code, message } = error as NodeJS.ErrnoException;
  return { code: code ?? 'EIO', message };
}

/** The journal's place in a state folder. */
export function journalPath(folder: string): string {
  return join(folder, 'leases.journal');
}
