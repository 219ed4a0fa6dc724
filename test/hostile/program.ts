import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

/** A program of this folder in a process of its own, which ends with the test. */
export interface Program {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  /** Ends it now; resolves when it has ended. */
  end(): Promise<void>;
  /** The first line that it writes; rejects where it ends without one. */
  firstLine(): Promise<string>;
}

/** Starts one of this folder's files, in a network namespace perhaps. */
export function program(t: Test, file: string, words: readonly string[], namespace?: string): Program {
  const path = fileURLToPath(new URL(file, import.meta.url));
  // The test runner puts its own modules into every Node below it.
  const node = ['env', '-u', 'NODE_OPTIONS', process.execPath, path, ...words];
  const [command = '', ...rest] =
    namespace === undefined ? node : ['ip', 'netns', 'exec', namespace, ...node];
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = (): Promise<void> => {
    child.kill('SIGKILL');
    return ended;
  };
  t.teardown(end);
  return {
    child,
    end,
    firstLine: () =>
      new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', resolve);
        void ended.then(() => reject(new Error(`${file} did not start`)));
      }),
  };
}
