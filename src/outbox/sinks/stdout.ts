import { constants, fstatSync, write } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { StdoutSinkSetting as StdoutSetting } from '../../settings/alerts.ts';
import type { Placed } from '../event.ts';
import { FORMATS } from '../formats/format.ts';
import { jsonText } from '../formats/json-text.ts';
import { type EventSink, reasonOf, retry, type Sending, type SinkClock } from './sink.ts';

const writeTo = promisify(write);

/**
 * JSON lines on the standard output. process.stdout of a worker writes on the query thread, so this writes by itself: to a
 * description of its own that does not block, where the system gives one.
 */
export class StdoutSink implements EventSink {
  readonly #setting: StdoutSetting;
  readonly #clock: SinkClock;
  #file: FileHandle | null = null;
  #descriptor: number | null = null;
  /** What is left of a line that was written in part, and the event whose line it is. */
  #rest: Buffer = Buffer.alloc(0);
  #restId = '';

  constructor(setting: StdoutSetting, clock: SinkClock) {
    this.#setting = setting;
    this.#clock = clock;
  }

  async send(batch: readonly Placed[]): Promise<Sending> {
    try {
      this.#descriptor ??= await this.#open();
      if (this.#rest.length > 0) {
        this.#rest = await this.#write(this.#rest);
        if (this.#rest.length > 0) return retry('the reader of the standard output is slow');
        return { accepted: batch[0]?.event.id === this.#restId ? 1 : 0, dead: [], trouble: null };
      }
      const now = this.#clock.now();
      const format = FORMATS[this.#setting.format];
      const lines = batch.map(({ event }) => Buffer.from(`${jsonText(format(event, now))}\n`));
      const all = Buffer.concat(lines);
      let written = all.length - (await this.#write(all)).length;
      if (written === all.length) return { accepted: batch.length, dead: [], trouble: null };
      let accepted = 0;
      while (written >= lines[accepted]!.length) written -= lines[accepted++]!.length;
      if (written > 0) {
        this.#rest = lines[accepted]!.subarray(written);
        this.#restId = batch[accepted]!.event.id;
      }
      return retry('the reader of the standard output is slow', accepted);
    } catch (error) {
      return retry(`standard output: ${reasonOf(error)}`);
    }
  }

  async renew(): Promise<boolean> {
    return false;
  }

  close(): void {
    void this.#file?.close().catch(() => undefined);
  }

  async #open(): Promise<number> {
    const kind = fstatSync(1);
    if (!kind.isFIFO()) return 1;
    try {
      this.#file = await open('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
      return this.#file.fd;
    } catch {
      return 1;
    }
  }

  /** Returns what could not be written now. */
  async #write(octets: Buffer): Promise<Buffer> {
    let left = octets;
    while (left.length > 0) {
      try {
        const { bytesWritten } = (await writeTo(this.#descriptor!, left)) as unknown as {
          bytesWritten: number;
        };
        left = left.subarray(bytesWritten);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return left;
        throw error;
      }
    }
    return left;
  }
}
