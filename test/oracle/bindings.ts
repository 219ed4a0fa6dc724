import { ipAddress } from '../../src/wire/ip-address.ts';
/**
 * Whom leases and quarantines bind, decided twice: by the table that the query path reads, and slowly, from the list of all
 * that was ever opened (a lease on certificate and address, a lease on the certificate, a lease on the address).
 */

import { type Bound, LeaseTable } from '../../src/policy/lease/lease.ts';
import type { Prefix } from '../../src/wire/prefix.ts';
import { Random } from '../server/random.ts';
import { type Bits, bitsOf } from './recognise.ts';

interface Claim {
  readonly prefixes: readonly Bits[];
  readonly certificate: string | null;
}

interface SlowLease extends Claim {
  readonly id: string;
  identity: string;
  endsAt: number;
  quarantine: number;
}

/** Prefixes that lie in one another and beside one another, of both families. */
const PREFIXES = [
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.1.0/24',
  '10.1.1.128/25',
  '10.1.1.200/32',
  '10.1.1.201/32',
  '10.2.0.0/16',
  '0.0.0.0/0',
  '2001:db8::/32',
  '2001:db8:1::/48',
  '2001:db8:1::7/128',
  '2001:db8:1:8000::/49',
  '::/0',
];
const ADDRESSES = [
  '10.1.1.200',
  '10.1.1.201',
  '10.1.1.199',
  '10.1.1.1',
  '10.1.2.1',
  '10.2.0.0',
  '11.0.0.0',
  '2001:db8:1::7',
  '2001:db8:1::8',
  '2001:db8:1:8000::1',
  '2001:db8:2::',
  '2001:db9::',
];
const CERTIFICATES = ['spiffe://ci.example/a', 'spiffe://ci.example/b', 'dns:a.example', 'sha256:00ff'];
/** Names of the certificates that are shown; null for none. */
const SHOWN: readonly (readonly string[] | null)[] = [
  null,
  ...CERTIFICATES.map((name) => ['dns:other.example', name]),
  CERTIFICATES.slice(0, 2),
  CERTIFICATES.slice(1, 3),
  CERTIFICATES.toReversed(),
];
const IDENTITIES = ['alpha', 'beta', 'gamma'];

/** The slow one: what was opened stays in the list, and is looked at with every question. */
class Slow {
  readonly leases: SlowLease[] = [];

  mayOpen(wanted: Claim, now: number): boolean {
    return !this.leases.some((lease) => {
      if (now >= lease.endsAt) return false;
      // One lies in the other, and then they share an address: also where a certificate is asked for besides.
      const overlap = lease.prefixes.some((one) =>
        wanted.prefixes.some(
          (other) =>
            family(one) === family(other) &&
            (bare(one).startsWith(bare(other)) || bare(other).startsWith(bare(one))),
        ),
      );
      const shared = lease.certificate !== null && lease.certificate === wanted.certificate;
      return overlap || (shared && (lease.prefixes.length === 0 || wanted.prefixes.length === 0));
    });
  }

  live(id: string, now: number): SlowLease | undefined {
    return this.leases.find((lease) => lease.id === id && now < lease.endsAt);
  }

  /**
   * What may hold for a client: `ID IDENTITY` of a lease, `quarantine`, or `nothing`. Of a certificate with several names that
   * are leased in one way, any of these leases. A live lease goes before every quarantine.
   */
  binds(names: readonly string[] | null, address: Bits, now: number): string[] {
    const shown: readonly (string | null)[] = names ?? [null];
    const claims = this.leases.filter(({ certificate }) => shown.includes(certificate));
    const there = claims.filter(({ prefixes }) => prefixes.some((prefix) => isIn(prefix, address)));
    const alone = claims.filter(({ prefixes }) => prefixes.length === 0);
    const live = (leases: readonly SlowLease[]): string[] =>
      leases.filter(({ endsAt }) => now < endsAt).map(({ id, identity }) => `${id} ${identity}`);
    for (const one of [live(there), live(alone)]) if (one.length > 0) return one;
    const calm = [...there, ...alone].some(({ endsAt, quarantine }) => now < endsAt + quarantine);
    return [calm ? 'quarantine' : 'nothing'];
  }
}

function isIn(prefix: Bits, address: Bits): boolean {
  return family(prefix) === address.length && address.startsWith(bare(prefix));
}

/** A prefix as `FAMILY:BITS`, the family as how many bits its addresses have. */
function slowPrefix(cidr: string): Bits {
  const [address = '', length] = cidr.split('/');
  const bits = bitsOf(address);
  return `${bits.length}:${bits.slice(0, Number(length))}`;
}

function family(prefix: Bits): number {
  return Number(prefix.split(':')[0]);
}

function bare(prefix: Bits): Bits {
  return prefix.split(':')[1]!;
}

function wordsOf(bits: Bits): number[] {
  return [0, 32, 64, 96]
    .filter((at) => at < bits.length)
    .map((at) => Number.parseInt(bits.slice(at, at + 32), 2));
}

