import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

/** Both ends of DNS in network namespaces: programs of `inside-process.ts`, spoken to by lines. */

/** What became of one question. */
export interface Result {
  readonly name: string;
  readonly rcode: string;
  /** The upstream's address is in the answer. */
  readonly good: boolean;
  readonly stale: boolean;
  /** Milliseconds. */
  readonly took: number;
}

/** Starts an upstream at an address of a namespace, whose answers live `ttl` seconds. Returns its port. */
export async function upstreamInside(t: Test, namespace: string, host: string, ttl: number): Promise<number> {
  const child = inside(t, namespace, ['upstream', host, String(ttl)]);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('close', () => reject(new Error('the upstream did not start')));
  });
  return (JSON.parse(line) as { port: number }).port;
}

/** A client at the loopback address of a namespace, on one UDP socket. */
export class ClientInside {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<string, (result: Result) => void>();

  constructor(t: Test, namespace: string, port: number) {
    this.#child = inside(t, namespace, ['client', '127.0.0.1', String(port)]);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const result = JSON.parse(line) as Result;
      this.#waiting.get(result.name)?.(result);
      this.#waiting.delete(result.name);
    });
  }

  /** One question about a name at a time. */
  ask(name: string): Promise<Result> {
    return new Promise((resolve) => {
      this.#waiting.set(name, resolve);
      this.#child.stdin.write(`${name}\n`);
    });
  }
}

function inside(
  t: Test,
  namespace: string,
  words: readonly string[],
): ChildProcessByStdio<Writable, Readable, null> {
  const program = fileURLToPath(new URL('inside-process.ts', import.meta.url));
  const command = [
    'netns',
    'exec',
    namespace,
    'env',
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    program,
    ...words,
  ];
  const child = spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended;
  });
  return child;
}
