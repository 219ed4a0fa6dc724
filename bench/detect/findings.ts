/** What the detectors make of ordinary clients and of tunnels: replays traces through them, in no time but that of the traces. */
import { existsSync, readFileSync } from 'node:fs';
import { suffixTable } from '../../src/config/policy/suffixes.ts';
import { Detectors } from '../../src/detect/patterns/detectors.ts';
import { DEFAULT_THRESHOLDS } from '../../src/detect/patterns/kinds.ts';
import type { Noticed, ObservedVerdict, Who } from '../../src/detect/patterns/observed.ts';
import { findLookAlike, indexLookAlikes } from '../../src/policy/lookalike/look-alikes.ts';
import { registeredDomain } from '../../src/policy/pattern/suffix.ts';
import { halfSipHash } from '../../src/wire/half-siphash.ts';
import { TYPE } from '../../src/wire/iana.ts';
import { lowerName, nameFromText, nameToText } from '../../src/wire/name.ts';
import type { Asked, Trace } from './traces.ts';

const START = Date.UTC(2026, 10, 2);
const DAY = 86_400_000;
const ALL_SETS = Uint32Array.of(0);
const SALT = 1;
const table = suffixTable();

const hash = (octets: Uint8Array, from: number, to: number): number => {
  const part = octets.subarray(from, to);
  return halfSipHash(part, part.length, 1, 2);
};

