import fc from 'fast-check';
import t from 'tap';
import { type Bound, type Lease, LeaseTable } from '../../../src/policy/lease/lease.ts';
import { covers, overlaps } from '../../../src/policy/lease/lease-claim.ts';
import { ipAddress } from '../../../src/wire/ip-address.ts';
import type { Prefix } from '../../../src/wire/prefix.ts';
import { collision } from './collision.ts';

/** 10.0.0.0/8 and the like, IPv6 as four words. */
function prefix(family: 4 | 6, words: readonly number[], length: number): Prefix {
  const masked = words.map((word, i) => {
    const bits = length - 32 * i;
    return bits <= 0 ? 0 : bits >= 32 ? word : (word & (0xffff_ffff << (32 - bits))) >>> 0;
  });
  return { family, words: masked, length };
}

function lease(id: string, parts: Partial<Lease> = {}): Lease {
  return {
    id,
    identity: 'job',
    stage: null,
    addresses: [],
    certificate: null,
    job: null,
    endsAt: 1000,
    quarantine: 0,
    sourceEnforced: false,
    known: true,
    ...parts,
  };
}

const TEN = prefix(4, [0x0a00_0000], 8);
const ONE = prefix(4, [0x0a00_0001], 32);

function at(table: LeaseTable, address: number, now: number): Bound | null {
  return table.byAddress(ipAddress(4, address, 0, 0, 0), now);
}

t.test('an empty table knows nobody', async (t) => {
  const table = new LeaseTable();
  t.equal(table.size, 0);
  t.equal(at(table, 0x0a00_0001, 0), null);
  t.equal(table.byCertificate(['sha256:00'], ipAddress(4, 1, 0, 0, 0), 0), null);
  t.same(table.expire(1e9), []);
});

t.test('a lease holds up to its end and not at it, whether or not anybody tidies up', async (t) => {
  const table = new LeaseTable();
  t.equal(table.open(lease('a', { addresses: [ONE] }), 0), null);
  t.match(at(table, 0x0a00_0001, 999.999), { identity: 'job', lease: 'a', endsAt: 1000 });
  t.equal(at(table, 0x0a00_0001, 1000), null);
  t.equal(at(table, 0x0a00_0002, 0), null);
  t.equal(table.size, 1);
  t.match(table.expire(1000), [{ id: 'a' }]);
  t.equal(table.size, 0);
});

t.test('an IPv4 client is the same on a socket of both families', async (t) => {
  const table = new LeaseTable();
  table.open(lease('a', { addresses: [ONE] }), 0);
  t.match(table.byAddress(ipAddress(6, 0, 0, 0xffff, 0x0a00_0001), 0), { lease: 'a' });
  t.equal(table.byAddress(ipAddress(6, 0, 0, 0, 0x0a00_0001), 0), null);
});

t.test('the 409 rule', async (t) => {
  const table = new LeaseTable();
  table.open(lease('a', { addresses: [TEN] }), 0);
  t.same(table.open(lease('b', { addresses: [ONE] }), 0), { lease: 'a', on: 'address' });
  t.same(table.open(lease('b', { addresses: [ONE], certificate: 'dns:x' }), 0), {
    lease: 'a',
    on: 'address',
  });
  t.equal(
    table.open(lease('b', { addresses: [prefix(4, [0x0b00_0000], 8)], certificate: 'dns:x' }), 0),
    null,
  );
  t.same(table.open(lease('c', { certificate: 'dns:x' }), 0), { lease: 'b', on: 'certificate' });
  t.equal(
    table.open(lease('c', { certificate: 'dns:x', addresses: [prefix(4, [0x0c00_0000], 8)] }), 0),
    null,
  );
  t.equal(table.open(lease('d', { certificate: 'dns:y' }), 0), null);
  t.same(table.open(lease('e', { certificate: 'dns:y', addresses: [prefix(4, [0x0d00_0000], 8)] }), 0), {
    lease: 'd',
    on: 'certificate',
  });
  t.equal(table.open(lease('f', { addresses: [ONE], endsAt: 2000 }), 1000), null, 'an end makes room');
  t.equal(table.expire(1000).length, 4, 'and is still told');
});

t.test('a lease with a certificate binds only with it, and one with both only with both', async (t) => {
  const table = new LeaseTable();
  table.open(lease('both', { addresses: [TEN], certificate: 'dns:x' }), 0);
  table.open(lease('alone', { certificate: 'dns:y' }), 0);
  const shown = (names: string[], address: number): string | undefined =>
    table.byCertificate(names, ipAddress(4, address, 0, 0, 0), 0)?.lease;
  t.equal(at(table, 0x0a00_0001, 0), null);
  t.equal(shown(['sha256:1', 'dns:x'], 0x0a00_0001), 'both');
  t.equal(shown(['sha256:1', 'dns:x'], 0x0b00_0001), undefined);
  t.equal(shown(['dns:y'], 0x0b00_0001), 'alone');
  t.equal(
    shown(['dns:y', 'dns:x'], 0x0a00_0001),
    'both',
    'certificate and address come before the certificate',
  );
});

