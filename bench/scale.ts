/**
 * How namegate grows: time until it is ready, memory and time a decision, from 1,000 to 1,000,000 names and from 1 to 10,000
 * identities; what ten reloads of the million names do to clients and to memory;
 * and what resident memory is while the answer store is filled. Linux, with dnsperf and NSD for the last.
 *
 *     npm run bench:scale -- [--only rules|identities|reload|memory]… [--reloads N] [--seconds N] [--json FILE]
 *
 * Each figure but the time of a decision is of a real server process. Policies are written to a folder that is removed
 * afterwards. Some three minutes; 1.5 GB of memory are enough.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuOf, rssOf, waitedOf } from './cpu.ts';
import type { DecisionTimes } from './decisions.ts';
import { judged, print, quantile, table } from './figures.ts';
import { printHelp } from './help.ts';
import { measureMemory } from './memory.ts';
import { listedName, rulesOf, type Scale, writeList, writeScale } from './policies.ts';
import type { Probed } from './prober.ts';
import { type Daemon, freePort, run, scratchFolder, sleep, start, until } from './processes.ts';

const PARTS = ['rules', 'identities', 'reload', 'memory'] as const;
type Part = (typeof PARTS)[number];

/** 1,000 names a list, each list used by one identity. */
const RULES: readonly Scale[] = [1, 10, 100, 1000].map((lists) => ({
  lists,
  namesAList: 1000,
  identities: lists,
  ownRule: false,
}));
/** The same 10,000 names in ten lists; every identity has a view of its own. */
const IDENTITIES: readonly Scale[] = [1, 10, 100, 1000, 10_000].map((identities) => ({
  lists: 10,
  namesAList: 1000,
  identities,
  ownRule: true,
}));
const MILLION = RULES.at(-1)!;

/** What a million names may cost. */
const TARGET = { ready: 4, rss: 400, own: 10 };
/** Seconds after readiness, and after reloads, at which memory is read. */
const REST = 10;
/** Microseconds between two questions while the policy is reloaded. */
const PACE = 1000;
const PATIENCE = 60_000;

interface Grown {
  readonly scale: Scale;
  readonly ready: number;
  readonly cpu: number;
  readonly rss: number;
  readonly decisions: DecisionTimes;
}

interface Reloaded {
  /** Seconds from the change until the policy is in force. */
  readonly seconds: number;
  /** Milliseconds: the longest time between two answers in a row. */
  readonly gap: number;
  /** Milliseconds of the slowest answer without the waits for a processor: what the server itself took. */
  readonly own: number;
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds in all that the query path waited for a processor: what others on the machine add to the gaps. */
  readonly waited: number;
}

async function main(
  parts: readonly Part[],
  reloads: number,
  seconds: number,
  json: string | null,
): Promise<void> {
  print(`${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Linux ${release()}, `);
  print(`Node ${process.version}; load average ${loadavg()[0]!.toFixed(1)} at the start\n`);
  const folder = scratchFolder('scale');
  const results: Record<string, unknown> = {};
  if (parts.includes('rules')) results['rules'] = await grow('names', RULES, folder);
  if (parts.includes('identities')) results['identities'] = await grow('identities', IDENTITIES, folder);
  if (parts.includes('reload')) results['reload'] = await reload(folder, reloads);
  if (parts.includes('memory')) results['memory'] = await measureMemory(folder, seconds, print);
  if (json !== null) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
}

async function grow(what: string, scales: readonly Scale[], folder: string): Promise<Grown[]> {
  const found: Grown[] = [];
  for (const scale of scales) found.push(await measure(scale, mkdtempSync(join(folder, `${what}-`))));
  const rows = found.map(({ scale, ready, cpu, rss, decisions }) => [
    rulesOf(scale).toLocaleString('en'),
    scale.identities.toLocaleString('en'),
    ready.toFixed(2),
    cpu.toFixed(2),
    rss.toFixed(0),
    decisions.own.toFixed(0),
    decisions.others.toFixed(0),
    decisions.nowhere.toFixed(0),
  ]);
  const head = ['rules', 'identities', 'ready s', 'CPU s', 'RSS MiB', 'own ns', "others' ns", 'nowhere ns'];
  print(`\nGrowth by ${what}; a decision about an own name, another identity's, one that stands nowhere\n`);
  print(table([head, ...rows]));
  return found;
}

