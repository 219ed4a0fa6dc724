import { dirname, join } from 'node:path';
import { DISK, type Disk, type DiskFile } from './disk.ts';
import { type Damage, decodeLines, encodeLine, NO_CHAIN } from './lines.ts';

/** What a journal held when it was opened. */
export interface Replay {
  readonly records: readonly object[];
  readonly damaged: readonly Damage[];
  /** The last line was cut off while it was written. */
  readonly torn: boolean;
  /** Where the file is kept as it was found damaged; null where it was not, or could not be kept. */
  readonly copy: string | null;
}

/** Why something could not be made durable: the system's error. */
export interface JournalFault {
  /** ENOSPC, EDQUOT, EIO, … */
  readonly code: string;
  readonly message: string;
}

export interface JournalOptions {
  /** All that has to be there after the file was written anew. */
  readonly state: () => Iterable<object>;
  /** Hears when writing begins to fail, fails in another way, or is well again (null). */
  readonly told?: (fault: JournalFault | null) => void;
  readonly disk?: Disk;
}

interface Waiting {
  readonly record: object;
  /** Puts the record in force; runs before anybody else hears of it, and before a compaction asks for the state. */
  readonly apply: () => void;
  /** It is in force whether or not it can be written. */
  readonly stands: boolean;
  readonly settle: (fault: JournalFault | null) => void;
}

/** Octets from which a journal is written anew, if four times as large as it was then. */
const COMPACT_FROM = 1 << 20;
const VERSION = 2;

/**
 * An append-only file of records that outlive a crash at any moment. What waits at once is written and synced at once (group
 * commit). From time to time the file is written anew from what is in force: a temporary file, synced, renamed, and the
 * folder synced. Nothing of a batch that could not be written stays, in the file or in force. Each line names the checksum of
 * the one in front of it, so that what is gone is seen.
 */
export class Journal {
  readonly #path: string;
  readonly #state: () => Iterable<object>;
  readonly #disk: Disk;
  readonly #told: (fault: JournalFault | null) => void;
  #file: DiskFile;
  #inode: number;
  /** Octets that are durable: the file is cut to them before anything is written. */
  #length: number;
  /** Checksum of the last durable record. */
  #chain: string;
  #compacted: number;
  /** The file may hold what is not so, or what `#length` does not say: it is written anew before it is used. */
  #suspect = false;
  /** Why the last try to write failed, or null where it did not. */
  #fault: JournalFault | null = null;
  #queue: Waiting[] = [];
  /** Somebody wants the file written anew. */
  #rewrite: ((fault: JournalFault | null) => void)[] = [];
  #work: Promise<void> | null = null;

  private constructor(
    path: string,
    { state, told = () => {}, disk = DISK }: JournalOptions,
    file: DiskFile,
    inode: number,
    { length, chain }: { readonly length: number; readonly chain: string },
  ) {
    this.#path = path;
    this.#state = state;
    this.#told = told;
    this.#disk = disk;
    this.#file = file;
    this.#inode = inode;
    this.#length = length;
    this.#chain = chain;
    this.#compacted = length;
  }

  /**
   * Opens the journal at `path`, mode 0600, and hands what it holds to `replay`. Rejects where the file cannot be read or
   * made, or is of a later version. A file that is damaged is kept aside as it is.
   */
  static async open(
    path: string,
    replay: (found: Replay) => void,
    options: JournalOptions,
  ): Promise<Journal> {
    const { disk = DISK } = options;
    const octets = (await disk.read(path)) ?? Buffer.alloc(0);
    const { records, damaged, torn, goodLength, chain } = decodeLines(octets);
    const version = (records[0] as { readonly journal?: number } | undefined)?.journal ?? VERSION;
    if (version > VERSION) throw new Error(`${path} was written by a later version of namegate`);
    const copy = damaged.length === 0 ? null : await disk.keepAside(path);
    const file = await disk.open(path, false);
    const journal = new Journal(path, options, file, await file.inode(), { length: goodLength, chain });
    // Nothing is written behind what is damaged or lacks its line end, nor into the file that is kept aside.
    const ends = goodLength === 0 || octets[goodLength - 1] === 0x0a;
    if (damaged.length > 0 || !ends) journal.#suspect = true;
    replay({ records: records.filter((record) => !('journal' in record)), damaged, torn, copy });
    const fault = await journal.rewrite();
    if (fault !== null && !journal.#suspect) await journal.#cut();
    return journal;
  }

  /** Makes a record durable and puts it in force by `apply`; or gives the fault, and nothing of it stays. */
  append(record: object, apply: () => void): Promise<JournalFault | null> {
    return this.#append({ record, apply, stands: false });
  }

  /**
   * Makes durable what is in force already, such as an end. Where that fails, nothing else is written before the file has
   * been written anew without it: what came after it must not meet it again after a restart.
   */
  record(record: object): Promise<JournalFault | null> {
    return this.#append({ record, apply: () => {}, stands: true });
  }

  /** The file does not say what is in force, or the last try to write failed: `rewrite` mends that once it can. */
  get behind(): boolean {
    return this.#suspect || this.#fault !== null;
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
      const fault = wanted.length > 0 || this.#needsRewrite() ? await this.#compact() : null;
      if (fault !== null) this.#tell(fault);
      else if (wanted.length > 0) this.#tell(null);
      for (const settle of wanted) settle(fault);
      const batch = this.#queue;
      this.#queue = [];
      if (batch.length === 0) continue;
      const failed = this.#suspect ? (fault ?? SUSPECT) : await this.#writeHere(batch);
      this.#tell(failed);
      if (failed === null) for (const { apply } of batch) apply();
      else if (batch.some(({ stands }) => stands)) this.#suspect = true;
      for (const { settle } of batch) settle(failed);
    }
  }