function tablePrefix(prefix: Bits): Prefix {
  const bits = bare(prefix).padEnd(family(prefix), '0');
  return { family: family(prefix) === 32 ? 4 : 6, words: wordsOf(bits), length: bare(prefix).length };
}

function told(bound: Bound | null): string {
  if (bound === null) return 'nothing';
  return bound.lease === '' ? 'quarantine' : `${bound.lease} ${bound.identity}`;
}

export interface BindingsResult {
  readonly steps: number;
  /** How often each was found. */
  readonly seen: Readonly<Record<'lease' | 'quarantine' | 'nothing' | 'refused', number>>;
  /** The first difference, with what led to it, or null. */
  readonly failure: string | null;
}

/** Opens, changes and ends leases as time passes, and asks after each for every client there is. */
export function compareBindings(steps: number, seed: number): BindingsResult {
  const seen = { lease: 0, quarantine: 0, nothing: 0, refused: 0 };
  let random = new Random(seed);
  let table = new LeaseTable();
  let slow = new Slow();
  let course: string[] = [];
  let now = 0;
  const failed = (step: number, why: string): BindingsResult => ({
    steps: step,
    seen,
    failure: `seed ${seed}, step ${step}: ${why}\n${course.join('\n')}`,
  });
  for (let step = 0; step < steps; step++) {
    // A course that can be read by people.
    if (step % 40 === 0) {
      random = new Random(seed + Math.imul(step, 0x9e3779b1));
      table = new LeaseTable();
      slow = new Slow();
      course = [];
    }
    const event = happen(random, table, slow, step, now);
    course.push(`${now}: ${event.text}`);
    if (!event.agree) return failed(step, `${event.text}: not so by the reference`);
    if (event.refused) seen.refused++;
    now += random.pick([0, 0, 1, 50, 400]);
    for (const text of ADDRESSES) {
      const address = bitsOf(text);
      const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = wordsOf(address);
      const v = address.length === 32 ? 4 : 6;
      for (const names of SHOWN) {
        const bound =
          names === null
            ? table.byAddress(ipAddress(v, w0, w1, w2, w3), now)
            : table.byCertificate(names, ipAddress(v, w0, w1, w2, w3), now);
        const [got, wanted] = [told(bound), slow.binds(names, address, now)];
        if (!wanted.includes(got)) {
          const who = `${names?.join(' and ') ?? 'no certificate'} from ${text}`;
          return failed(step, `${who} at ${now}: ${got}, not ${wanted.join(' or ')}`);
        }
        seen[got === 'nothing' || got === 'quarantine' ? got : 'lease']++;
      }
    }
  }
  return { steps, seen, failure: null };
}

function happen(
  random: Random,
  table: LeaseTable,
  slow: Slow,
  step: number,
  now: number,
): { readonly text: string; readonly agree: boolean; readonly refused?: boolean } {
  const some = slow.leases.length === 0 ? null : random.pick(slow.leases);
  switch (random.below(6)) {
    case 0:
      table.expire(now);
      return { text: 'tidied', agree: true };
    case 1: {
      if (some === null) return { text: 'nothing', agree: true };
      const done = table.end(some.id, now) !== null;
      const live = slow.live(some.id, now);
      if (live !== undefined) live.endsAt = now;
      return { text: `end ${some.id}`, agree: done === (live !== undefined) };
    }
    case 2: {
      if (some === null) return { text: 'nothing', agree: true };
      const identity = random.pick(IDENTITIES);
      const endsAt = now + 1 + random.below(500);
      const quarantine = random.pick([0, 0, 300]);
      const live = slow.live(some.id, now);
      const done = table.change(some.id, { identity, endsAt, quarantine }, now);
      if (live !== undefined) Object.assign(live, { identity, endsAt, quarantine });
      return {
        text: `change ${some.id}: ${identity} until ${endsAt}, quarantine ${quarantine}`,
        agree: done === (live !== undefined),
      };
    }
    default: {
      const certificate = random.once(2) ? random.pick(CERTIFICATES) : null;
      const least = certificate === null ? 1 : 0;
      const cidrs = Array.from({ length: least + random.below(3 - least) }, () => random.pick(PREFIXES));
      const prefixes = [...new Set(cidrs)].map(slowPrefix);
      const lease = {
        id: `l${step}`,
        identity: random.pick(IDENTITIES),
        certificate,
        endsAt: now + 1 + random.below(500),
        quarantine: random.pick([0, 0, 300]),
      };
      const conflict = table.open(
        {
          ...lease,
          addresses: prefixes.map(tablePrefix),
          stage: null,
          job: null,
          sourceEnforced: false,
          known: true,
        },
        now,
      );
      const may = slow.mayOpen({ prefixes, certificate }, now);
      if (may) slow.leases.push({ ...lease, prefixes });
      const on = [...new Set(cidrs), ...(certificate === null ? [] : [certificate])].join(' ');
      return {
        text: `open ${lease.id} on ${on}: ${lease.identity} until ${lease.endsAt}, quarantine ${lease.quarantine}`,
        agree: (conflict === null) === may,
        refused: !may,
      };
    }
  }
}
