/**
 * What a flood of random denied names costs the detectors, on a real server: CPU time of their thread, and resident memory
 * after each tenth. Linux, over loopback; every client has an address of 127.0.0.0/8, and a socket.
 *
 *     npm run bench:detectors -- [--names N] [--clients N] [--qps N] [--json FILE]
 *
 * The same flood goes to a server that looks for nothing, and to one that keeps the history besides. Three minutes with the
 * defaults: 10^6 names of 10^4 clients, 20,000 a second to each of the three. Figures of a machine that does something else are worth little: the load average is printed.
 */
import { createSocket, type Socket } from 'node:dgram';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { namegate } from './contestants.ts';
import { parseStat, rssOf } from './cpu.ts';
import { judged, print, table } from './figures.ts';
import { printHelp } from './help.ts';
import { question } from './messages.ts';
import { Dice } from './names.ts';
import { type Daemon, freePort, scratchFolder, sleep, start } from './processes.ts';
import { serving } from './upstreams.ts';

const MIB = 1_048_576;
const PARTS = 10;
/** What the detectors may take of a core, and what memory may grow by from the flood's middle to its end. */
const TARGET = { percent: 10, mebibytes: 16 };
/** Between two sendings. */
const PACE_MS = 5;
/** Until the ring is empty, behind the last question. */
const DRAIN_MS = 3_000;
const KINDS = [
  'attempt',
  'out_of_band',
  'sweep',
  'nxdomain_storm',
  'volume',
  'near_miss',
  'other_stage',
  'after_end',
  'first_contact',
  'odd_type',
  'dependency',
];

const POLICY = `identities:
  - name: flood
    owner: bench
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    limits: { qps: 1000000, burst: 1000000 }
    allow: [{ name: github.com, reason: so that a near miss has something to be near to }]
`;

interface Options {
  readonly names: number;
  readonly clients: number;
  readonly qps: number;
}

/** One server under the flood. */
interface Flooded {
  readonly what: string;
  readonly seconds: number;
  readonly asked: number;
  readonly denied: number;
  /** Questions that the detectors did not hear of. */
  readonly unheard: number;
  /** Microseconds of CPU: the query thread, and all others together. */
  readonly query: number;
  readonly others: number;
  /** MiB: at the start, after each tenth, and when the ring is empty. */
  readonly rss: readonly number[];
}

