import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileSinkSetting as FileSetting } from '../../settings/alert-settings.ts';
import type { Placed } from '../event.ts';
import { FORMATS } from '../formats/format.ts';
import { jsonText } from '../formats/json-text.ts';
import { type EventSink, reasonOf, retry, type Sending, type SinkClock } from './sink.ts';

const MODE = 0o640;
/** Octets at the end of a file in which the last line's end is looked for. */
const TAIL = 1024 * 1024;

/**
 * JSON lines in a file. A file that is larger than its size becomes `PATH.1`, that `PATH.2`, and so on. A file that somebody
 * else has moved away is begun anew, and so is each at a reload (SIGHUP).
 */
export class FileSink implements EventSink {
  readonly #setting: FileSetting;
  readonly #isDurable: boolean;
  readonly #clock: SinkClock;
  #file: FileHandle | null = null;
  /** Ends when the last call is done: one that closes the file waits for one that writes to it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(setting: FileSetting, isDurable: boolean, clock: SinkClock) {
    this.#setting = setting;
    this.#isDurable = isDurable;
    this.#clock = clock;
  }

  async send(batch: readonly Placed[]): Promise<Sending> {
    return this.#inTurn(() => this.#write(batch));
  }

  async renew(): Promise<boolean> {
    await this.#inTurn(() => this.#leave());
    return true;
  }

  close(): void {
    void this.#inTurn(() => this.#leave());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #write(batch: readonly Placed[]): Promise<Sending> {
    let file: FileHandle | null = null;
    let before = 0;
    try {
      file = await this.#ready();
      before = (await file.stat()).size;
      const now = this.#clock.now();
      const format = FORMATS[this.#setting.format];
      const text = batch.map(({ event }) => `${jsonText(format(event, now))}\n`).join('');
      await file.appendFile(text);
      if (this.#isDurable) await file.datasync();
      return { accepted: batch.length, dead: [], trouble: null };
    } catch (error) {
      // Half a line is taken back: all of the batch is written again.
      await file?.truncate(before).catch(() => undefined);
      await this.#leave();
      return retry(`${this.#setting.path}: ${reasonOf(error)}`);
    }
  }

  /** The file as it is to be written now. */
  async #ready(): Promise<FileHandle> {
    const { path, size } = this.#setting;
    if (this.#file !== null) {
      const [own, there] = [await this.#file.stat(), await stat(path).catch(() => null)];
      if (there === null || there.ino !== own.ino || there.dev !== own.dev) await this.#leave();
      else if (own.size >= size) {
        await this.#leave();
        await this.#rotate();
      }
    }
    this.#file ??= await this.#open();
    return this.#file;
  }

  async #open(): Promise<FileHandle> {
    const { path } = this.#setting;
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    // A pipe that nobody reads must not hold a thread.
    const { O_RDWR, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
    const file = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK, MODE);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new Error('it is no regular file');
      if (found.size === 0) await file.chmod(MODE);
      await dropTornLine(file, found.size);
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#setting;
    if (keep === 0) await rm(path, { force: true });
    for (let i = keep; i > 0; i--) {
      const from = i === 1 ? path : `${path}.${i - 1}`;
      await rename(from, `${path}.${i}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }

  async #leave(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => undefined);
  }
}

/** What a process did not finish is no line. Its events are sent again. */
async function dropTornLine(file: FileHandle, size: number): Promise<void> {
  const length = Math.min(TAIL, size);
  const tail = Buffer.alloc(length);
  await file.read(tail, 0, length, size - length);
  if (length === 0 || tail[length - 1] === 0x0a) return;
  const end = tail.lastIndexOf(0x0a);
  if (end >= 0 || length === size) await file.truncate(size - length + end + 1);
  else await file.appendFile('\n');
}
