import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { namegate } from './contestants.ts';
import { rssOf } from './cpu.ts';
import { burst } from './dnsperf.ts';
import { quantile, table } from './figures.ts';
import { APPROVED, Dice, WILDCARD_ZONE } from './names.ts';
import { type Daemon, freePort, sleep, start } from './processes.ts';
import { serving, startNsd, type Upstream } from './upstreams.ts';

/** Sizes of the answer store: MiB. */
const SIZES = [16, 64] as const;
/** MiB that a server may have beside 1.3 times its answer store. */
const BESIDE = 130;
/** Seconds of one burst; memory is read behind each. */
const BURST = 5;
/** Questions of a burst, more than are answered in its time. One in five is new. */
const QUESTIONS = 600_000;
const MIB = 1_048_576;

/** A server under load, its store of `size` MiB. */
export interface Filled {
  readonly size: number;
  /** MiB of resident memory: at rest, and behind each burst. */
  readonly rss: readonly number[];
  readonly queries: number;
  /** Milliseconds: the 99th percentile of the last bursts' latencies, and every pause of the collector under load. */
  readonly p99: number;
  readonly pauses: readonly number[];
}

/** Resident memory and the collector's pauses while the answer store is filled: `seconds` under full load a size. */
export async function measureMemory(
  folder: string,
  seconds: number,
  print: (text: string) => void,
): Promise<Filled[]> {
  const found: Filled[] = [];
  const upstream = await startNsd(folder, 1);
  try {
    for (const size of SIZES) found.push(await fill(join(folder, `memory-${size}`), size, seconds, upstream));
  } finally {
    await upstream.daemon.stop();
  }
  print('\nMemory under full load: 80 % cached names, 20 % new ones under an approved wildcard\n');
  const rows = found.map(({ size, rss, queries, p99, pauses }) => {
    const most = 1.3 * size + BESIDE;
    const worst = Math.max(...rss);
    return [
      String(size),
      rss[0]!.toFixed(0),
      worst.toFixed(0),
      `${worst <= most ? 'within' : 'MORE THAN'} ${most.toFixed(0)}`,
      queries.toLocaleString('en'),
      p99.toFixed(1),
      (pauses.length / seconds).toFixed(1),
      quantile(Float64Array.from(pauses).sort(), 0.5).toFixed(1),
      Math.max(0, ...pauses).toFixed(1),
    ];
  });
  const head = [
    'store MiB',
    'idle RSS',
    'most RSS',
    'bound',
    'queries',
    'p99 ms',
    'pauses/s',
    'median ms',
    'longest ms',
  ];
  print(table([head, ...rows]));
  for (const { size, rss } of found)
    print(`  ${size} MiB, RSS every ${BURST} s: ${rss.map((each) => each.toFixed(0)).join(' ')}\n`);
  return found;
}

async function fill(folder: string, size: number, seconds: number, upstream: Upstream): Promise<Filled> {
  mkdirSync(folder);
  const port = await freePort();
  const [node, ...command] = namegate.prepare({ folder, port, upstream, tls: null });
  const config = join(folder, 'namegate.yaml');
  const shipped = readFileSync(config, 'utf8');
  const sized = shipped.replace(/\bsize: *\d+MiB/, `size: ${size}MiB`);
  if (!sized.includes(`size: ${size}MiB`))
    throw new Error('the shipped server file says no size of the cache');
  writeFileSync(config, sized);
  const daemon = start([node!, '--trace-gc', ...command], { core: 0, cwd: folder });
  try {
    await serving(namegate.name, daemon, port);
    await sleep(2000);
    const rss = [rssOf(daemon.pid) / MIB];
    let queries = 0;
    let p99 = 0;
    const before = pausesOf(daemon).length;
    for (let round = 0; round * BURST < seconds; round++) {
      const questions = writeMixed(folder, round);
      const options = {
        port,
        transport: 'udp',
        questions,
        seconds: BURST,
        once: true,
        edns: true,
        core: 1,
      } as const;
      const { completed, latencies } = await burst(options, join(folder, 'answers.txt'));
      queries += completed;
      p99 = quantile(latencies, 0.99);
      rss.push(rssOf(daemon.pid) / MIB);
    }
    return { size, rss, queries, p99, pauses: pausesOf(daemon).slice(before) };
  } finally {
    await daemon.stop();
  }
}

function writeMixed(folder: string, round: number): string {
  const dice = new Dice(0x6e67 + round);
  const lines = Array.from({ length: QUESTIONS }, (_, i) =>
    i % 5 === 0
      ? `m${round}x${i.toString(36)}.${WILDCARD_ZONE} A`
      : `${APPROVED[dice.below(APPROVED.length)]} A`,
  );
  const path = join(folder, 'mixed.txt');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

/** What `--trace-gc` prints of collections that stop the query path: `Scavenge 45.1 (60.2) -> 40.3 (62.2) MB, 9.21 / 0.00 ms`. */
function pausesOf(daemon: Daemon): number[] {
  const lines = daemon
    .log()
    .matchAll(/(?:Scavenge|Mark-Compact)[^\n]*? MB, (?:pooled: [^,]*, )?(\d+\.\d+) \/ /g);
  return Array.from(lines, ([, milliseconds]) => Number(milliseconds));
}