t.test('quarantine begins at the end, by whatever way, and ends by itself', async (t) => {
  const table = new LeaseTable();
  table.open(lease('a', { addresses: [TEN], quarantine: 500 }), 0);
  t.match(at(table, 0x0a00_0001, 1000), { identity: 'unknown', stage: null, lease: '', endsAt: 1500 });
  t.equal(at(table, 0x0a00_0001, 1500), null);
  table.expire(1200);
  t.match(at(table, 0x0a00_0001, 1200), { identity: 'unknown', endsAt: 1500 });
  table.open(lease('b', { addresses: [ONE], endsAt: 9000, quarantine: 500 }), 1200);
  t.match(at(table, 0x0a00_0001, 1300), { lease: 'b' }, 'a lease inside it holds');
  t.match(at(table, 0x0a00_0002, 1300), { identity: 'unknown' });
  t.match(table.end('b', 2000), { id: 'b' });
  t.match(at(table, 0x0a00_0001, 2000), { identity: 'unknown', endsAt: 2500 });
  t.equal(table.end('b', 2000), null);
  table.expire(2500);
  t.equal(table.size, 0);
});

t.test('what changes is another object', async (t) => {
  const table = new LeaseTable();
  table.open(lease('a', { addresses: [ONE], stage: 'one' }), 0);
  const before = at(table, 0x0a00_0001, 0);
  t.equal(table.change('a', { stage: 'two' }, 10), true);
  const after = at(table, 0x0a00_0001, 10);
  t.equal(before?.stage, 'one');
  t.equal(after?.stage, 'two');
  t.equal(table.change('a', { known: false }, 10), true);
  t.match(at(table, 0x0a00_0001, 10), { identity: 'unknown', stage: null, lease: 'a' });
  t.equal(table.change('a', { stage: 'two' }, 1000), false);
  t.equal(table.change('b', { stage: 'two' }, 0), false);
});

t.test('a claim that comes and goes leaves nothing', async (t) => {
  const table = new LeaseTable();
  for (let i = 0; i < 1000; i++) {
    table.open(
      lease('a', { addresses: [ONE], certificate: i % 2 ? 'dns:x' : null, quarantine: 1e6, endsAt: 1e9 }),
      0,
    );
    table.end('a', 0);
  }
  t.equal(table.size, 2, 'one quarantine a claim');
  table.expire(1e6);
  t.equal(table.size, 0);
});

const words = fc.constantFrom(0, 0x0a00_0000, 0x0a00_0001, 0x0a80_0000, 0xffff_ffff, 0x8000_0000);
const somePrefix = fc.oneof(
  fc.tuple(words, fc.constantFrom(0, 1, 8, 9, 31, 32)).map(([word, length]) => prefix(4, [word], length)),
  fc
    .tuple(words, words, words, words, fc.constantFrom(0, 8, 33, 64, 96, 127, 128))
    .map(([a, b, c, d, length]) => prefix(6, [a, b, c, d], length))
    .filter(({ words: [a, b, c], length }) => !(a === 0 && b === 0 && c === 0xffff && length >= 96)),
);

t.test('the table answers as a list of leases would', async (t) => {
  const action = fc.oneof(
    fc.record({
      do: fc.constant('open' as const),
      addresses: fc.array(somePrefix, { maxLength: 3 }),
      certificate: fc.constantFrom(null, 'dns:x', 'dns:y'),
      life: fc.integer({ min: 1, max: 50 }),
      quarantine: fc.constantFrom(0, 20),
    }),
    fc.record({ do: fc.constant('end' as const), which: fc.nat(30) }),
    fc.record({ do: fc.constant('expire' as const) }),
    fc.record({ do: fc.constant('pass' as const), time: fc.integer({ min: 0, max: 30 }) }),
    fc.record({
      do: fc.constant('ask' as const),
      family: fc.constantFrom(4 as const, 6 as const),
      words: fc.tuple(words, words, words, words),
      names: fc.subarray(['dns:y', 'dns:x', 'sha256:0']),
    }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const table = new LeaseTable();
      const live: Lease[] = [];
      const calm: { claim: Lease; until: number; from: number }[] = [];
      let now = 0;
      const settle = (): void => {
        for (const one of live.filter(({ endsAt }) => endsAt <= now)) {
          live.splice(live.indexOf(one), 1);
          calm.push({ claim: one, from: one.endsAt, until: one.endsAt + one.quarantine });
        }
      };
      actions.forEach((step, index) => {
        settle();
        switch (step.do) {
          case 'pass':
            now += step.time;
            break;
          case 'expire':
            table.expire(now);
            break;
          case 'end': {
            const one = live[step.which];
            if (one === undefined) break;
            live.splice(step.which, 1);
            calm.push({ claim: one, from: now, until: now + one.quarantine });
            t.ok(table.end(one.id, now));
            break;
          }
          case 'open': {
            const { addresses, certificate, quarantine, life } = step;
            if (addresses.length === 0 && certificate === null) break;
            const wanted = lease(`l${index}`, { addresses, certificate, quarantine, endsAt: now + life });
            const free = live.every((one) => collision(one, wanted) === null);
            if ((table.open(wanted, now) === null) !== free) throw new Error('conflict');
            if (free) live.push(wanted);
            break;
          }
          case 'ask': {
            const [a, b, c, d] = step.words;
            const address = prefix(
              step.family,
              step.family === 4 ? [a] : [a, b, c, d],
              step.family === 4 ? 32 : 128,
            );
            const got = [
              table.byAddress(ipAddress(step.family, a, b, c, d), now),
              table.byCertificate(step.names, ipAddress(step.family, a, b, c, d), now),
            ].map((bound) => (bound === null ? null : bound.lease));
            const wanted = [
              bindingOf(live, null, address)?.id ?? (isCalm(calm, null, address, now) ? '' : null),
              step.names.map((name) => bindingOf(live, name, address)).find((one) => one !== undefined)?.id ??
                step.names
                  .map((name) => live.find((one) => isAlone(one, name)))
                  .find((one) => one !== undefined)?.id ??
                (step.names.some((name) => isCalm(calm, name, address, now)) ? '' : null),
            ];
            if (JSON.stringify(got) !== JSON.stringify(wanted)) {
              throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
            }
            break;
          }
        }
      });
    }),
    { numRuns: 2000 },
  );
});

