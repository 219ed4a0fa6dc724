import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';
import { program } from './program.ts';

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
  const line = await program(t, 'inside-process.ts', ['upstream', host, String(ttl)], namespace).firstLine();
  return (JSON.parse(line) as { port: number }).port;
}

/** A client at the loopback address of a namespace, on one UDP socket. */
export class ClientInside {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<string, (result: Result) => void>();

  constructor(t: Test, namespace: string, port: number) {
    this.#child = program(t, 'inside-process.ts', ['client', '127.0.0.1', String(port)], namespace).child;
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
