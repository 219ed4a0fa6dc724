import t from 'tap';
import { Rig } from '../outbox/rig.ts';
import { prefix } from '../policy/build.ts';
import { House } from './house.ts';
import { policy } from './policy.ts';

/** What an operator expects to be denied is denied, told with a flag, and counted apart. */

const EXPECTED =
  'expected: [{ name: "**.vendor.example", reason: it phones home, until: 2026-11-21 }, { name: above.example, reason: r, until: 2026-11-21 }]';
const POLICY = policy({
  builder: { allow: ['github.example', 'x.above.example'], more: [EXPECTED] },
  audited: { allow: ['github.example'], more: [EXPECTED, 'mode: audit', 'audit_until: 2027-01-01'] },
});
const BUILDER = { from: '127.0.0.1' };

t.test('the answer is that of any denial', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const [expected, other] = [
    await house.query('t1.vendor.example', 'A', BUILDER),
    await house.query('t1.vandor.example', 'A', BUILDER),
  ];
  t.same([expected.rcode, expected.ede], [other.rcode, other.ede]);
  t.same(house.asked, []);
});

t.test('each way out', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [name, options, exit] of [
    ['t1.vendor.example', BUILDER, 'deny_expected'],
    ['evil.example', BUILDER, 'deny'],
    ['t1.vendor.example', { ...BUILDER, spoofable: true }, 'deny_unproven'],
    ['above.example', BUILDER, 'empty'],
    ['t1.vendor.example', { from: '127.0.0.9' }, 'deny'],
  ] as const) {
    await house.query(name, 'A', options);
    t.equal(house.exits.pop(), exit, name);
  }
  house.pass(86_400);
  await house.query('t1.vendor.example', 'A', BUILDER);
  t.equal(house.exits.pop(), 'deny', 'from its end on it is news');
});

t.test('events carry it, and fold apart', async (t) => {
  const feed = new Rig(t, POLICY);
  const { house } = feed;
  await house.ask('t1.vendor.example', 'A', BUILDER);
  await house.ask('above.example', 'A', BUILDER);
  await house.ask('t1.vendor.example', 'A', { from: '127.0.0.2' });
  await house.ask('evil.example', 'A', BUILDER);
  const brief = feed.take().map(({ kind, name, expected }) => `${kind} ${name} ${expected}`);
  t.same(brief, [
    'deny t1.vendor.example true',
    'empty above.example true',
    'would_deny t1.vendor.example true',
    'deny evil.example undefined',
  ]);
  house.pass(86_400);
  await house.ask('t1.vendor.example', 'A', BUILDER);
  t.match(feed.take(), [{ kind: 'deny', name: 't1.vendor.example', count: 1, expected: undefined }]);
});

t.test('by registered domain, too, expected denials stand apart', async (t) => {
  const feed = new Rig(t, POLICY);
  const { house } = feed;
  for (let i = 0; i < 150; i++) {
    await house.ask(`n${i}.vendor.example`, 'A', BUILDER);
    await house.ask(`n${i}.evil.example`, 'A', BUILDER);
  }
  house.pass(2);
  const sum = { expected: 0, news: 0 };
  for (const { expected, name = '', count = 0 } of feed.take()) {
    sum[expected === true ? 'expected' : 'news'] += count;
    t.equal(name.endsWith('vendor.example'), expected === true, name);
  }
  t.same(sum, { expected: 150, news: 150 });
});

t.test("a lease's denials", async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.leases.open(
    {
      id: 'l1',
      identity: 'builder',
      stage: null,
      addresses: [prefix('127.0.0.7/32')],
      certificate: null,
      job: null,
      endsAt: house.now + 100_000,
      quarantine: 0,
      sourceEnforced: false,
      known: true,
    },
    house.now,
  );
  const from = { from: '127.0.0.7' };
  for (const name of ['t1.vendor.example', 't2.vendor.example', 'evil.example', 'above.example'])
    await house.query(name, 'A', from);
  t.match(house.resolver.tally.of('l1'), { deny: 1, deny_expected: 2, empty: 1, deny_unproven: 0 });
});