  #tell(fault: JournalFault | null): void {
    if (fault?.code === this.#fault?.code) return;
    this.#fault = fault;
    this.#told(fault);
  }

  #needsRewrite(): boolean {
    return this.#suspect || (this.#length > COMPACT_FROM && this.#length > 4 * this.#compacted);
  }

  /** Null when the batch is durable in the file that the journal's path names. */
  async #writeHere(batch: readonly Waiting[]): Promise<JournalFault | null> {
    const before = { length: this.#length, chain: this.#chain };
    // Somebody may have moved the file away: what is written into it would be gone. Looked at meanwhile, since that costs less.
    const [fault, inode] = await Promise.all([this.#write(batch), this.#disk.inode(this.#path)]);
    if (inode === this.#inode) return fault;
    this.#suspect = true;
    this.#length = before.length;
    this.#chain = before.chain;
    await this.#cut();
    return (await this.#compact()) ?? (await this.#write(batch));
  }

  /** Null when the batch is durable. */
  async #write(batch: readonly Waiting[]): Promise<JournalFault | null> {
    const { octets, chain } = encodeAll(
      batch.map(({ record }) => record),
      this.#chain,
    );
    try {
      await writeAll(this.#file, octets);
    } catch (error) {
      await this.#cut();
      const fault = faultOf(error);
      // What the kernel could not write it may have dropped: this file is not to be trusted any more. For what it had no
      // room for it wrote nothing, and the cut is durable.
      if (!NO_ROOM.has(fault.code)) this.#suspect = true;
      return fault;
    }
    this.#length += octets.length;
    this.#chain = chain;
    return null;
  }

  /** Takes back what was written behind the last durable record. */
  async #cut(): Promise<void> {
    try {
      await this.#file.truncate(this.#length);
      await this.#file.sync();
    } catch {
      this.#suspect = true;
    }
  }

  async #compact(): Promise<JournalFault | null> {
    const temporary = `${this.#path}.new`;
    let file: DiskFile | null = null;
    try {
      await this.#disk.unlink(temporary).catch(() => {});
      // It goes on as the journal's own.
      file = await this.#disk.open(temporary, true);
      const { octets, chain } = encodeAll([{ journal: VERSION }, ...this.#state()], NO_CHAIN);
      await writeAll(file, octets);
      await file.sync();
      const inode = await file.inode();
      await this.#disk.rename(temporary, this.#path);
      await this.#disk.syncFolder(dirname(this.#path));
      await this.#file.close().catch(() => {});
      this.#file = file;
      this.#inode = inode;
      this.#length = octets.length;
      this.#chain = chain;
      this.#compacted = octets.length;
      this.#suspect = false;
      return null;
    } catch (error) {
      await file?.close().catch(() => {});
      await this.#disk.unlink(temporary).catch(() => {});
      return faultOf(error);
    }
  }
}

/** The disk, the quota or the limit on a file's size is reached (write(2)). */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

const SUSPECT: JournalFault = { code: 'EIO', message: 'the journal could not be written anew after a fault' };

async function writeAll(file: DiskFile, octets: Buffer): Promise<void> {
  for (let at = 0; at < octets.length; ) at += await file.write(octets, at);
}

/** Lines of records, each behind the one before. */
function encodeAll(
  records: readonly object[],
  first: string,
): { readonly octets: Buffer; readonly chain: string } {
  let chain = first;
  const lines = records.map((record) => {
    const line = encodeLine(record, chain);
    chain = line.chain;
    return line.octets;
  });
  return { octets: lines.length === 1 ? lines[0]! : Buffer.concat(lines), chain };
}

function faultOf(error: unknown): JournalFault {
  const { code, message } = error as NodeJS.ErrnoException;
  return { code: code ?? 'EIO', message };
}

/** The journal's place in a state folder. */
export function journalPath(folder: string): string {
  return join(folder, 'leases.journal');
}
