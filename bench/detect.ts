/**
 * What the leak ledger makes of tunnels and of ordinary traffic, beside three detectors of the field.
 *
 *     npm run bench:detect -- PATH [--json FILE]
 *
 * PATH (or NAMEGATE_DATA) is a folder with `tunnel/` and `benign/`, each with traces as bench/detect/traces.ts reads them.
 * Detectors hear both: findings a client-day by kind, and the question at which a tunnel that is denied makes one of medium or more.
 * Tunnels are replayed as approved wildcards; ordinary traces under a policy that approves what lies under the registered
 * domains of their first half. No socket is opened, and no clock is read: the times are those of the traces.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Baseline, COMPRESSED, IBHH, LONG_UNIQUE } from './detect/baselines.ts';
import { ciDays, deniedTunnelFiresAt, replayOrdinary, type TraceFindings } from './detect/findings.ts';
import { type ClientZone, replay } from './detect/replay.ts';
import { type Asked, commonZone, readTrace, type Trace } from './detect/traces.ts';
import { table, wilson } from './figures.ts';
import { printHelp } from './help.ts';

/** Why ordinary clients ask many new names there, by what their zone is. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [
    /(^|\.)(sorbs|spamhaus|spamcop|njabl|ahbl)\.(net|org)$/,
    'a mail server looks senders up in a blocklist: each name is an address',
  ],
  [
    /(^|\.)dropbox\.com$/,
    'one program asks each of its numbered hosts: as client{0..199}.dropbox.com they would be free',
  ],
];

function causeOf(base: string): string {
  return CAUSES.find(([zone]) => zone.test(base))?.[1] ?? 'its cause is NOT KNOWN';
}

const BASELINES: readonly Baseline[] = [LONG_UNIQUE, IBHH, COMPRESSED];
/** Ordinary traces that are no ordinary clients: a crawl of a list, and servers that scanners ask. */
const APART = /ggyggy-normal|rita-server/;

if (printHelp(import.meta.url)) process.exit(0);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
const given = positionals[0] ?? process.env.NAMEGATE_DATA ?? '';
const folder = given === '' ? undefined : [given, join(given, 'traffic')].find(hasTraces);
if (folder === undefined) {
  process.stderr.write(
    `bench:detect: ${given === '' ? '' : `${given} has no tunnel/ and benign/: `}give a folder that has them, by argument or NAMEGATE_DATA\n`,
  );
  process.exit(2);
}

for (const baseline of BASELINES) {
  const { says, holds } = baseline.reproduce();
  process.stdout.write(`${holds ? 'holds' : 'DOES NOT HOLD'}: ${baseline.name}: ${says}\n`);
}
const tunnels = tracesIn(join(folder, 'tunnel')).map(judgeTunnel);
process.stdout.write(`\nTunnels under an approved wildcard (questions; octets charged)\n\n`);
process.stdout.write(
  `${table([
    [
      'file',
      'zone',
      'asked',
      'alert at',
      'octets',
      'contain at',
      'octets',
      'left',
      'payload a day',
      ...BASELINES.map(({ name }) => name),
    ],
    ...tunnels.map(tunnelRow),
  ])}\n`,
);
const benign = tracesIn(join(folder, 'benign')).map((trace) => ({ trace, zones: judgeBenign(trace) }));
for (const apart of [false, true]) {
  const some = benign.filter(({ trace }) => APART.test(trace.file) === apart);
  process.stdout.write(
    `\nOrdinary clients and zones${apart ? ', apart: a crawl, and servers that scanners ask' : ''}\n\n`,
  );
  process.stdout.write(`${benignTable(some.flatMap(({ zones }) => zones))}\n`);
  for (const { trace, zones } of some) {
    for (const zone of zones.filter(({ most }) => most >= 512)) {
      const sample = [...zone.names].slice(0, 3).join(' ');
      process.stdout.write(
        `  ${trace.file} ${zone.client} ${zone.base}: ${Math.round(zone.most)} octets, ${zone.names.size} names: ${sample}; ${causeOf(zone.base)}\n`,
      );
    }
  }
}
tellFindings();
if (values.json !== undefined) {
  const plain = (zone: ClientZone) => ({ ...zone, names: zone.names.size });
  const report = {
    tunnels: tunnels.map(({ trace, zone, baselines }) => ({ file: trace.file, baselines, ...plain(zone) })),
    benign: benign.map(({ trace, zones }) => ({ file: trace.file, zones: zones.map(plain) })),
  };
  writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);
}