type Calm = readonly { readonly claim: Lease; readonly until: number; readonly from: number }[];

function isAlone(claim: Lease, certificate: string | null): boolean {
  return certificate !== null && claim.certificate === certificate && claim.addresses.length === 0;
}

function binds(claim: Lease, certificate: string | null, address: Prefix): boolean {
  return claim.certificate === certificate && claim.addresses.some((one) => covers(one, address));
}

function bindingOf(live: readonly Lease[], certificate: string | null, address: Prefix): Lease | undefined {
  return live.find((one) => binds(one, certificate, address));
}

function isCalm(calm: Calm, certificate: string | null, address: Prefix, now: number): boolean {
  return calm.some(
    ({ claim, until }) => now < until && (binds(claim, certificate, address) || isAlone(claim, certificate)),
  );
}

t.test('a new lease lifts a quarantine, whichever of the two is wider', async (t) => {
  for (const [what, calm, wanted] of [
    ['the same', ONE, ONE],
    ['inside', TEN, ONE],
    ['around', ONE, TEN],
  ] as const) {
    for (const certificate of [null, 'dns:x']) {
      const table = new LeaseTable();
      const bound = (now: number): Bound | null =>
        certificate === null
          ? at(table, 0x0a00_0001, now)
          : table.byCertificate([certificate], ipAddress(4, 0x0a00_0001, 0, 0, 0), now);
      table.open(lease('a', { addresses: [calm], certificate, quarantine: 5000 }), 0);
      table.end('a', 10);
      t.match(bound(10), { identity: 'unknown', lease: '' }, what);
      t.equal(table.open(lease('b', { addresses: [wanted], certificate, endsAt: 3000 }), 20), null);
      t.match(bound(20), { identity: 'job', lease: 'b' }, what);
      t.match(bound(3000), { identity: 'unknown', lease: '' }, `${what}: it goes on when the lease is over`);
    }
  }
  const table = new LeaseTable();
  table.open(lease('a', { addresses: [ONE], certificate: 'dns:x', quarantine: 5000 }), 0);
  table.end('a', 10);
  table.open(lease('b', { certificate: 'dns:x' }), 20);
  t.match(
    table.byCertificate(['dns:x'], ipAddress(4, 0x0a00_0001, 0, 0, 0), 20),
    { lease: 'b' },
    'on the certificate alone',
  );
});

t.test('what is opened, changed and ended for long leaves nothing behind', async (t) => {
  const table = new LeaseTable();
  for (let i = 0; i < 20_000; i++) {
    table.open(lease('a', { addresses: [ONE, TEN], endsAt: i + 1000 }), i);
    table.change('a', { endsAt: i + 1001 }, i);
    if (i % 3 === 0) table.end('a', i);
  }
  table.expire(1e9);
  t.equal(table.size, 0);
  t.equal(table.conflict({ id: 'b', addresses: [TEN], certificate: null }, 1e9), null);
});

t.test('prefixes overlap where one lies in the other', async (t) => {
  t.equal(overlaps(TEN, ONE), true);
  t.equal(overlaps(ONE, TEN), true);
  t.equal(covers(ONE, TEN), false);
  t.equal(overlaps(prefix(6, [0, 0, 0, 0], 0), TEN), false);
  const low = prefix(6, [0x2001_0db8, 0, 0, 0], 33);
  const high = prefix(6, [0x2001_0db8, 0x8000_0000, 0, 0], 33);
  t.equal(overlaps(low, high), false);
  t.equal(overlaps(low, prefix(6, [0x2001_0db8, 0, 0, 0], 32)), true);
});
