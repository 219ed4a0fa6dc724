import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { waitedOf } from '../../bench/cpu.ts';
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

  /** It ends with the test. */
  static async open(t: Test, place: Place, sampling: Sampling): Promise<Sampler> {
    const client = await Client.open(place, 'udp', sampling.from);
    t.teardown(() => client.close());
    return new Sampler(client, sampling);
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
}

/** Whether processes may be scheduled in real time: as root, outside of most containers. */
export const REAL_TIME = spawnSync('chrt', ['--fifo', '1', 'true']).status === 0;

/**
 * Milliseconds that a percentile may be over its bound whatever the base is: what the machine's scheduler and interrupts
 * add to one answer in a hundred by themselves. Half of one where `prefer` works, else some.
 */
export const SLACK_MS = REAL_TIME ? 0.5 : 4;

/** A measurement is made again so often at most: what else runs on the machine comes and goes, a fault of the server's stays. */
const ATTEMPTS = 3;

/** The 99th percentiles of some rounds, in milliseconds: undisturbed, and beside what is judged. */
export interface Rounds {
  readonly base: readonly number[];
  readonly beside: readonly number[];
  /** Why this measurement says nothing, if it does not. */
  readonly void?: string;
}

/** Holds the median of `beside` to `times` the median of `base`, or to SLACK_MS over it where that is more. */
export function holdTo(t: Test, what: string, times: number, measure: () => Promise<Rounds>): Promise<void> {
  const ms = (values: readonly number[]): string => values.map((value) => value.toFixed(2)).join(' ');
  return hold(t, async () => {
    const rounds = await measure();
    const [base, beside] = [median(rounds.base), median(rounds.beside)];
    const bound = Math.max(base * times, base + SLACK_MS);
    t.comment(`${what}: p99 ${ms(rounds.base)} ms undisturbed, ${ms(rounds.beside)} ms beside it`);
    const text = `${what}: p99 ${beside.toFixed(2)} ms is ${(beside / base).toFixed(2)} times the undisturbed one; the bound is ${bound.toFixed(2)} ms`;
    return { good: rounds.void === undefined && beside <= bound, text: rounds.void ?? text };
  });
}

/** Holds the longest of some times to a bound, in milliseconds. */
export function holdLongest(
  t: Test,
  what: string,
  bound: number,
  measure: () => Promise<number>,
): Promise<void> {
  return hold(t, async () => {
    const longest = await measure();
    return {
      good: longest <= bound,
      text: `${what}: ${longest.toFixed(1)} ms at most; the bound is ${bound} ms`,
    };
  });
}

async function hold(t: Test, measure: () => Promise<{ good: boolean; text: string }>): Promise<void> {
  let last = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const { good, text } = await measure();
    if (good) {
      t.pass(text);
      return;
    }
    t.comment(`measurement ${attempt} of ${ATTEMPTS} failed: ${text}`);
    last = text;
  }
  t.fail(last);
}

/**
 * The server and this process, which takes the times, have the processor before all that else runs on the machine. Without
 * the right to it, measurements are noisier, no more.
 */
export function prefer(server: Namegate): void {
  if (!REAL_TIME) return;
  for (const pid of [server.child.pid!, process.pid]) {
    // One that waits for the collector's others waits for all that has the processor before those. The feed's worker has no claim:
    // before all else, it would take the processor from the query thread too.
    for (const task of tasksOf(pid))
      spawnSync('chrt', ['--fifo', '--reset-on-fork', '--pid', '10', String(task)]);
  }
}

/**
 * Milliseconds that the server's query thread and this test's could run and had no processor, together, since they began
 * (/proc/PID/schedstat); 0 where the kernel does not say.
 */
export function keptFromRunning(server: Namegate): number {
  try {
    return waitedOf(server.child.pid!) + waitedOf(process.pid);
  } catch {
    return 0;
  }
}

/** Threads of a process, but for workers of Node's, which are named so. */
function tasksOf(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).filter(
    (task) => readFileSync(`${folder}/${task}/comm`, 'utf8').trim() !== 'WorkerThread',
  );
}

/** Takes that back: threads that shared the processor so unevenly were seen to stand still for seconds at the server's end. */
export function share(server: Namegate): void {
  if (!REAL_TIME) return;
  for (const pid of [server.child.pid, process.pid]) {
    spawnSync('chrt', ['--all-tasks', '--other', '--pid', '0', String(pid)]);
  }
}
