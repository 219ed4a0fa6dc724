/**
 * What the alert feed and the history cost the query path, on a real server: CPU a query of the mixed load while every sink is
 * down, and with the history on and off; the latency of a cached answer while 20,000 events a second go to the outbox; and
 * resident memory over a million events. Linux, with dnsperf and NSD.
 *
 *     npm run bench:feed -- [--only cpu|history|latency|memory]… [--rounds N] [--seconds N] [--events N] [--json FILE]
 *
 * N of --seconds is the time under events for the latency; a burst for the CPU takes two. Three minutes with the defaults.
 * Figures of a machine that does something else are worth little: the load average is printed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { namegate } from './contestants.ts';
import { cpuBetween, cpuOf, rssOf } from './cpu.ts';
import { burst, parseReport } from './dnsperf.ts';
import { judged, median, print, quantile, table } from './figures.ts';
import { printHelp } from './help.ts';
import { LOADS, writeApproved, writeQuestions } from './loads.ts';
import { APPROVED, Dice, deniedName } from './names.ts';
import { type Daemon, freePort, run, scratchFolder, sleep, start } from './processes.ts';
import { serving, startNsd, type Upstream } from './upstreams.ts';

const PARTS = ['cpu', 'history', 'latency', 'memory'] as const;
type Part = (typeof PARTS)[number];

/** What the feed and the history may cost. */
const TARGET = { cpu: 1.1, p99: 1 };
const EVENTS_A_SECOND = 20_000;
const BURST = 2;
const MIB = 1_048_576;
/** Microseconds between two questions of the prober. */
const PACE = 1_000;
const CORES = availableParallelism() > 1 ? { server: 0, other: 1 } : { server: 0, other: 0 };

/** Receivers that nobody is at, one of each kind; a file cannot be where a file is no folder. */
const DOWN = `alerts:
  sinks:
    - { name: file, type: file, to: /dev/null/alerts.jsonl }
    - { name: tcp, type: syslog, to: "tcp://127.0.0.1:9" }
    - { name: tls, type: syslog, to: "tls://127.0.0.1:9" }
    - { name: otlp, type: otlp, format: ocsf, to: "http://127.0.0.1:9" }
`;
const TAKEN = 'alerts: {}\n';
const NOBODY = '';
const NO_HISTORY = 'history: off\n';

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly events: number;
}

async function main(parts: readonly Part[], options: Options, json: string | null): Promise<void> {
  print(`${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Linux ${release()}, `);
  print(`Node ${process.version}; load average ${loadavg()[0]!.toFixed(1)} at the start\n`);
  const folder = scratchFolder('feed');
  const upstream = await startNsd(folder, CORES.other);
  const results: Record<string, unknown> = {};
  try {
    if (parts.includes('cpu'))
      results['cpu'] = await measureCpu(folder, upstream, options, ['no sinks', NOBODY], ['all down', DOWN]);
    if (parts.includes('history')) {
      const [off, on] = [['history off', NO_HISTORY] as const, ['history on', NOBODY] as const];
      results['history'] = await measureCpu(folder, upstream, options, off, on);
    }
    if (parts.includes('latency')) results['latency'] = await measureLatency(folder, upstream, options);
    if (parts.includes('memory')) results['memory'] = await measureMemory(folder, upstream, options);
  } finally {
    await upstream.daemon.stop();
  }
  print(`load average ${loadavg()[0]!.toFixed(1)} at the end\n`);
  if (json !== null) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
}

/** A server with these lines in its server file besides. */
class FeedServer {
  readonly folder: string;
  readonly port: number;
  readonly daemon: Daemon;

  private constructor(folder: string, port: number, daemon: Daemon) {
    this.folder = folder;
    this.port = port;
    this.daemon = daemon;
  }

  static async start(folder: string, upstream: Upstream, more: string, core?: number): Promise<FeedServer> {
    mkdirSync(folder);
    const port = await freePort();
    const command = namegate.prepare({ folder, port, upstream, tls: null });
    const config = join(folder, 'namegate.yaml');
    writeFileSync(config, `${readFileSync(config, 'utf8')}${more}`);
    const daemon = start(command, { cwd: folder, ...(core === undefined ? {} : { core }) });
    await serving(namegate.name, daemon, port);
    return new FeedServer(folder, port, daemon);
  }

  /** Sends the questions of a file, as fast as they are answered or `qps` a second. */
  async load(questions: string, seconds: number, qps: number | null = null) {
    const where = ['-s', '127.0.0.1', '-p', String(this.port), '-d', questions, '-l', String(seconds)];
    const shape = [
      '-c',
      '8',
      '-q',
      '200',
      '-T',
      '1',
      '-t',
      '2',
      ...(qps === null ? [] : ['-Q', String(qps)]),
    ];
    const command = ['dnsperf', ...where, ...shape];
    return parseReport(await run(command, { core: CORES.other, patience: seconds * 1000 + 15_000 }));
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
  }
}

/** A server's name, and lines of its server file. */
type Variant = readonly [name: string, lines: string];

