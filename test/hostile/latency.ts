import { spawnSync } from 'node:child_process';
import type { Place } from '../server/client.ts';
import { Client } from '../server/client.ts';
import { type Namegate, pause } from '../server/namegate.ts';

/** How long questions take, and how two conditions are compared on a machine that does other work too. */

/** The value below which the share `p` of the samples lies. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export interface Sampling {
  /** The client's address. */
  readonly from: string;
  /** The name that the n-th sample asks for. */
  readonly name: (n: number) => string;
  /** Milliseconds between an answer and the next question. */
  readonly gap: number;
}

/** Asks one question after the other on one UDP socket, and keeps how long each took. Throws where one is not answered well. */
export class Sampler {
  readonly #client: Client;
  readonly #sampling: Sampling;
  #count = 0;

  private constructor(client: Client, sampling: Sampling) {
    this.#client = client;
    this.#sampling = sampling;
  }

  static async open(place: Place, sampling: Sampling): Promise<Sampler> {
    return new Sampler(await Client.open(place, 'udp', sampling.from), sampling);
  }

  /** Milliseconds that one question took. */
  async one(): Promise<number> {
    const { name, gap } = this.#sampling;
    const asked = name(this.#count++);
    const from = performance.now();
    const reply = await this.#client.ask(asked);
    const took = performance.now() - from;
    if (reply.rcode !== 'NOERROR' || reply.answer.length === 0) throw new Error(`${asked}: ${reply.rcode}`);
    if (gap > 0) await pause(gap);
    return took;
  }

  async many(count: number): Promise<number[]> {
    const samples: number[] = [];
    for (let i = 0; i < count; i++) samples.push(await this.one());
    return samples;
  }

  close(): void {
    this.#client.close();
  }
}

/**
 * Measures until a value is within its bound, `attempts` times at most, and returns the best: what else runs on the
 * machine comes and goes, a fault of the server's stays.
 */
export async function best(
  bound: number,
  attempts: number,
  measure: (attempt: number) => Promise<number>,
): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attempts && !(least <= bound); attempt++) {
    least = Math.min(least, await measure(attempt));
  }
  return least;
}

/** Whether processes may be scheduled in real time: as root, outside of most containers. */
export const REAL_TIME = spawnSync('chrt', ['--fifo', '1', 'true']).status === 0;

/**
 * The server and this process, which takes the times, have the processor before all that else runs on the machine. Without
 * the right to it, measurements are noisier, no more.
 */
export function prefer(server: Namegate): void {
  if (!REAL_TIME) return;
  for (const pid of [server.child.pid, process.pid]) {
    spawnSync('chrt', ['--fifo', '--reset-on-fork', '--pid', '10', String(pid)]);
  }
}
