/** Random policies over few labels and zones, so that rules meet: in one view, at one node, in one name. */
import type { Random } from '../server/random.ts';
import { isUnder, labelsOf, type Name, nameOf } from './names.ts';
import type { Destination, Entry, Identity, LocalRecord, Policy, Redirect, Rule, Terms } from './policy.ts';
import { isSpecial } from './reference.ts';

/** When policies begin, seconds since 1970; rules end at some of TIMES after it. */
export const START = 1_800_000_000;
export const TIMES = [100, 200, 300];

/** Escapes, star and dot inside labels among them. */
export const LABELS = [
  'a',
  'b',
  'n1',
  'n2',
  'n10',
  'n01',
  '12',
  'n1x',
  'n1x2',
  'a\\.b',
  '\\*',
  '\\000',
  'x\\255',
  'N2',
  'x\\001b',
];
/** Where wildcards may stand. */
export const ZONES = ['b.a', 'n1.a', 'n1.b.a', 'a.b', 'a\\.b.a', '12.b.a', 'b.b.a', 'evila.b'];
const ODD_ZONES = [
  'x.localhost',
  'use-application-dns.net',
  'x.use-application-dns.net',
  '10.in-addr.arpa',
  '16.172.in-addr.arpa',
  'd.f.ip6.arpa',
];
/** A rule for these is of no use, and an exception is an error. */
const ANSWERED_BY_ITSELF = /(?:^|\.)(?:localhost|use-application-dns\.net)$/;
/** Where no wildcard may stand, but a name may. */
const TOPS = [
  'a',
  'b',
  'net',
  'arpa',
  'internal',
  'localhost',
  'in-addr.arpa',
  '0.10.in-addr.arpa',
  'a.internal',
];
const FAMILIES = [
  'n{0..12}',
  'n{1..2}',
  'n1{0..9}',
  'n{00..12}',
  'n{000..20}',
  'n{0..3}x',
  'n{1..1}x2',
  'n1x{0..5}',
  '{0..20}',
  '{1..1}2',
  'a{1..1}',
  'N{8..11}',
  '\\*{0..1}',
  'a\\.{7..7}b',
];
export const TYPES = [
  'A',
  'AAAA',
  'CNAME',
  'HTTPS',
  'TXT',
  'DS',
  'DNSKEY',
  'MX',
  'TYPE256',
  'CAA',
  'TYPE65280',
];
const PREFIXES = [
  '10.0.0.0/8',
  '10.0.0.0/16',
  '10.20.0.0/16',
  '10.20.0.0/24',
  '10.20.30.0/24',
  '10.20.30.64/26',
  '10.20.30.77/32',
  '0.0.0.0/0',
  '0.0.0.0/1',
  '192.168.0.0/17',
  '255.255.255.255/32',
  '2001:db8::/32',
  '2001:db8::/48',
  '2001:db8:20::/48',
  '2001:db8:20:1::/64',
  '2001:db8:20:1::7/128',
  '::/0',
  'fd00::/8',
];

export function randomPolicy(random: Random): Policy {
  const destinations = Array.from({ length: 1 + random.below(4) }, (_, i) =>
    randomDestination(random, `d${i}`),
  );
  const prefixes = [...PREFIXES];
  const identities = Array.from({ length: 1 + random.below(4) }, (_, i): Identity => {
    const addresses = Array.from({ length: 1 + random.below(3) }, () =>
      prefixes.splice(random.below(prefixes.length), 1),
    ).flat();
    const stages = Array.from({ length: random.below(3) }, (_, s) => ({
      name: `s${s}`,
      kind: random.pick(['allow', 'only'] as const),
      entries: randomEntries(random, destinations, 2),
    }));
    return {
      name: `i${i}`,
      addresses,
      allow: randomEntries(random, destinations, 5),
      stages,
      exceptions: some(random, 2, () => ({ ...randomRule(random), until: randomUntil(random) })).filter(
        ({ pattern }) => !ANSWERED_BY_ITSELF.test(pattern),
      ),
      ...(random.once(6) ? { auditUntil: randomUntil(random) } : {}),
    };
  });
  return { destinations, identities, ...randomLocals(random, destinations, identities) };
}