/** What the detectors tell: findings a client-day by kind, and where a tunnel that is denied makes one of medium or more. */
function tellFindings(): void {
  const bases = ({ asked }: Trace): Set<string> =>
    new Set(
      asked
        .slice(0, Math.floor(asked.length / 2))
        .map(({ zone }) => zone)
        .filter((zone) => zone !== ''),
    );
  const ordinary = [
    ...benign.map(({ trace }) => replayOrdinary(trace.file, trace.asked, bases(trace))),
    ...ciDays(folder!, 200),
  ];
  const rows = ordinary.map(({ file, clientDays, found }) => {
    const kinds = new Map<string, number>();
    for (const of of found.values()) {
      for (const [kind, what] of of)
        kinds.set(`${kind} ${what.split(' ')[0]}`, (kinds.get(`${kind} ${what.split(' ')[0]}`) ?? 0) + 1);
    }
    const list = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ');
    return [file, String(clientDays), String(loudOf(found)), list || '-'];
  });
  process.stdout.write('\nFindings of detectors on ordinary traffic (client-days that have one)\n\n');
  process.stdout.write(`${table([['file', 'client-days', 'medium or high', 'by kind'], ...rows])}\n`);
  const usual = ordinary.filter(({ file }) => !APART.test(file));
  const days = usual.reduce((sum, { clientDays }) => sum + clientDays, 0);
  const loudDays = usual.reduce((sum, { found }) => sum + loudOf(found), 0);
  const [low, high] = wilson(loudDays, days);
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
  process.stdout.write(
    `  ${loudDays} of ${days} client-days, without those apart: ${percent(loudDays / days)} (95 %: ${percent(low)} to ${percent(high)})\n`,
  );
  for (const { file, found } of ordinary) {
    for (const [day, kinds] of found) {
      for (const [kind, what] of kinds)
        if (/^(medium|high) /.test(what))
          process.stdout.write(`  ${file} ${day}: ${kind} ${what}; ${causeOfFinding(file, kind)}\n`);
    }
  }
  const denied = tunnels.map(({ trace, zone }) => {
    const { first, kinds, at, what } = deniedTunnelFiresAt(trace);
    const numbers = [first, at, zone.alertAt].map((number) => (number === 0 ? '-' : String(number)));
    return [trace.file, String(trace.asked.length), numbers[0]!, kinds, numbers[1]!, what, numbers[2]!];
  });
  process.stdout.write(
    '\nThe question of a tunnel at which something fires, and something of medium or more\n\n',
  );
  process.stdout.write(
    `${table([['file', 'questions', 'denied, at all', 'by', 'medium', 'by', 'approved, by budget-alert'], ...denied])}\n`,
  );
}

function loudOf(found: TraceFindings['found']): number {
  return [...found.values()].filter((of) => [...of.values()].some((what) => /^(medium|high) /.test(what)))
    .length;
}

/** Why ordinary clients make such findings in these traces. */
function causeOfFinding(file: string, kind: string): string {
  if (kind === 'near-miss') return 'two domains of the trace have names that are one letter apart';
  if (kind === 'sweep' && file.startsWith('ggyggy')) return 'a crawl of a list: each name is another domain';
  if (kind === 'sweep') return 'a policy that approves what half an hour saw';
  return 'its cause is NOT KNOWN';
}

function hasTraces(path: string): boolean {
  return ['tunnel', 'benign'].every((part) => existsSync(join(path, part)));
}

function tracesIn(path: string): Trace[] {
  return readdirSync(path)
    .filter((file) => /\.(tsv|names\.txt)$/.test(file))
    .sort()
    .map((file) => readTrace(join(path, file)));
}

interface Tunnel {
  readonly trace: Trace;
  readonly base: string | null;
  readonly zone: ClientZone;
  readonly baselines: readonly number[];
}

function judgeTunnel(trace: Trace): Tunnel {
  const base = commonZone(trace);
  const asked = trace.asked.filter(
    (one) => base === null || one.text.replace(/\.$/, '').endsWith(`.${base}`),
  );
  const bases =
    base === null ? new Set(asked.map(({ zone }) => zone).filter((zone) => zone !== '')) : new Set([base]);
  const types = new Set(asked.map(({ type }) => type)).size;
  const zones = replay(asked, { bases, contain: true, types, ttl: 0 });
  const zone = zones.sort((a, b) => b.asked - a.asked)[0] ?? nothing();
  return {
    trace,
    base,
    zone,
    baselines: BASELINES.map((one) => (base === null ? 0 : one.firesAt(asked, base))),
  };
}

function judgeBenign({ asked }: Trace): ClientZone[] {
  const half = asked.slice(0, Math.floor(asked.length / 2));
  const bases = new Set(half.map(({ zone }) => zone).filter((zone) => zone !== ''));
  const usual = (one: Asked) => ['A', 'AAAA', 'CNAME'].includes(one.type);
  return replay(asked.filter(usual), { bases, contain: false, types: 3, ttl: 60 });
}

function nothing(): ClientZone {
  return (
    replay([], { bases: new Set(), contain: true, types: 3, ttl: 0 })[0] ??
    ({ asked: 0, names: new Set() } as never)
  );
}

function tunnelRow({ trace, base, zone, baselines }: Tunnel): string[] {
  const at = (count: number) => (count === 0 ? '-' : String(count));
  const hasPayload = trace.asked.some(({ payload }) => payload !== null);
  return [
    trace.file,
    base ?? `(several; ${zone.base} here)`,
    String(zone.asked),
    at(zone.alertAt),
    String(Math.round(zone.alertOctets)),
    at(zone.containAt),
    String(Math.round(zone.containOctets)),
    String(zone.charged),
    hasPayload ? String(zone.payload) : '-',
    ...baselines.map(at),
  ];
}

function benignTable(zones: readonly ClientZone[]): string {
  const rows = [512, 1024].map((octets) => {
    const over = zones.filter(({ most }) => most >= octets).length;
    const [low, high] = wilson(over, zones.length);
    const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
    return [
      `${octets}`,
      String(zones.length),
      String(over),
      percent(over / zones.length),
      `${percent(low)} to ${percent(high)}`,
    ];
  });
  return table([['octets', 'client-zones', 'over', 'share', '95 % interval (Wilson)'], ...rows]);
}
