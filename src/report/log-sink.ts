import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Milliseconds } from '../wire/quantity.ts';

/** Characters at which the buffer is written at once. */
const FULL = 4096;
/** The longest that a line waits otherwise. */
const FLUSH_MS: Milliseconds = 200;
/** Characters that may wait for a reader that stalls; then lines are dropped and counted. */
const MAX_WAITING = 1024 * 1024;
/** How long the last flush waits for a reader that stalls. */
const LAST_FLUSH_MS: Milliseconds = 500;

/**
 * Lines to a descriptor, gathered for a moment, bounded, and written without waiting for a reader: a pager that
 * stands still or a full disk costs lines, never queries, and the process ends when it is told to.
 *
 * Own code because pino's destination (sonic-boom 4) does not end: at exit its `flushSync` tries for ever on
 * EPIPE (`namegate serve | head`) and ENOSPC, and a write of its that blocks in the thread pool holds up
 * `process.exit`. test/report/log-sink.test.ts has the cases.
 */
export class Sink {
  /** Lines that were lost. */
  dropped = 0;
  readonly #fd: number;
  readonly #owned: boolean;
  /** Waits to be written; `#lines` of them. */
  #text = '';
  #lines = 0;
  /** Is being written; the rest of `#restLines` lines. */
  #rest: Buffer | null = null;
  #restLines = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  readonly #atExit = (): void => this.#lastFlush();

  /** `fd`: 1, 2 or another open descriptor, which stays the caller's. */
  constructor(fd: number) {
    const own = openWithoutWaiting(fd);
    this.#owned = own !== null;
    this.#fd = own ?? fd;
    process.on('exit', this.#atExit);
  }

  /** Takes one line, its newline included. */
  write(line: string): void {
    if (this.#closed || this.#text.length + (this.#rest?.length ?? 0) + line.length > MAX_WAITING) {
      this.dropped++;
      return;
    }
    this.#text += line;
    this.#lines++;
    if (this.#text.length >= FULL && this.#rest === null) this.flush();
    else this.#timer ??= setTimeout(() => this.#flushLater(), FLUSH_MS).unref();
  }

  /** Writes what waits, as far as the reader takes it now. Returns whether nothing waits any more. */
  flush(): boolean {
    for (;;) {
      if (this.#rest === null) {
        if (this.#text === '') return true;
        this.#rest = Buffer.from(this.#text);
        this.#restLines = this.#lines;
        this.#text = '';
        this.#lines = 0;
      }
      try {
        const written = writeSync(this.#fd, this.#rest);
        this.#rest = written < this.#rest.length ? this.#rest.subarray(written) : null;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
          this.#timer ??= setTimeout(() => this.#flushLater(), FLUSH_MS).unref();
          return false;
        }
        // The reader is gone or the disk is full. It may come back; these lines do not.
        this.dropped += this.#restLines;
        this.#rest = null;
      }
    }
  }

  /** Flushes for the last time; later lines are dropped. */
  close(): void {
    if (this.#closed) return;
    this.#lastFlush();
    this.#closed = true;
    process.off('exit', this.#atExit);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#owned) closeSync(this.#fd);
  }

  #flushLater(): void {
    this.#timer = null;
    this.flush();
  }

  #lastFlush(): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; !this.flush() && waited < LAST_FLUSH_MS; waited += 10) Atomics.wait(pause, 0, 0, 10);
    this.dropped += this.#restLines * (this.#rest === null ? 0 : 1) + this.#lines;
  }
}

/**
 * Makes writing to `fd` never wait, where it is a pipe, a socket (journald) or a terminal. Returns a descriptor of
 * our own to use instead, or null. Files do not stall.
 */
function openWithoutWaiting(fd: number): number | null {
  // Node's getters set O_NONBLOCK on pipes and sockets, and its exit takes that back.
  if (fd === 1) void process.stdout;
  if (fd === 2) void process.stderr;
  if (!isatty(fd)) return null;
  try {
    // A terminal that is stopped with Ctrl-S; the shell shares it, so its own flags stay as they are.
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return null;
  }
}
