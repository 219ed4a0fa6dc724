/**
 * What `enforce:` costs a query: namegate with it and without, in one network namespace, asked from another one by dnsperf at
 * the same rate, in turns. 80 % of the questions are approved names and 20 % denied ones; of the answers with addresses 95 %
 * were granted before. As root, with dnsperf, iproute2 and nftables.
 *
 *     npm run bench:firewall -- [--rounds N] [--seconds S] [--rate QPS]
 *
 * Prints the CPU a query of namegate, and of `namegate enforce` beside it; then how much later the first answer with an
 * address leaves. Names are local records, so that no upstream is in the figures. It removes what it made.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuBetween, cpuOf } from './cpu.ts';
import { parseReport } from './dnsperf.ts';
import { median, print, ratios, spreadText, table } from './figures.ts';
import { printHelp } from './help.ts';
import { Dice, deniedName } from './names.ts';
import { type Daemon, find, run, scratchFolder, start, until } from './processes.ts';

const HOST = `ngbench-h${process.pid}`;
const JOB = `ngbench-j${process.pid}`;
const SERVER = '10.79.0.1';
const PORTS = { off: 5301, on: 5302 } as const;
type Way = keyof typeof PORTS;

/** Names that each client has asked for before it is measured, and names that each question of a round is the first for. */
const KNOWN = 1_000;
const FRESH = 3_000;
/** Of the questions that are answered with an address, one in so many is a client's first for its name. */
const FIRST = 20;
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly rate: number;
}

async function main({ rounds, seconds, rate }: Settings): Promise<void> {
  for (const program of ['dnsperf', 'ip', 'nft'])
    if (find(program) === null) throw new Error(`${program} is not installed`);
  const model = cpus()[0]?.model ?? 'unknown processor';
  const load = loadavg()[0]!.toFixed(1);
  print(`${model}, Linux ${release()}, Node ${process.version}; load average ${load} at the start\n`);
  const folder = scratchFolder('firewall');
  const clients = Array.from({ length: 2 * rounds + 4 }, (_, i) => `10.79.0.${10 + i}`);
  lab(clients);
  const daemons: Daemon[] = [];
  try {
    const configs = { off: config(folder, 'off'), on: config(folder, 'on') };
    const keeper = begin(['enforce', '--config', keeperConfig(folder)]);
    daemons.push(keeper);
    await until(() => keeper.log().includes('judging'), keeper.log, 20_000);
    const servers = {
      off: begin(['serve', '--config', configs.off]),
      on: begin(['serve', '--config', configs.on]),
    };
    daemons.push(servers.off, servers.on);
    for (const server of Object.values(servers))
      await until(() => server.log().includes('"ready"'), server.log, 30_000);
    await until(() => servers.on.log().includes('has all that is live'), servers.on.log, 20_000);
    const used: Record<Way | 'keeper', number[]> = { off: [], on: [], keeper: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const way of round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)) {
        const from = clients[2 * round + (way === 'on' ? 1 : 0)]!;
        await ask(folder, way, from, known(), KNOWN, 5_000);
        const before = [cpuOf(servers[way].pid), cpuOf(keeper.pid)];
        const questions = mixed(round, rate * seconds);
        const answered = await ask(folder, way, from, questions, questions.length, rate);
        const after = [cpuOf(servers[way].pid), cpuOf(keeper.pid)];
        const [own, keepers] = [0, 1].map((i) => {
          const { user, system } = cpuBetween(before[i]!, after[i]!);
          return (user + system) / answered;
        });
        // The first round warms up.
        if (round === 0) continue;
        used[way].push(own!);
        if (way === 'on') used.keeper.push(keepers!);
      }
    }
    const both = used.on.map((own, i) => own + used.keeper[i]!);
    print(
      table([
        ['a query', 'µs of CPU'],
        ['without enforce', median(used.off).toFixed(2)],
        ['with enforce', median(used.on).toFixed(2)],
        ['and namegate enforce', median(used.keeper).toFixed(2)],
      ]),
    );
    print(`\nwith to without: ${spreadText(ratios(used.on, used.off), 2)}; wanted: at most 1.15\n`);
    print(`with the keeper's share: ${spreadText(ratios(both, used.off), 2)}\n`);
    const first = { off: await latency('off', clients), on: await latency('on', clients) };
    print(
      `first answer, median of ${FIRSTS}: ${first.off.toFixed(3)} ms without, ${first.on.toFixed(3)} ms with: `,
    );
    print(`${(first.on - first.off).toFixed(3)} ms later; wanted: at most 1\n`);
    print(`load average ${loadavg()[0]!.toFixed(1)} at the end\n`);
  } finally {
    for (const daemon of daemons.reverse()) await daemon.stop();
  }
}

const FIRSTS = 500;

/** Milliseconds of the median answer to names that the client asks for the first time, one after the other. */
async function latency(way: Way, clients: readonly string[]): Promise<number> {
  const path = fileURLToPath(new URL('./prober.ts', import.meta.url));
  // Each name once: the pace ends with the time.
  const names = Array.from({ length: FIRSTS }, (_, i) => fresh(i));
  const from = clients.at(way === 'on' ? -1 : -2)!;
  ip('-n', JOB, 'route', 'replace', `${SERVER}/32`, 'dev', 'eth0', 'src', from);
  const command = [process.execPath, path, `${SERVER}:${PORTS[way]}`, '1', String(1e6 / FIRSTS), ...names];
  const { latencies } = JSON.parse(await run(inside(JOB, command), { patience: 20_000 })) as {
    readonly latencies: readonly number[];
  };
  return median(latencies);
}

