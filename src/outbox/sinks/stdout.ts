import { constants, fstatSync, write } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { StdoutSinkSetting as StdoutSetting } from '../../settings/alert-settings.ts';
import { streamCalls } from '../../socket/stream-calls.ts';
import type { Placed } from '../event.ts';
import { FORMATS } from '../formats/format.ts';
import { jsonText } from '../formats/json-text.ts';
import { type EventSink, reasonOf, retry, type Sending, type SinkClock } from './sink.ts';

const writeTo = promisify(write);

/**
 * JSON lines on the standard output. process.stdout of a worker writes on the query thread, so this writes by itself, and never
 * waits for a reader: to a pipe over a description of its own, to a socket (journald's) as much as it takes at once.
 */
export class StdoutSink implements EventSink {
  readonly #setting: StdoutSetting;
  readonly #clock: SinkClock;
  #file: FileHandle | null = null;
  #descriptor: number | null = null;
  #isSocket = false;
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
    } catch (error) {
      return retry(`standard output: ${reasonOf(error)}`);
    }
    if (this.#rest.length > 0) {
      const { left, reason } = await this.#write(this.#rest);
      this.#rest = left;
      if (reason !== null) return retry(reason);
      return { accepted: batch[0]?.event.id === this.#restId ? 1 : 0, dead: [], trouble: null };
    }
    const now = this.#clock.now();
    const format = FORMATS[this.#setting.format];
    const lines = batch.map(({ event }) => Buffer.from(`${jsonText(format(event, now))}\n`));
    const all = Buffer.concat(lines);
    const { left, reason } = await this.#write(all);
    if (reason === null) return { accepted: batch.length, dead: [], trouble: null };
    let written = all.length - left.length;
    let accepted = 0;
    while (written >= lines[accepted]!.length) written -= lines[accepted++]!.length;
    if (written > 0) {
      this.#rest = lines[accepted]!.subarray(written);
      this.#restId = batch[accepted]!.event.id;
    }
    return retry(reason, accepted);
  }

  async renew(): Promise<boolean> {
    return false;
  }

  close(): void {
    void this.#file?.close().catch(() => undefined);
  }

  async #open(): Promise<number> {
    const kind = fstatSync(1);
    this.#isSocket = kind.isSocket() && streamCalls() !== null;
    if (!kind.isFIFO()) return 1;
    try {
      this.#file = await open('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
      return this.#file.fd;
    } catch {
      return 1;
    }
  }

  /** Gives what could not be written now, and why; null where all was. */
  async #write(octets: Buffer): Promise<{ readonly left: Buffer; readonly reason: string | null }> {
    let left = octets;
    try {
      while (left.length > 0) left = left.subarray(await this.#writeSome(left));
      return { left, reason: null };
    } catch (error) {
      const isSlow = /^(EAGAIN|EWOULDBLOCK)$/.test((error as NodeJS.ErrnoException).code ?? '');
      const reason = isSlow ? 'its reader is slow' : reasonOf(error);
      return { left, reason: `standard output: ${reason}` };
    }
  }

  async #writeSome(octets: Buffer): Promise<number> {
    if (this.#isSocket) return sendNow(octets);
    const { bytesWritten } = (await writeTo(this.#descriptor!, octets)) as unknown as {
      bytesWritten: number;
    };
    return bytesWritten;
  }
}

function sendNow(octets: Buffer): number {
  const calls = streamCalls()!;
  const sent = calls.sendNow(1, octets);
  if (sent >= 0) return sent;
  const code = calls.errorName(-sent);
  throw Object.assign(new Error(`it takes nothing: ${code}`), { code });
}