async function measure(scale: Scale, folder: string): Promise<Grown> {
  const server = await ScaleServer.start(scale, folder);
  try {
    await sleep(REST * 1000);
    const { ready, cpu } = server;
    const decider = fileURLToPath(new URL('./decisions.ts', import.meta.url));
    const command = [process.execPath, decider, server.config, JSON.stringify(scale)];
    const rss = server.rss();
    await server.stop();
    const decisions = JSON.parse(await run(command, { patience: PATIENCE })) as DecisionTimes;
    return { scale, ready, cpu, rss, decisions };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function reload(parent: string, reloads: number): Promise<unknown> {
  const folder = mkdtempSync(join(parent, 'reload-'));
  const server = await ScaleServer.start(MILLION, folder);
  try {
    print(
      `\n${rulesOf(MILLION).toLocaleString('en')} names in ${MILLION.lists.toLocaleString('en')} lists\n`,
    );
    print(`  ready after ${server.ready.toFixed(2)} s (${judged(server.ready, TARGET.ready)} s)\n`);
    await sleep(REST * 1000);
    const rss = [server.rss()];
    print(`  RSS ${REST} s later: ${rss[0]!.toFixed(0)} MiB (${judged(rss[0]!, TARGET.rss)} MiB)\n`);
    const seconds = Math.ceil(2 * server.ready + 2);
    const calm = await server.probe(seconds);
    print(`  without a reload: longest gap ${calm.gap.toFixed(1)} ms, own ${calm.own.toFixed(1)} ms, `);
    print(`p50 ${calm.p50.toFixed(3)} ms, p99 ${calm.p99.toFixed(3)} ms, `);
    print(`kept waiting for a processor ${calm.waited.toFixed(0)} ms in all\n`);
    const found: Reloaded[] = [];
    for (let i = 1; i <= reloads; i++) {
      found.push(await server.reload(seconds, i));
      if (i !== 3) continue;
      await sleep(REST * 1000);
      rss.push(server.rss());
    }
    const rows = found.map((one, i) => [
      `reload ${i + 1}`,
      one.seconds.toFixed(2),
      one.gap.toFixed(1),
      one.own.toFixed(1),
      one.p50.toFixed(3),
      one.p99.toFixed(3),
      one.waited.toFixed(0),
    ]);
    const head = [
      'at 1,000 queries/s',
      'in force s',
      'gap ms',
      'own ms',
      'p50 ms',
      'p99 ms',
      'kept waiting ms',
    ];
    print(table([head, ...rows]));
    const gap = Math.max(...found.map((one) => one.gap));
    const own = Math.max(...found.map((one) => one.own));
    print(`  longest gap ${gap.toFixed(1)} ms; own ${own.toFixed(1)} ms (${judged(own, TARGET.own)} ms)\n`);
    if (rss.length > 1) {
      print(`  RSS ${REST} s after three reloads: ${rss[1]!.toFixed(0)} MiB `);
      print(`(${judged(rss[1]!, TARGET.rss)} MiB)\n`);
    }
    return { ready: server.ready, rss, calm, reloads: found };
  } finally {
    await server.stop();
  }
}

/** A server with a generated policy. */
class ScaleServer {
  readonly config: string;
  /** Seconds of time and of CPU time until it was ready. */
  ready = 0;
  cpu = 0;
  readonly #scale: Scale;
  readonly #folder: string;
  readonly #port: number;
  readonly #daemon: Daemon;

  private constructor(scale: Scale, folder: string, port: number) {
    this.#scale = scale;
    this.#folder = folder;
    this.#port = port;
    this.config = writeScale(folder, scale, port);
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    this.#daemon = start([process.execPath, main, 'serve', '--config', this.config]);
  }

  static async start(scale: Scale, folder: string): Promise<ScaleServer> {
    const server = new ScaleServer(scale, folder, await freePort());
    const started = performance.now();
    await server.#sees('"event":"ready"', 1);
    server.ready = (performance.now() - started) / 1000;
    const { user, system } = cpuOf(server.#daemon.pid);
    server.cpu = (user + system) / 1e6;
    return server;
  }

  /** MiB. */
  rss(): number {
    return rssOf(this.#daemon.pid) / 1_048_576;
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }

  /** Changes a list, and asks for so many seconds while the change is taken. */
  async reload(seconds: number, edition: number): Promise<Reloaded> {
    const asking = this.probe(seconds);
    await sleep(500);
    const started = performance.now();
    writeList(this.#folder, this.#scale, edition % this.#scale.lists, edition);
    await this.#sees('"event":"policy-loaded"', edition);
    const took = (performance.now() - started) / 1000;
    if (took > seconds - 1) throw new Error(`a reload took ${took.toFixed(1)} s, longer than it was watched`);
    return { seconds: took, ...(await asking) };
  }

  /** 1,000 questions a second, own names of others' lists among them. */
  async probe(seconds: number): Promise<Omit<Reloaded, 'seconds'>> {
    const prober = fileURLToPath(new URL('./prober.ts', import.meta.url));
    const names = Array.from({ length: 16 }, (_, i) => listedName(1 + ((i * 61) % 999), i));
    const { pid } = this.#daemon;
    const how = ['--server', String(pid), String(this.#port), String(seconds), String(PACE)];
    const command = [process.execPath, prober, ...how, ...names];
    const before = waitedOf(pid);
    const text = await run(command, { patience: seconds * 1000 + 10_000 });
    const { latencies, gap, slow } = JSON.parse(text) as Pick<Probed, 'gap' | 'slow'> & {
      latencies: number[];
    };
    const own = Math.max(0, ...slow.map((answer) => answer.own));
    const waited = waitedOf(pid) - before;
    return { gap, own, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), waited };
  }

  /** Waits until the log has so many lines with this text. */
  async #sees(text: string, times: number): Promise<void> {
    await until(
      () => {
        if (this.#daemon.ended()) throw new Error(`the server ended:\n${this.#daemon.log()}`);
        return this.#daemon.log().split(text).length > times;
      },
      () => `the log has no ${text} number ${times}:\n${this.#daemon.log()}`,
      PATIENCE,
    );
  }
}

if (import.meta.main && !printHelp(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      reloads: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '60' },
      json: { type: 'string' },
    },
  });
  const wrong = values.only.find((part) => !PARTS.includes(part as Part));
  if (wrong !== undefined) throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  const reloads = Number(values.reloads);
  if (!Number.isInteger(reloads) || reloads < 1 || reloads > 1000)
    throw new Error('--reloads takes 1 to 1000');
  const parts = PARTS.filter((part) => values.only.length === 0 || values.only.includes(part));
  const seconds = Number(values.seconds);
  if (!(seconds >= 5 && seconds <= 600)) throw new Error('--seconds takes 5 to 600');
  await main(parts, reloads, seconds, values.json ?? null);
}