async function main(options: Options, json: string | null): Promise<void> {
  print(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}; `,
  );
  print(`load average ${loadavg()[0]!.toFixed(1)} at the start\n`);
  const folder = scratchFolder('detectors');
  const clients = await Promise.all(Array.from({ length: options.clients }, (_, i) => openClient(i)));
  const off = `detect: { ${KINDS.map((kind) => `${kind}: off`).join(', ')} }\nhistory: off\n`;
  const found: Flooded[] = [];
  try {
    for (const [what, more] of [
      ['nothing is looked for', off],
      ['as shipped, without the history', 'history: off\n'],
      ['as shipped', ''],
    ] as const)
      found.push(await measure(join(folder, String(found.length)), what, more, clients, options));
  } finally {
    for (const { socket } of clients) socket.close();
  }
  tell(found, options.clients);
  print(`load average ${loadavg()[0]!.toFixed(1)} at the end\n`);
  if (json !== null) writeFileSync(json, `${JSON.stringify(found, null, 1)}\n`);
}

function tell(found: readonly Flooded[], clients: number): void {
  const [idle, looking] = found as [Flooded, Flooded];
  print(
    `\n${looking.asked.toLocaleString('en')} random denied names of ${clients.toLocaleString('en')} clients\n`,
  );
  const head = ['detectors', 'seconds', 'denied', 'unheard', 'query thread µs', 'other threads µs'];
  const rows = found.map(({ what, seconds, denied, unheard, query, others, asked }) => [
    what,
    seconds.toFixed(1),
    denied.toLocaleString('en'),
    unheard.toLocaleString('en'),
    (query / asked).toFixed(2),
    (others / asked).toFixed(2),
  ]);
  print(table([head, ...rows]));
  const cost = (looking.query + looking.others - idle.query - idle.others) / looking.asked;
  const percent = (cost * looking.asked) / looking.seconds / 1e4;
  const rate = looking.asked / looking.seconds;
  print(
    `  the detectors add ${cost.toFixed(2)} µs a name: ${percent.toFixed(1)} % of a core at ${rate.toFixed(0)} a second, `,
  );
  print(
    `${judged(percent, TARGET.percent)} %; ${TARGET.percent} % are ${((1e4 * TARGET.percent) / cost).toFixed(0)} a second\n`,
  );
  for (const { what, rss } of found)
    print(
      `  RSS in MiB, ${what}: at the start, after each tenth, at the end: ${rss.map((each) => each.toFixed(0)).join(' ')}\n`,
    );
  for (const { what, rss } of found.slice(1)) {
    const growth = rss.at(-1)! - rss[PARTS / 2]!;
    print(
      `  from the middle to the end it grew by ${growth.toFixed(0)} MiB, ${what}: ${judged(growth, TARGET.mebibytes)} MiB\n`,
    );
  }
}

interface Client {
  readonly socket: Socket;
  denied: number;
}

/** 127.16.0.0 and what follows: each has an address of its own. */
async function openClient(index: number): Promise<Client> {
  const socket = createSocket('udp4');
  const client: Client = { socket, denied: 0 };
  socket.on('message', (reply) => {
    if ((reply[3]! & 15) === 3) client.denied++;
  });
  const place = 1 + index;
  const address = `127.${16 + (place >> 16)}.${(place >> 8) & 255}.${place & 255}`;
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, address, resolve);
  });
  return client;
}

async function measure(
  folder: string,
  what: string,
  more: string,
  clients: readonly Client[],
  { names, qps }: Options,
): Promise<Flooded> {
  mkdirSync(folder);
  const [port, status] = [await freePort(), await freePort()];
  const setup = { folder, port, upstream: { port: await freePort(), ca: null }, tls: null };
  const command = namegate.prepare(setup);
  const config = join(folder, 'namegate.yaml');
  // What detectors look for is said by `more` alone.
  const shipped = readFileSync(config, 'utf8').replace(/^(detect|history):.*\n(?:[ \t]+.*\n)*/gm, '');
  writeFileSync(config, `${shipped}metrics: http://127.0.0.1:${status}\n${more}`);
  writeFileSync(join(folder, 'policy', 'default.yaml'), POLICY);
  rmSync(join(folder, 'policy', 'bench.yaml'));
  const daemon = start(command, { cwd: folder });
  for (const client of clients) client.denied = 0;
  try {
    await serving(namegate.name, daemon, port);
    await sleep(2_000);
    const rss = [rssOf(daemon.pid) / MIB];
    const before = cpuByThread(daemon);
    const dice = new Dice(0xf100d);
    const started = performance.now();
    let sent = 0;
    while (sent < names) {
      const due = Math.min(names, Math.ceil(((performance.now() - started) / 1000) * qps));
      for (; sent < due; sent++) {
        const { socket } = clients[dice.below(clients.length)]!;
        socket.send(question(randomName(dice)), port, '127.0.0.1');
        if ((sent + 1) % Math.ceil(names / PARTS) === 0) rss.push(rssOf(daemon.pid) / MIB);
      }
      await sleep(PACE_MS);
    }
    const seconds = (performance.now() - started) / 1000;
    await sleep(DRAIN_MS);
    const after = cpuByThread(daemon);
    rss.push(rssOf(daemon.pid) / MIB);
    const denied = clients.reduce((sum, client) => sum + client.denied, 0);
    const metrics = await (await fetch(`http://127.0.0.1:${status}/metrics`)).text();
    return {
      what,
      seconds,
      asked: names,
      denied,
      unheard: sumOf(metrics, 'namegate_detections_unheard_total'),
      query: after.query - before.query,
      others: after.others - before.others,
      rss,
    };
  } finally {
    await daemon.stop();
  }
}

/** One of ever other registered domains, or data under one of a few. */
function randomName(dice: Dice): string {
  return dice.below(2) === 0
    ? `${dice.label()}.${dice.label()}.com`
    : `${dice.label()}${dice.label()}.${dice.label()}.evil${dice.below(8)}.example`;
}

/** Of a metric over all its labels. */
function sumOf(metrics: string, name: string): number {
  const lines = metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Microseconds: the main thread answers, the detectors have one of the others. */
function cpuByThread({ pid }: Daemon): { query: number; others: number } {
  const sums = { query: 0, others: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const { user, system } = parseStat(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'));
    sums[Number(thread) === pid ? 'query' : 'others'] += user + system;
  }
  return sums;
}

if (import.meta.main && !printHelp(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      names: { type: 'string', default: '1000000' },
      clients: { type: 'string', default: '10000' },
      qps: { type: 'string', default: '20000' },
      json: { type: 'string' },
    },
  });
  const number = (name: keyof Options, least: number, most: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`--${name} takes ${least} to ${most}`);
    return value;
  };
  const options = {
    names: number('names', 1_000, 100_000_000),
    clients: number('clients', 1, 60_000),
    qps: number('qps', 10, 1_000_000),
  };
  await main(options, values.json ?? null);
}
