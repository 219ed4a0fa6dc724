import t from 'tap';
import type { Lease } from '../../src/policy/lease/lease.ts';
import { FLAG } from '../../src/wire/header.ts';
import { OPTION } from '../../src/wire/iana.ts';
import { Rig } from '../outbox/rig.ts';
import { prefix } from '../policy/build.ts';
import { House, type QueryOptions, queryOctets } from './house.ts';
import { policy, rule } from './policy.ts';

/** A job is held to what it is denied, so a denial to the address of a lease is given where nobody can forge it. */

const POLICY = policy({
  job: { allow: ['github.example', rule('typed.example', 'types: [TXT]'), 'x.above.example'] },
  audited: { allow: ['github.example'], more: ['mode: audit', 'audit_until: 2027-01-01'] },
});

function lease(house: House, some: Partial<Lease> = {}): void {
  const opened = house.leases.open(
    {
      id: 'l1',
      identity: 'job',
      stage: null,
      addresses: [prefix('192.0.2.7/32')],
      certificate: null,
      job: null,
      endsAt: house.now + 60_000,
      quarantine: 0,
      sourceEnforced: false,
      known: true,
      ...some,
    },
    house.now,
  );
  if (opened !== null) throw new Error('in conflict');
}

const LEASED = { from: '192.0.2.7', spoofable: true } as const;
const cookie = (data: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, OPTION.COOKIE, 0, data.length]), data]);

/** What, of whom, name and type; whether it is sent to TCP. */
const ROWS: readonly (readonly [string, Partial<Lease>, QueryOptions, string, string, boolean])[] = [
  ['a leased address', {}, LEASED, 'evil.example', 'A', true],
  ['any type', {}, LEASED, 'evil.example', 'TXT', true],
  ['without EDNS', {}, { ...LEASED, edns: false }, 'evil.example', 'A', true],
  ['a special name', {}, LEASED, 'use-application-dns.net', 'A', true],
  [
    'a client cookie alone',
    {},
    { ...LEASED, options: cookie(Buffer.alloc(8, 7)) },
    'evil.example',
    'A',
    true,
  ],
  ['over TCP', {}, { ...LEASED, transport: 'tcp', spoofable: false }, 'evil.example', 'A', false],
  ['where nobody forges', {}, { ...LEASED, spoofable: false }, 'evil.example', 'A', false],
  ['an enforced source', { sourceEnforced: true }, LEASED, 'evil.example', 'A', false],
  ['another address', {}, { ...LEASED, from: '192.0.2.8' }, 'evil.example', 'A', false],
  ['an address without a lease', {}, { ...LEASED, from: '127.0.0.1' }, 'evil.example', 'A', false],
  ['another type', {}, LEASED, 'typed.example', 'A', false],
  ['above a name', {}, LEASED, 'above.example', 'A', false],
  ['local', {}, LEASED, 'localhost', 'A', false],
];

t.test('who is sent to TCP for a denial', async (t) => {
  for (const [what, some, options, name, type, toTcp] of ROWS) {
    const house = new House(t.testdir.bind(t), POLICY);
    lease(house, some);
    const sent = queryOctets(name, type, options);
    const reply = await house.send(sent, options);
    t.equal((reply.flags & FLAG.TC) !== 0, toTcp, what);
    t.same(house.asked, [], 'nothing leaves');
    if (!toTcp) continue;
    t.same([reply.rcode, reply.answer, reply.authority, reply.ede], [0, [], [], []], what);
    t.ok(reply.octets.length <= 3 * sent.length, what);
    t.equal(house.exits.at(-1), 'deny_unproven', what);
    const again = await house.send(sent, { ...options, transport: 'tcp', spoofable: false });
    t.equal(again.rcode, 3, `${what}: denied over TCP`);
    t.equal(house.exits.at(-1), 'deny', what);
  }
});

t.test('a server cookie is proof', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house);
  const first = await house.query('evil.example', 'A', { ...LEASED, options: cookie(Buffer.alloc(8, 7)) });
  const given = first.options.find(({ code }) => code === OPTION.COOKIE)!.data;
  t.equal(given.length, 24, 'the reply that sends to TCP has one');
  const reply = await house.query('evil.example', 'A', { ...LEASED, options: cookie(given) });
  t.same([reply.rcode, reply.flags & FLAG.TC], [3, 0]);
  t.equal(house.exits.at(-1), 'deny');
});

t.test('a lease that is over binds nobody, in its quarantine too', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, { quarantine: 60_000 });
  house.leases.end('l1', house.now);
  const reply = await house.query('evil.example', 'A', LEASED);
  t.same([reply.rcode, reply.flags & FLAG.TC], [3, 0]);
});

t.test('both are told: the one without proof, and the one with it', async (t) => {
  const feed = new Rig(t, POLICY);
  lease(feed.house);
  await feed.house.query('evil.example', 'A', LEASED);
  await feed.house.query('evil.example', 'A', { ...LEASED, transport: 'tcp', spoofable: false });
  const told = feed.take().map(({ kind, proven, rcode, lease }) => [kind, proven, rcode, lease]);
  t.same(told, [
    ['deny', false, 'NOERROR', 'l1'],
    ['deny', true, 'NXDOMAIN', 'l1'],
  ]);
  t.match(feed.house.resolver.tally.of('l1'), { deny: 1, deny_unproven: 1 });
});

t.test('an audited identity is denied nothing', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  lease(house, { identity: 'audited' });
  await house.query('evil.example', 'A', LEASED);
  t.equal(house.exits.at(-1), 'unproven', 'it is sent to TCP for the answer');
});