/** Microseconds of CPU a query of the mixed load: of a server without something, and of one with it, in turns. */
async function measureCpu(
  parent: string,
  upstream: Upstream,
  { rounds }: Options,
  without: Variant,
  within: Variant,
): Promise<unknown> {
  const measured: { readonly name: string; readonly server: FeedServer; readonly found: number[] }[] = [];
  try {
    for (const [name, lines] of [without, within]) {
      const folder = join(parent, name.replaceAll(' ', '-'));
      measured.push({
        name,
        server: await FeedServer.start(folder, upstream, lines, CORES.server),
        found: [],
      });
    }
    const mixed = writeQuestions(parent, LOADS.find(({ name }) => name === 'mixed')!, 0, BURST);
    const ask = async ({ port, daemon }: FeedServer, questions: string): Promise<number> => {
      const before = cpuOf(daemon.pid);
      const options = { port, transport: 'udp', seconds: BURST, once: false, edns: true } as const;
      const answers = join(parent, 'answers.txt');
      const { completed } = await burst({ ...options, questions, core: CORES.other }, answers);
      const { user, system } = cpuBetween(before, cpuOf(daemon.pid));
      return (user + system) / completed;
    };
    for (const { server } of measured) {
      await ask(server, writeApproved(parent));
      await ask(server, mixed);
    }
    for (let round = 0; round < rounds; round++)
      for (let i = 0; i < measured.length; i++) {
        const { server, found } = measured[(i + round) % measured.length]!;
        found.push(await ask(server, mixed));
      }
  } finally {
    for (const { server } of measured) await server.stop();
  }
  const [less, more] = measured.map(({ found }) => median(found));
  const ratio = more! / less!;
  print('\nMixed load: CPU of all threads a query, in µs\n');
  print(
    table([
      ['server', 'median', 'least', 'most'],
      ...measured.map(({ name, found }) => [
        name,
        ...[median(found), Math.min(...found), Math.max(...found)].map((each) => each.toFixed(2)),
      ]),
    ]),
  );
  print(`  ratio ${ratio.toFixed(3)}: ${judged(ratio, TARGET.cpu)}\n`);
  return { found: Object.fromEntries(measured.map(({ name, found }) => [name, found])), ratio };
}

/** Milliseconds of cached answers while denials come: where nobody takes them, and where each is an event. */
async function measureLatency(parent: string, upstream: Upstream, { seconds }: Options): Promise<unknown> {
  const dice = new Dice(0xfeed);
  const denied = join(parent, 'denied.txt');
  writeFileSync(denied, Array.from({ length: 500_000 }, () => `${deniedName(dice)} A\n`).join(''));
  const rows: { readonly what: string; readonly qps: number; readonly p50: number; readonly p99: number }[] =
    [];
  const prober = fileURLToPath(new URL('./prober.ts', import.meta.url));
  const settings = [
    ['no load', null, TAKEN],
    ['denials, no sink', EVENTS_A_SECOND, NOBODY],
    ['denials as events', EVENTS_A_SECOND, TAKEN],
  ] as const;
  for (const [what, qps, more] of settings) {
    const server = await FeedServer.start(join(parent, `latency-${rows.length}`), upstream, more);
    try {
      await server.load(writeApproved(parent), 1);
      const load = qps === null ? null : server.load(denied, seconds, qps);
      const command = [
        process.execPath,
        prober,
        String(server.port),
        String(seconds),
        String(PACE),
        APPROVED[0]!,
      ];
      const text = await run(command, { patience: seconds * 1000 + 15_000 });
      const { latencies } = JSON.parse(text) as { latencies: number[] };
      const reached = (await load)?.qps ?? 0;
      rows.push({ what, qps: reached, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) });
    } finally {
      await server.stop();
    }
  }
  const added = rows[2]!.p99 - rows[1]!.p99;
  print(
    `\nA cached answer while ${EVENTS_A_SECOND.toLocaleString('en')} denials a second come, for ${seconds} s\n`,
  );
  const cells = rows.map(({ what, qps, p50, p99 }) => [what, qps.toFixed(0), p50.toFixed(3), p99.toFixed(3)]);
  print(table([['', 'denials/s', 'p50 ms', 'p99 ms'], ...cells]));
  print(`  the events add ${added.toFixed(3)} ms to the p99: ${judged(added, TARGET.p99)} ms\n`);
  return { rows, added };
}

/** MiB of resident memory while denials of ever new names come, each of them an event. */
async function measureMemory(parent: string, upstream: Upstream, { events }: Options): Promise<unknown> {
  const server = await FeedServer.start(join(parent, 'memory'), upstream, TAKEN);
  const parts = 10;
  const rss: number[] = [rssOf(server.daemon.pid) / MIB];
  let asked = 0;
  try {
    const dice = new Dice(0x3e3);
    const questions = join(parent, 'part.txt');
    for (let part = 0; part < parts; part++) {
      const lines = Array.from({ length: events / parts }, () => `${deniedName(dice)} A\n`);
      writeFileSync(questions, lines.join(''));
      const command = ['dnsperf', '-s', '127.0.0.1', '-p', String(server.port), '-d', questions, '-n', '1'];
      const text = await run([...command, '-c', '8', '-q', '200', '-T', '1'], { patience: 120_000 });
      asked += parseReport(text).completed;
      await sleep(500);
      rss.push(rssOf(server.daemon.pid) / MIB);
    }
    await sleep(5_000);
    rss.push(rssOf(server.daemon.pid) / MIB);
  } finally {
    await server.stop();
  }
  print(
    `\nResident memory over ${asked.toLocaleString('en')} events, in MiB: at the start, after each tenth, 5 s later\n`,
  );
  print(`  ${rss.map((each) => each.toFixed(0)).join(' ')}\n`);
  return { asked, rss };
}

if (import.meta.main && !printHelp(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '30' },
      events: { type: 'string', default: '1000000' },
      json: { type: 'string' },
    },
  });
  const wrong = values.only.find((part) => !PARTS.includes(part as Part));
  if (wrong !== undefined) throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  const number = (name: 'rounds' | 'seconds' | 'events', least: number, most: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`--${name} takes ${least} to ${most}`);
    return value;
  };
  const parts = PARTS.filter((part) => values.only.length === 0 || values.only.includes(part));
  await main(
    parts,
    {
      rounds: number('rounds', 1, 100),
      seconds: number('seconds', 1, 600),
      events: number('events', 10_000, 100_000_000),
    },
    values.json ?? null,
  );
}
