/**
 * namegate beside Unbound, dnsdist and dnsmasq: each on one thread, without a query log, over the same upstream, measured
 * in turns within one run, so that what disturbs the machine disturbs all of them. Linux, with dnsperf and NSD installed; a
 * peer that is not installed is left out by name.
 *
 *     npm run bench -- [--rounds N] [--seconds S] [--only LOAD]… [--json FILE]
 *
 * LOAD: mixed, denied, misses, one, tcp, dot, handshake or dot-upstream; CONTRIBUTING.md says what each is.
 * Traffic stays on loopback. Where nothing else is asked for it takes some eight minutes, and ends by itself within twelve.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { listenerCertificates } from './certificates.ts';
import { CONTESTANTS, type Contestant, launch, namegate, type Running } from './contestants.ts';
import { cpuBetween, cpuOf } from './cpu.ts';
import { burst } from './dnsperf.ts';
import { print, quantile } from './figures.ts';
import { printHelp } from './help.ts';
import {
  LOAD_NAMES,
  LOADS,
  type Load,
  type LoadName,
  SETTINGS,
  type Setting,
  writeApproved,
  writeQuestions,
} from './loads.ts';
import { APPROVED } from './names.ts';
import { find, run, scratchFolder } from './processes.ts';
import { type Measurement, reportLoad } from './report.ts';
import { startNsd, startTlsUpstream, type Upstream } from './upstreams.ts';

export interface Settings {
  readonly rounds: number;
  /** Seconds of one measurement. */
  readonly seconds: number;
  readonly loads: readonly Load[];
  /** Path for the figures as JSON, or null. */
  readonly json: string | null;
}

/** The server has a core of its own; who asks it and whom it asks share the other. */
const SERVER_CORE = 0;
const OTHER_CORE = 1;
/** Milliseconds after which no further round begins. */
const PATIENCE = 660_000;
/** Seconds of load before the first measurement of each kind: code gets compiled, caches fill. */
const WARM_SECONDS = 1;