function some<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: random.below(most + 1) }, make);
}

function randomDestination(random: Random, name: string): Destination {
  return {
    name,
    ...(random.once(4) ? randomTerms(random) : {}),
    names: some(random, 8, () => randomRule(random)),
    list: random.once(3) ? some(random, 6, () => ({ pattern: randomPattern(random) })) : [],
  };
}

function randomEntries(random: Random, destinations: readonly Destination[], most: number): Entry[] {
  return [
    ...destinations.filter(() => random.once(2)).map(({ name }) => name),
    ...some(random, most, () => randomRule(random)),
  ];
}

function randomRule(random: Random): Rule {
  return { pattern: randomPattern(random), ...(random.once(2) ? randomTerms(random) : {}) };
}

function randomTerms(random: Random): Terms {
  return {
    ...(random.once(3)
      ? {
          types: TYPES.filter(() => random.once(4))
            .concat(random.pick(TYPES))
            .filter(isFirst),
        }
      : {}),
    ...(random.once(2) ? { until: randomUntil(random) } : {}),
    ...(random.once(4) ? { private: random.once(2) ? (true as const) : ['127.0.0.0/8'] } : {}),
    ...(random.once(5) ? { maxLabels: 1 + random.below(2) } : {}),
    ...(random.once(5) ? { maxLabelLength: 1 + random.below(3) } : {}),
  };
}

function isFirst<T>(value: T, at: number, all: readonly T[]): boolean {
  return all.indexOf(value) === at;
}

function randomUntil(random: Random): number {
  return START + random.pick(TIMES);
}

export function randomPattern(random: Random): string {
  const zone = random.once(16) ? random.pick(ODD_ZONES) : random.pick(ZONES);
  const top = random.once(4) ? random.pick(TOPS) : zone;
  const front = some(random, 2, () => random.pick(LABELS));
  switch (random.below(8)) {
    case 0:
    case 1:
      return `*.${zone}`;
    case 2:
      return `**.${zone}`;
    case 3:
    case 4:
      return `${random.pick(FAMILIES)}.${top}`;
    case 5:
      return random.once(3) ? 'n{0..3}' : [...front, random.pick(FAMILIES), top].join('.');
    default:
      return [...front, top].join('.');
  }
}

/** Records and redirects: near what is approved, and elsewhere. */
function randomLocals(
  random: Random,
  destinations: readonly Destination[],
  identities: readonly Identity[],
): { records: LocalRecord[]; redirects: Redirect[] } {
  const patterns = [
    ...destinations.flatMap(({ names, list }) => [...names, ...list]),
    ...identities.flatMap(({ exceptions }) => exceptions),
  ].map(({ pattern }) => pattern);
  const taken = new Set<Name>();
  const freshName = (): string | null => {
    const near = random.once(4) || patterns.length === 0 ? randomPattern(random) : random.pick(patterns);
    const text = near
      .replace(/^\*\*?/, () => random.pick(LABELS))
      .replace(/(?<!\\)\{(\d+)\.\.(\d+)\}/, (_, low: string, high: string) => (random.once(2) ? low : high));
    const name = nameOf(text);
    const reserved = isSpecial(name) || isUnder(name, nameOf('namegate.internal'));
    if (reserved || taken.has(name) || labelsOf(name).every((label) => /^\d+$/.test(label))) return null;
    taken.add(name);
    return text;
  };
  const records: LocalRecord[] = [];
  for (const name of some(random, 3, freshName)) {
    if (name === null) continue;
    records.push({ name, type: 'A', data: `192.0.2.${records.length + 1}` });
    if (random.once(2)) records.push({ name, type: 'TXT', data: '"text"' });
  }
  const redirects: Redirect[] = [];
  for (const name of some(random, 2, freshName)) {
    if (name === null) continue;
    const to = random.pick([
      'elsewhere.test',
      ...records.map((record) => record.name),
      ...redirects.map((one) => one.name),
    ]);
    redirects.push({ name, to });
  }
  return { records, redirects };
}
