import type { Test } from 'tap';
import { ask, type Transport } from '../server/client.ts';
import { type Namegate, pause } from '../server/namegate.ts';
import { program } from './program.ts';

/** Many TCP connections to a server, made by another process. */
export interface Crowd {
  /** Connections that came to be, and those of them and of the others that are over. */
  readonly connected: number;
  readonly ended: number;
  leave(): Promise<void>;
}

export interface CrowdOptions {
  readonly count: number;
  /** Client addresses, from 127.1.0.1 up; at most 250. */
  readonly addresses: number;
  readonly kind: 'idle' | 'slow';
}

export function crowd(t: Test, server: Namegate, { count, addresses, kind }: CrowdOptions): Crowd {
  const words = [server.tcp, count, addresses, kind].map(String);
  const { child, end: leave } = program(t, 'crowd-process.ts', words);
  const seen = { connected: 0, ended: 0 };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    const last = lines.at(-1);
    if (last !== undefined) Object.assign(seen, JSON.parse(last));
  });
  return {
    get connected() {
      return seen.connected;
    },
    get ended() {
      return seen.ended;
    },
    leave,
  };
}

/** A client of the identity that works: a question on a new socket, over TCP and UDP in turn, until it is told to stop. */
export class Worker {
  answered = 0;
  /** What was not answered well. */
  readonly failed: string[] = [];
  readonly #done: Promise<void>;
  #going = true;

  constructor(server: Namegate, name: (n: number) => string, from: string) {
    this.#done = this.#run(server, name, from);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  async #run(server: Namegate, name: (n: number) => string, from: string): Promise<void> {
    for (let n = 0; this.#going; n++) {
      const over: Transport = n % 2 === 0 ? 'tcp' : 'udp';
      try {
        const { rcode } = await ask(server, name(n), { over, from, patience: 3000 });
        if (rcode === 'NOERROR') this.answered++;
        else this.failed.push(`${over}: ${rcode}`);
      } catch (error) {
        this.failed.push(`${over}: ${String(error)}`);
      }
      await pause(2);
    }
  }
}