/** Sends questions from one address, each once. Returns how many were answered. */
async function ask(
  folder: string,
  way: Way,
  from: string,
  questions: readonly string[],
  count: number,
  rate: number,
): Promise<number> {
  const path = join(folder, 'questions.txt');
  writeFileSync(path, `${questions.join('\n')}\n`);
  const where = ['-s', SERVER, '-p', String(PORTS[way]), '-a', from, '-d', path, '-n', '1'];
  const shape = ['-Q', String(rate), '-c', '8', '-q', '200', '-T', '1', '-t', '2'];
  const text = await run(inside(JOB, ['dnsperf', ...where, ...shape]), { patience: 60_000 });
  const { completed, codes } = parseReport(text);
  if (completed < count * 0.999 || (codes['SERVFAIL'] ?? 0) > 0)
    throw new Error(`not all was answered:\n${text}`);
  return completed;
}

function known(): string[] {
  return Array.from({ length: KNOWN }, (_, i) => `k${i}.bench.example A`);
}

function fresh(i: number): string {
  return `f${i}.bench.example`;
}

function mixed(round: number, count: number): string[] {
  const dice = new Dice(0x6e67 + round);
  let next = 0;
  return Array.from({ length: count }, () => {
    if (dice.below(5) === 0) return `${deniedName(dice)} A`;
    return `${dice.below(FIRST) === 0 && next < FRESH ? fresh(next++) : `k${dice.below(KNOWN)}.bench.example`} A`;
  });
}

/** Two namespaces and a cable. */
function lab(clients: readonly string[]): void {
  // Also where a signal ends it.
  process.once('exit', () => {
    for (const name of [HOST, JOB]) ip('netns', 'delete', name);
  });
  for (const name of [HOST, JOB]) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  ip('link', 'add', 'eth0', 'netns', JOB, 'type', 'veth', 'peer', 'name', 'job0', 'netns', HOST);
  ip('-n', HOST, 'address', 'add', `${SERVER}/24`, 'dev', 'job0');
  for (const client of clients) ip('-n', JOB, 'address', 'add', `${client}/24`, 'dev', 'eth0');
  ip('-n', HOST, 'link', 'set', 'job0', 'up');
  ip('-n', JOB, 'link', 'set', 'eth0', 'up');
}

function config(folder: string, way: Way): string {
  const own = join(folder, way);
  mkdirSync(own);
  const records = [
    ...Array.from({ length: KNOWN }, (_, i) => [`k${i}`, `198.18.${i >> 8}.${i & 255}`] as const),
    ...Array.from({ length: FRESH }, (_, i) => [`f${i}`, `198.19.${i >> 8}.${i & 255}`] as const),
  ].map(([name, address]) => `  - { name: ${name}.bench.example, type: A, data: ${address}, ttl: 300 }`);
  const policy = `identities:
  - name: bench
    owner: bench
    review_by: 2099-01-01
    from: { addresses: [10.79.0.0/24] }
    allow:
      - { name: "k{0..${KNOWN - 1}}.bench.example", reason: bench }
      - { name: "f{0..${FRESH - 1}}.bench.example", reason: bench }
records:
${records.join('\n')}
`;
  writeFileSync(join(own, 'policy.yaml'), policy);
  const enforce = way === 'on' ? enforceOf('') : '';
  const path = join(own, 'namegate.yaml');
  writeFileSync(
    path,
    `listen: [{ on: "udp://${SERVER}:${PORTS[way]}", spoofable: false }, "tcp://${SERVER}:${PORTS[way]}"]
upstreams: { default: { servers: [udp://127.0.0.1:9] } }
policy: policy.yaml
history: off
${enforce}`,
  );
  return path;
}

/** The rules let clients ask both servers. */
function keeperConfig(folder: string): string {
  const path = join(folder, 'keeper.yaml');
  const listen = Object.values(PORTS).map((port) => `"udp://${SERVER}:${port}", "tcp://${SERVER}:${port}"`);
  writeFileSync(path, `listen: [${listen.join(', ')}]\npolicy: on/policy.yaml\n${enforceOf('on/')}`);
  return path;
}

function enforceOf(folder: string): string {
  return `enforce: { socket: ${folder}enforce.sock, interfaces: [job0], ports: [tcp/443], wait: 2s }\n`;
}

function begin(args: readonly string[]): Daemon {
  return start(inside(HOST, [process.execPath, MAIN, ...args]), { core: 0 });
}

function inside(namespace: string, command: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', namespace, ...command];
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function settingsOf(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      rate: { type: 'string', default: '10000' },
    },
  });
  const [rounds, seconds, rate] = [Number(values.rounds), Number(values.seconds), Number(values.rate)];
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new Error('--rounds takes 1 to 50');
  if (!(seconds >= 1 && seconds <= 10)) throw new Error('--seconds takes 1 to 10');
  if (!(rate >= 100 && rate * seconds <= 70_000)) throw new Error('--rate takes 100 to 70000 / seconds');
  return { rounds, seconds, rate };
}

if (import.meta.main && !printHelp(import.meta.url)) await main(settingsOf(process.argv.slice(2)));
