import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { until } from './rig.ts';

const PROCESS = fileURLToPath(new URL('./stdout-process.ts', import.meta.url));
const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** A process whose standard output is a sink, and its reader: that of a named pipe, which goes and comes, or of a socket. */
export class StdoutReader {
  readonly #child: ChildProcess;
  readonly #fifo: string;
  #end = -1;
  #text = '';
  #said = '';

  /** `count`: events of one `deny`. `to`: `pipe`, `socket`, or a device. */
  constructor(t: Test, count: number, to = 'pipe') {
    this.#fifo = join(t.testdir(), 'out');
    let own = -1;
    if (to === 'pipe') {
      execFileSync('mkfifo', [this.#fifo]);
      this.come();
      own = openSync(this.#fifo, O_WRONLY);
    } else if (to !== 'socket') own = openSync(to, O_WRONLY);
    const command = ['-u', 'NODE_OPTIONS', process.execPath, PROCESS, String(count)];
    // Node gives its children a socket as a pipe.
    this.#child = spawn('env', command, { stdio: ['pipe', own < 0 ? 'pipe' : own, 'pipe'] });
    if (own >= 0) closeSync(own);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
    t.teardown(async () => {
      this.leave();
      this.#child.stdout?.resume();
      const ended = new Promise((resolve) => this.#child.once('close', resolve));
      this.#child.stdin?.end();
      await ended;
    });
  }

  /** The process has as many events more. */
  deny(): void {
    this.#child.stdin?.write('\n');
  }

  /** Nobody reads any more. */
  leave(): void {
    if (this.#end >= 0) closeSync(this.#end);
    this.#end = -1;
  }

  /** Somebody is there to read. */
  come(): void {
    this.#end = openSync(this.#fifo, O_RDONLY | O_NONBLOCK);
  }

  async says(what: RegExp): Promise<void> {
    await until(`${what} in what it says`, () => what.test(this.#said)).catch((error: Error) => {
      throw new Error(`${error.message}: ${this.#said}`);
    });
  }

  /** Reads until so many lines are there; their numbers. */
  async seqs(count: number): Promise<number[]> {
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
    });
    const lines = (): string[] => this.#text.split('\n').slice(0, -1);
    await until(`${count} lines`, () => {
      if (this.#end >= 0) this.#read();
      return lines().length >= count;
    });
    return lines().map((line) => (JSON.parse(line) as { seq: number }).seq);
  }

  #read(): void {
    const part = Buffer.alloc(65_536);
    for (;;) {
      try {
        const length = readSync(this.#end, part, 0, part.length, null);
        if (length === 0) return;
        this.#text += part.toString('latin1', 0, length);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
        throw error;
      }
    }
  }
}