async function main(settings: Settings): Promise<void> {
  for (const program of ['dnsperf', 'nsd']) {
    if (find(program) === null) throw new Error(`${program} is not installed`);
  }
  const folder = scratchFolder('bench');
  const started = performance.now();
  const found: Measurement[] = [];
  print(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Linux ${release()}, Node `,
  );
  print(`${process.version}; load average ${loadavg()[0]!.toFixed(1)} at the start\n`);
  for (const setting of SETTINGS) {
    const loads = settings.loads.filter((load) => load.setting === setting);
    if (loads.length > 0) await compete(setting, loads, settings, folder, started, found);
  }
  if (settings.json !== null) {
    writeFileSync(settings.json, `${JSON.stringify({ settings, measurements: found }, null, 1)}\n`);
  }
}

/** All loads of one setting. */
async function compete(
  setting: Setting,
  loads: readonly Load[],
  settings: Settings,
  folder: string,
  started: number,
  found: Measurement[],
): Promise<void> {
  const present = CONTESTANTS.filter((contestant) => takesPart(contestant, setting));
  const at = mkdtempSync(join(folder, `${setting}-`));
  const cores =
    availableParallelism() > 1 ? { server: SERVER_CORE, other: OTHER_CORE } : { server: 0, other: 0 };
  const upstream: Upstream =
    setting === 'dot-upstream' ? await startTlsUpstream(at, cores.other) : await startNsd(at, cores.other);
  const running: Running[] = [];
  try {
    const certificates = setting === 'dot' ? await listenerCertificates(at) : null;
    for (const contestant of present) {
      try {
        running.push(await launch(contestant, at, upstream, certificates, cores.server));
      } catch (error) {
        print(`\n${contestant.name} does not start for ${setting} and takes no part: ${firstLines(error)}\n`);
      }
    }
    for (const { contestant, shown } of running) showConfig(contestant, setting, shown);
    const measure = new Measure(at, cores.other, settings.seconds);
    for (const load of loads) for (const one of running) await measure.warm(load, one);
    for (let round = 1; round <= settings.rounds; round++) {
      if (performance.now() - started > PATIENCE) {
        print(`Time is up: ${round - 1} of ${settings.rounds} rounds were made.\n`);
        break;
      }
      for (const load of loads) {
        // Who comes first changes with the round.
        for (let i = 0; i < running.length; i++) {
          found.push(await measure.take(load, running[(i + round) % running.length]!, round));
        }
      }
    }
    for (const load of loads) {
      print(
        reportLoad(
          load,
          found.filter((one) => one.load === load.name),
        ),
      );
    }
  } finally {
    await Promise.all(running.map(({ daemon }) => daemon.stop()));
    await upstream.daemon.stop();
  }
}

function takesPart({ name, program, settings }: Contestant, setting: Setting): boolean {
  if (!settings.includes(setting)) {
    print(
      `\n${name} has no ${setting === 'dot' ? 'listeners' : 'upstreams'} over TLS and takes no part there\n`,
    );
    return false;
  }
  if (name === namegate.name || find(program) !== null) return true;
  print(`\n${name} is not installed and takes no part\n`);
  return false;
}

function firstLines(error: unknown): string {
  return String(error).split('\n').slice(0, 3).join('\n  ');
}

function showConfig({ name }: Contestant, setting: Setting, shown: string): void {
  const lines = shown.split('\n').filter((line) => line !== '');
  print(`\n${name}, ${setting} (one of ${APPROVED.length.toLocaleString('en')} approved names is shown)\n`);
  print(`${lines.map((line) => `  | ${line}`).join('\n')}\n`);
}

/** Takes measurements; holds where questions and answers are written. */
class Measure {
  readonly #folder: string;
  readonly #core: number;
  readonly #seconds: number;
  readonly #approved: string;
  readonly #answers: string;

  constructor(folder: string, core: number, seconds: number) {
    this.#folder = folder;
    this.#core = core;
    this.#seconds = seconds;
    this.#approved = writeApproved(folder);
    this.#answers = join(folder, 'answers.txt');
  }

  /** Round 0 of a load, unmeasured. */
  async warm(load: Load, running: Running): Promise<void> {
    await this.#fill(load, running);
    await this.#ask(load, running, 0, WARM_SECONDS);
  }

  async take(load: Load, running: Running, round: number): Promise<Measurement> {
    await this.#fill(load, running);
    const before = cpuOf(running.daemon.pid);
    const { latencies, ...rest } = await this.#ask(load, running, round, this.#seconds);
    const used = cpuBetween(before, cpuOf(running.daemon.pid));
    if (running.daemon.ended()) throw new Error(`${running.contestant.name} ended:\n${running.daemon.log()}`);
    return {
      load: load.name,
      server: running.contestant.name,
      round,
      user: used.user / rest.completed,
      system: used.system / rest.completed,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      ...rest,
    };
  }

  /** Every approved name into the cache. */
  async #fill(load: Load, { port }: Running): Promise<void> {
    if (load.unique) return;
    const questions = { questions: this.#approved, seconds: 2, once: true };
    await burst({ port, transport: 'udp', edns: true, core: this.#core, ...questions }, this.#answers);
  }

  async #ask(load: Load, running: Running, round: number, seconds: number): ReturnType<typeof burst> {
    if (load.name === 'one') return await this.#askOne(running.port, seconds);
    if (load.name === 'handshake') return await this.#shakeHands(running, seconds);
    const questions = writeQuestions(this.#folder, load, round, seconds);
    const { transport, unique } = load;
    const port = transport === 'dot' ? running.tls!.port : running.port;
    const options = { port, transport, questions, seconds, once: unique, edns: true, core: this.#core };
    return await burst(options, this.#answers);
  }

  async #askOne(port: number, seconds: number): ReturnType<typeof burst> {
    return await this.#probe('prober.ts', [String(port), String(seconds), '0', APPROVED[0]!], seconds);
  }

  /** namegate must see the client's certificate; peers answer without one. */
  async #shakeHands({ contestant, tls }: Running, seconds: number): ReturnType<typeof burst> {
    const { port, mutualPort, certificates } = tls!;
    const { certificate, key } = certificates.client;
    const at = contestant.name === namegate.name ? mutualPort : port;
    return await this.#probe(
      'handshaker.ts',
      [String(at), String(seconds), certificate, key, APPROVED[0]!],
      seconds,
    );
  }

  /** Runs one of our clients, which tells the latencies of its answers. */
  async #probe(program: string, args: readonly string[], seconds: number): ReturnType<typeof burst> {
    const path = fileURLToPath(new URL(`./${program}`, import.meta.url));
    const patience = (seconds + 10) * 1000;
    const text = await run([process.execPath, path, ...args], { core: this.#core, patience });
    const { latencies, codes } = JSON.parse(text) as { latencies: number[]; codes: Record<string, number> };
    const completed = latencies.length;
    const answered = { completed, lost: 0, codes };
    return { ...answered, qps: completed / seconds, latencies: Float64Array.from(latencies) };
  }
}

/** Reads the flags. Throws with what is wrong. */
export function settingsOf(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error('--rounds takes 1 to 100');
  if (!(seconds >= 0.1 && seconds <= 30)) throw new Error('--seconds takes 0.1 to 30');
  for (const name of values.only) {
    if (!LOAD_NAMES.includes(name as LoadName))
      throw new Error(`--only takes one of ${LOAD_NAMES.join(', ')}`);
  }
  const loads = LOADS.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  return { rounds, seconds, loads, json: values.json ?? null };
}

if (import.meta.main && !printHelp(import.meta.url)) await main(settingsOf(process.argv.slice(2)));