/** Findings of one trace: a client and day that had any, by kind. */
export interface TraceFindings {
  readonly file: string;
  readonly clientDays: number;
  /** By `CLIENT DAY`: kind and severity, with a name that led to it. */
  readonly found: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

const isLoud = (severity: string): boolean => severity === 'medium' || severity === 'high';

/** Ordinary traffic: what lies under `bases` is approved, as `**.BASE`, and the rest is denied. */
export function replayOrdinary(
  file: string,
  asked: readonly Asked[],
  bases: ReadonlySet<string>,
): TraceFindings {
  const detectors = new Detectors(hash, hash, DEFAULT_THRESHOLDS);
  const index = indexLookAlikes(
    [...bases].flatMap((base) => {
      const dot = base.indexOf('.');
      return dot < 0 ? [] : [{ label: base.slice(0, dot), suffix: base.slice(dot + 1), sets: [0] }];
    }),
    SALT,
  );
  const found = new Map<string, Map<string, string>>();
  /** Until when a finding is open, and how severe it is: what is seen of it meanwhile is counted with it, and tells nobody. */
  const open = new Map<string, { until: number; severity: string }>();
  const clientDays = new Set<string>();
  for (const one of asked) {
    const at = START + one.seconds * 1000;
    const day = `${one.client} ${Math.floor((at - START) / DAY)}`;
    clientDays.add(day);
    const isApproved = one.zone !== '' && bases.has(one.zone);
    for (const noticed of observe(
      detectors,
      one,
      at,
      isApproved ? 'allow' : 'deny',
      isApproved ? '' : findLookAlike(index, ALL_SETS, one.name, 6),
    )) {
      const { finding, place, severity, window } = noticed;
      const key = `${finding} ${place}`;
      const same = open.get(key);
      if (same !== undefined && at < same.until && same.severity === severity) continue;
      open.set(key, { until: same !== undefined && at < same.until ? same.until : at + window, severity });
      const kinds = found.get(day) ?? new Map<string, string>();
      found.set(day, kinds);
      const before = kinds.get(noticed.finding);
      if (before === undefined || isLoud(noticed.severity))
        kinds.set(noticed.finding, `${noticed.severity} ${noticed.key}`);
    }
  }
  return { file, clientDays: clientDays.size, found };
}

/** Where all of a tunnel is denied: the question at which anything fires, and at which something of medium or more does; 0 for never. */
export interface DeniedTunnel {
  readonly first: number;
  readonly at: number;
  /** Kinds that fired first, and what was loud. */
  readonly kinds: string;
  readonly what: string;
}

export function deniedTunnelFiresAt({ asked }: Trace): DeniedTunnel {
  const detectors = new Detectors(hash, hash, DEFAULT_THRESHOLDS);
  const kinds = new Set<string>();
  let first = 0;
  let count = 0;
  for (const one of asked) {
    count++;
    for (const { finding, severity } of observe(detectors, one, START + one.seconds * 1000, 'deny', '')) {
      if (first === 0) first = count;
      kinds.add(finding);
      if (isLoud(severity)) return { first, at: count, kinds: [...kinds].join(', '), what: finding };
    }
  }
  return { first, at: 0, kinds: [...kinds].join(', ') || '-', what: '-' };
}

/** What tells a client from another. */
function whoOf(client: string): Who {
  const octets = Buffer.from(client);
  return { low: hash(octets, 0, octets.length), high: octets.length };
}

function observe(
  detectors: Detectors,
  { name, client, type }: Asked,
  at: number,
  verdict: ObservedVerdict,
  resembles: string,
): Noticed[] {
  const out: Noticed[] = [];
  detectors.take(
    {
      at,
      identity: 'trace',
      claim: client,
      who: whoOf(client),
      lease: '',
      name,
      domain: registeredDomain(name, table),
      type: TYPE[type as keyof typeof TYPE] ?? Number(type.replace('TYPE', '')),
      verdict,
      count: 1,
      proven: true,
      expected: false,
      isOfOtherStage: false,
      isInQuarantine: false,
      resembles,
      isOfPattern: true,
    },
    out,
  );
  detectors.pass(at, out);
  return out;
}

/** Jobs of one day: each asks for names of its ecosystem, some names that a build asks for in vain, and its search list's. */
export function ciDays(folder: string, jobs: number): TraceFindings[] {
  const path = `${folder}/ci/ecosystem-domains.tsv`;
  if (!existsSync(path)) return [];
  const rows = readFileSync(path, 'utf8')
    .split('\n')
    .slice(1)
    .filter((row) => row !== '');
  const ecosystems = new Map<string, string[]>();
  for (const row of rows) {
    const [ecosystem = '', pattern = ''] = row.split('\t');
    ecosystems.set(ecosystem, [...(ecosystems.get(ecosystem) ?? []), pattern]);
  }
  const names = [...ecosystems.keys()];
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const asked: Asked[] = [];
  const approved = new Set<string>();
  for (const patterns of ecosystems.values())
    for (const pattern of patterns) approved.add(zoneOf(pattern.replace(/^\*\./, '')));
  for (let job = 0; job < jobs; job++) {
    const patterns = ecosystems.get(names[random(names.length)]!)!;
    const begin = random(86_000);
    for (let i = 0; i < 40; i++) {
      const pattern = patterns[random(patterns.length)]!;
      const text = pattern.replace(/^\*\./, `host${random(20)}.`);
      asked.push(question(begin + i * 2, `job${job}`, text, i % 2 === 0 ? 'A' : 'AAAA'));
    }
    for (let i = 0; i < 12; i++)
      asked.push(
        question(begin + i * 5, `job${job}`, VAIN[random(VAIN.length)]!, i % 2 === 0 ? 'A' : 'AAAA'),
      );
  }
  asked.sort((a, b) => a.seconds - b.seconds);
  return [replayOrdinary(`${jobs} jobs of a day`, asked, approved)];
}

/** What builds ask for that no policy of theirs approves. */
const VAIN = [
  'telemetry.example.com',
  'stats.vendor.example',
  'o1.ingest.sentry.example',
  'ntp.ubuntu.com',
  'connectivity-check.example.org',
  'wpad.corp.example',
  '_http._tcp.deb.example',
  'update.tool.example',
];

function question(seconds: number, client: string, text: string, type: string): Asked {
  const name = lowerName(nameFromText(text) as Uint8Array);
  return { seconds, client, name, text: nameToText(name), type, zone: zoneOf(text), payload: null };
}

function zoneOf(text: string): string {
  const name = nameFromText(text);
  if (!(name instanceof Uint8Array)) return '';
  const lower = lowerName(name);
  return nameToText(lower.subarray(registeredDomain(lower, table)));
}
