/** Random questions near what a policy writes: in its patterns, just beside them, above and below. */
import type { Random } from '../server/random.ts';
import { fitsWire, inLabels, labelsOf, type Name, nameOf, ROOT } from './names.ts';
import { type Identity, type Policy, rulesOf } from './policy.ts';
import { LABELS, START, TYPES, ZONES } from './random-policy.ts';
import { type Bits, bitsOf, recognise } from './recognise.ts';

export interface Question {
  readonly from: Bits;
  /** Picks the stage, modulo how many there are and none. */
  readonly stage: number;
  readonly name: Name;
  readonly type: string;
  /** The client sent DO or CD. */
  readonly dnssec: boolean;
  /** Seconds since 1970. */
  readonly now: number;
}

const ASKED_TYPES = [
  'A',
  'A',
  'A',
  'A',
  'A',
  'A',
  'AAAA',
  'AAAA',
  ...TYPES,
  'ANY',
  'NS',
  'SOA',
  'DS',
  'DNSKEY',
];
/** Around the ends of rules, at which they end that very second. */
const MOMENTS = [-50, 0, 0, 10, 20, 50, 99, 99.5, 100, 100.5, 150, 199.9, 200, 250, 299, 300, 400].map(
  (after) => START + after,
);
const OTHER_NAMES = [
  '',
  'arpa',
  'resolver.arpa',
  'x.resolver.arpa',
  '_why.namegate.internal',
  'b.a._why.namegate.internal',
  'namegate.internal',
  'x.namegate.internal',
  'internal',
  'localhost',
  'a.localhost',
  'net',
  'use-application-dns.net',
  'b.use-application-dns.net',
  'com',
  '1.0.0.10.in-addr.arpa',
  '15.172.in-addr.arpa',
  '1.31.172.in-addr.arpa',
  '63.100.in-addr.arpa',
  '64.100.in-addr.arpa',
  '127.100.in-addr.arpa',
  '128.100.in-addr.arpa',
  'd.f.ip6.arpa',
  'e.f.ip6.arpa',
  'b.e.f.ip6.arpa',
  `0.${'0.'.repeat(31)}ip6.arpa`,
  `1.${'0.'.repeat(30)}ip6.arpa`,
].map(nameOf);
const ODD_LABELS = [
  '\0',
  '\xff\xfe',
  '*',
  'a.b',
  'b.a',
  '\x01a',
  'a\x01a',
  'x'.repeat(63),
  '{0',
  '12',
  '007',
  'n1',
];

/** Gives questions about one policy. */
export class Questions {
  readonly #random: Random;
  readonly #policy: Policy;
  readonly #all: readonly string[];
  readonly #own = new Map<Identity | null, readonly string[]>();
  readonly #froms: readonly Bits[];

  constructor(policy: Policy, random: Random) {
    this.#random = random;
    this.#policy = policy;
    this.#all = writtenIn(policy);
    this.#own.set(null, this.#all);
    const claimed = policy.identities.flatMap(({ addresses }) => addresses);
    this.#froms = [
      ...claimed.flatMap((cidr) => [this.#inside(cidr), this.#inside(cidr)]),
      bitsOf('203.0.113.9'),
      bitsOf('2001:db9::1'),
    ];
  }

  next(): Question {
    const random = this.#random;
    const from = random.pick(this.#froms);
    return {
      from,
      stage: random.below(6),
      name: this.#name(random.once(3) ? this.#all : this.#ownOf(from)),
      type: random.pick(ASKED_TYPES),
      dnssec: random.once(3),
      now: random.pick(MOMENTS),
    };
  }

  /** A random address of a prefix, or the one next to it. */
  #inside(cidr: string): Bits {
    const [address = '', length] = cidr.split('/');
    const bits = [...bitsOf(address)];
    for (let i = Number(length ?? bits.length); i < bits.length; i++) bits[i] = this.#random.pick(['0', '1']);
    if (this.#random.once(8) && Number(length) > 0) {
      const last = Number(length) - 1;
      bits[last] = bits[last] === '0' ? '1' : '0';
    }
    return bits.join('');
  }

  /** What the asking identity's own rules write, its stages and exceptions included. */
  #ownOf(from: Bits): readonly string[] {
    const identity = recognise(this.#policy, from);
    let own = this.#own.get(identity);
    if (own === undefined) {
      const { destinations, records, redirects } = this.#policy;
      const entries = [...identity!.allow, ...identity!.stages.flatMap((stage) => stage.entries)];
      own = writtenIn({
        destinations: destinations.filter(({ name }) => entries.includes(name)),
        identities: [identity!],
        records,
        redirects,
      });
      this.#own.set(identity, own);
    }
    return own;
  }

  #name(near: readonly string[]): Name {
    const random = this.#random;
    if (random.once(12)) return random.pick(OTHER_NAMES);
    let labels = labelsOf(near.length === 0 || random.once(10) ? this.#any() : this.#instance(near));
    if (random.once(5)) labels = [...this.#labels(1 + random.below(3)), ...labels];
    if (random.once(5)) labels = labels.slice(1 + random.below(2));
    if (random.once(12)) labels = this.#bent(labels);
    const name = inLabels(labels);
    return fitsWire(name) ? name : ROOT;
  }

  /** A name of one of the policy's patterns, or one that it just misses. */
  #instance(near: readonly string[]): Name {
    const random = this.#random;
    const text = random
      .pick(near)
      .replace(/^\*\*?(?=\.)/, () => random.pick(LABELS))
      .replace(/(?<!\\)\{(\d+)\.\.(\d+)\}/, (_, low: string, high: string) => {
        const value = random.pick([
          Number(low),
          Number(high),
          Number(high) + 1,
          Math.max(0, Number(low) - 1),
          Number(low) + random.below(Number(high) - Number(low) + 1),
        ]);
        return String(value).padStart(low.length + random.pick([0, 0, 0, 0, 1, -1]), '0');
      });
    return nameOf(text);
  }

  #any(): Name {
    return inLabels([...this.#labels(this.#random.below(4)), ...labelsOf(nameOf(this.#random.pick(ZONES)))]);
  }

  #labels(count: number): string[] {
    return Array.from({ length: count }, () =>
      this.#random.once(6) ? this.#random.pick(ODD_LABELS) : nameOf(this.#random.pick(LABELS)),
    );
  }

  /** One label changed: joined with the next by a dot, lengthened, cut, or another one in its place. */
  #bent(labels: readonly string[]): string[] {
    const random = this.#random;
    if (labels.length === 0) return [];
    const at = random.below(labels.length);
    const label = labels[at]!;
    switch (random.below(5)) {
      case 0:
        return [...labels.slice(0, at), labels.slice(at, at + 2).join('.'), ...labels.slice(at + 2)];
      case 1:
        return labels.toSpliced(at, 1, `evil${label}`);
      case 2:
        return labels.toSpliced(at, 1, label.slice(0, -1) || 'a');
      case 3:
        return labels.toSpliced(at, 1, random.pick(ODD_LABELS));
      default:
        return labels.toSpliced(at, 0, label);
    }
  }
}

function writtenIn(policy: Policy): string[] {
  return [
    ...rulesOf(policy).map(({ pattern }) => pattern),
    ...[...policy.records, ...policy.redirects].map(({ name }) => name),
  ];
}
