import { ratios, type Spread, spreadOf, spreadText, table } from './figures.ts';
import type { Load, LoadName, Target } from './loads.ts';

/** One server under one load for once. */
export interface Measurement {
  readonly load: LoadName;
  readonly server: string;
  readonly round: number;
  /** CPU time a query in microseconds. */
  readonly user: number;
  readonly system: number;
  readonly qps: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly completed: number;
  readonly lost: number;
  /** Answers by RCODE. */
  readonly codes: Readonly<Record<string, number>>;
}

const OURS = 'namegate';

/** What a load showed, for people: a table, and how far namegate is from its target. */
export function reportLoad(load: Load, measurements: readonly Measurement[]): string {
  const servers = [...new Set(measurements.map(({ server }) => server))];
  servers.sort((a, b) => Number(b === OURS) - Number(a === OURS) || a.localeCompare(b));
  const of = (server: string): Measurement[] => measurements.filter((one) => one.server === server);
  const rows = servers.map((server) => row(server, of(server)));
  const unit = load.name === 'handshake' ? 'handshake' : 'query';
  const head = [
    'server',
    `CPU µs a ${unit}`,
    'user',
    'system',
    unit === 'query' ? 'queries/s' : 'handshakes/s',
    'p50 ms',
    'p99 ms',
    'lost',
    'answers',
  ];
  const peers = servers.filter((server) => server !== OURS);
  const lines = [
    ...compare(`CPU a ${unit}`, 'cpu', load, of(OURS), peers.map(of), cpu),
    ...compare('median latency', 'p50', load, of(OURS), peers.map(of), ({ p50 }) => p50),
    ...compare('99th percentile', 'p99', load, of(OURS), peers.map(of), ({ p99 }) => p99),
  ];
  return `\n${load.name}: ${load.about}\n${table([head, ...rows])}${lines.map((line) => `  ${line}\n`).join('')}`;
}

function row(server: string, measurements: readonly Measurement[]): string[] {
  const mean = (of: (one: Measurement) => number): number => spreadOf(measurements.map(of)).mean;
  return [
    server,
    spreadText(spreadOf(measurements.map(cpu)), 2),
    mean(({ user }) => user).toFixed(2),
    mean(({ system }) => system).toFixed(2),
    Math.round(mean(({ qps }) => qps)).toLocaleString('en'),
    mean(({ p50 }) => p50).toFixed(3),
    mean(({ p99 }) => p99).toFixed(3),
    String(measurements.reduce((sum, { lost }) => sum + lost, 0)),
    answersText(measurements),
  ];
}

/** `80 % NOERROR, 20 % NXDOMAIN`. */
function answersText(measurements: readonly Measurement[]): string {
  const sums = new Map<string, number>();
  let total = 0;
  for (const { codes } of measurements) {
    for (const [code, count] of Object.entries(codes)) {
      sums.set(code, (sums.get(code) ?? 0) + count);
      total += count;
    }
  }
  const order = [...sums].sort(([, a], [, b]) => b - a);
  return order.map(([code, count]) => `${((100 * count) / total).toFixed(0)} % ${code}`).join(', ');
}

function cpu({ user, system }: Measurement): number {
  return user + system;
}

/** Lines about one figure: the ratio to the peer with the least mean, and to the peer that a target names. */
function compare(
  label: string,
  figure: Target['figure'],
  { targets }: Load,
  ours: readonly Measurement[],
  peers: readonly (readonly Measurement[])[],
  value: (one: Measurement) => number,
): string[] {
  const best = bestOf(peers, value);
  if (ours.length === 0 || best === null) return [];
  const aimed = targets.find((target) => target.figure === figure) ?? null;
  const named = peers.find((peer) => peer[0]?.server === aimed?.against);
  const lines: string[] = [];
  for (const peer of new Set(named === undefined ? [best] : [best, named])) {
    const ratio = ratios(ours.map(value), peer.map(value));
    const counts = aimed !== null && peer === (aimed.against === 'best' ? best : named);
    const against = `${peer[0]!.server}${peer === best ? ' (the best peer)' : ''}`;
    const verdict = counts ? `; ${verdictOf(ratio, aimed.most, aimed.goal)}` : '';
    lines.push(`${label}: ${spreadText(ratio, 2)} times that of ${against}${verdict}`);
  }
  return lines;
}

function verdictOf({ mean }: Spread, most: number, goal: number): string {
  const bounds = `target ${most.toFixed(2)}, goal ${goal.toFixed(2)}`;
  if (mean <= goal) return `${bounds}: goal reached`;
  return mean <= most ? `${bounds}: target reached` : `${bounds}: missed`;
}

/** The peer whose mean is least, or null where there is none. */
export function bestOf(
  peers: readonly (readonly Measurement[])[],
  value: (one: Measurement) => number,
): readonly Measurement[] | null {
  let best: readonly Measurement[] | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const peer of peers) {
    const { mean } = spreadOf(peer.map(value));
    if (!(mean < least)) continue;
    least = mean;
    best = peer;
  }
  return best;
}
