import t, { type Test } from 'tap';
import type { FeedEvent } from '../../src/outbox/event.ts';
import { Credential } from '../../src/resolve/client/credential.ts';
import { nameFromText } from '../../src/wire/name.ts';
import { policy, rule } from '../resolve/policy.ts';
import { Rig, sumOf } from './rig.ts';

const POLICY = policy({
  builder: { allow: ['github.com', '*.cdn.example', rule('mx.example', 'types: [MX]')] },
  tester: { allow: ['github.com'] },
  audited: { allow: ['github.com'], more: ['mode: audit', 'audit_until: 2027-01-01'] },
});

const BUILDER = { from: '127.0.0.1', port: 40_001 };
const TESTER = { from: '127.0.0.2' };
const AUDITED = { from: '127.0.0.3' };

function rig(t: Test): Rig {
  return new Rig(t, POLICY);
}

/** Without what each start has of its own. */
const brief = ({ kind, identity, name, count, folded }: FeedEvent): string =>
  [kind, identity, name, count, folded].filter((part) => part !== undefined).join(' ');

t.test('each kind of question is an event that says all of it', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  await house.ask('evil.example', 'A', BUILDER);
  await house.ask('github.com', 'TXT', BUILDER);
  await house.ask('github.com', 'A', BUILDER, {
    answer: ['github.com 60 A 192.0.2.7', 'github.com 60 A 192.0.2.8'],
  });
  await house.ask('localhost', 'A', { ...BUILDER, transport: 'tcp' });
  await house.ask('audited.example', 'AAAA', AUDITED);
  const events = feed.take();
  const [deny, empty, allow, local, would] = events;
  t.match(deny, {
    kind: 'deny',
    seq: 1,
    server: 'ns1',
    identity: 'builder',
    owner: 'team-a',
    client: '127.0.0.1',
    client_port: 40_001,
    transport: 'udp',
    proven: true,
    name: 'evil.example',
    type: 'A',
    verdict: 'deny',
    ground: 'nothing',
    rcode: 'NXDOMAIN',
    policy: /^[0-9a-f]{16}$/,
    count: 1,
    time: '2026-11-20T00:00:00.000Z',
  });
  t.match(empty, { kind: 'empty', type: 'TXT', verdict: 'empty', rcode: 'NOERROR', rule: /\.yaml:\d+$/ });
  t.match(allow, {
    kind: 'allow',
    name: 'github.com',
    addresses: ['192.0.2.7', '192.0.2.8'],
    verdict: 'allow',
    rule: /\.yaml:\d+$/,
  });
  t.match(local, { kind: 'allow', verdict: 'local', transport: 'tcp', addresses: ['127.0.0.1'] });
  t.match(would, { kind: 'would_deny', identity: 'audited', verdict: 'deny', type: 'AAAA' });
  t.equal(events.length, 5, 'and no more');
  t.equal(feed.loop.faults, 0);
});

t.test('what audit lets through is one event, whatever the reason', async (t) => {
  const feed = new Rig(
    t,
    policy({
      audited: {
        allow: [rule('mx.example', 'types: [MX]')],
        more: ['mode: audit', 'audit_until: 2027-01-01'],
      },
    }),
  );
  const { house } = feed;
  const answer = ['mx.example 60 MX 10 evil.example'];
  await house.ask('mx.example', 'MX', {}, { answer });
  await house.query('mx.example', 'MX');
  await house.ask('evil.example', 'A', {}, { answer: ['evil.example 60 A 192.0.2.7'] });
  t.strictSame(
    feed.take(true).map(({ kind, name, count }) => [kind, name, count]),
    [
      ['would_deny', 'mx.example', 1],
      ['would_deny', 'evil.example', 1],
      ['would_deny', 'mx.example', 1],
    ],
  );
});

t.test('what nobody wants is not written', async (t) => {
  const feed = new Rig(t, POLICY, ['contain']);
  await feed.house.ask('evil.example', 'A', BUILDER);
  await feed.house.ask('github.com', 'TXT', BUILDER);
  t.strictSame(feed.take(), []);
});

t.test('names that are hostile', async (t) => {
  const cases = [
    'a\\000b.example',
    'line\\010break.example',
    'c1\\155x.example',
    'bidi\\226\\128\\174.example',
  ];
  for (const text of [...cases, 'do\\.t.example', 'quo\\"te.example', `${'a.'.repeat(126)}b`, '.']) {
    const feed = rig(t);
    const wire = nameFromText(text);
    if (!(wire instanceof Uint8Array)) throw new Error(text);
    await feed.house.ask(text, 'A', BUILDER);
    const [event] = feed.take();
    const name = event?.name ?? '';
    t.match(name, /^[!-~]*$/, text);
    t.strictSame(
      Buffer.from(nameFromText(name) as Uint8Array),
      Buffer.from(wire),
      'it gives the octets back',
    );
    t.equal(event?.wire_name, name.includes('\\') ? Buffer.from(wire).toString('hex') : undefined);
  }
});

t.test('repeats coalesce, and every question is counted', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  for (let i = 0; i < 100; i++) await house.ask('evil.example', 'A', BUILDER);
  t.strictSame(feed.take().map(brief), ['deny builder evil.example 1']);
  t.strictSame(feed.take(), [], 'not before a second has passed');
  house.pass(1);
  const [running, ...more] = feed.take();
  t.match(running, { count: 99, total: 100, folded: 'repeats', client: '127.0.0.1' });
  t.strictSame(more, []);
  for (let i = 0; i < 5; i++) await house.ask('evil.example', 'A', { ...BUILDER, port: i + 1 });
  await house.ask('evil.example', 'A', { from: '127.0.0.9' });
  house.pass(2);
  t.match(feed.take(), [
    { kind: 'deny', identity: 'unknown', count: 1 },
    { count: 5, total: 105, name: 'evil.example' },
  ]);
  house.pass(120);
  feed.take();
  await house.ask('evil.example', 'A', BUILDER);
  t.match(feed.take(), [{ count: 1, total: 1 }], 'after a minute of silence it is a first one again');
});

t.test('ever other names are told by registered domain', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  const asked = 1_000;
  for (let i = 0; i < asked; i++) await house.ask(`n${i}.evil.co.uk`, 'A', BUILDER);
  await house.ask('n.tester.example', 'A', TESTER);
  const at_once = feed.take();
  const own = at_once.filter(({ folded, identity }) => folded === undefined && identity === 'builder');
  t.equal(own.length, 100, 'a hundred have their own');
  t.ok(at_once.some(({ identity }) => identity === 'tester'));
  house.pass(1);
  const events = [...at_once, ...feed.take()];
  t.equal(sumOf(events, 'deny'), asked + 1, 'and all are counted');
  const domain = events.filter(({ folded }) => folded === 'domain');
  t.match(domain[0], { name: 'evil.co.uk', identity: 'builder' });
  const distinct = domain.at(-1)?.distinct_names ?? 0;
  t.ok(distinct > 700 && distinct <= 900, `${distinct} names at least`);

  for (let i = 0; i < 300; i++) await house.ask(`x.d${i}.example`, 'A', BUILDER);
  house.pass(2);
  const later = feed.take();
  t.equal(sumOf(later, 'deny'), 300);
  const names = new Set(later.filter(({ folded }) => folded === 'domain').map(({ name }) => name ?? '*'));
  t.ok(names.size <= 33 && names.has('*'), `${names.size} events tell of 300 domains`);
});

t.test('a few domains are told by their names, however long the labels in front are', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  const domains = ['evil.example', 'wicked.example', 'bad.co.uk', 'worse.test'];
  const asked = 2_000;
  for (let i = 0; i < asked; i++) {
    const label = `${i.toString(36)}${'x'.repeat((i * 7) % 11)}`;
    await house.ask(`${label}.${domains[i % domains.length]}`, 'A', BUILDER);
  }
  const events = feed.take();
  house.pass(2);
  events.push(...feed.take());
  t.equal(sumOf(events, 'deny'), asked);
  const folded = events.filter(({ folded }) => folded === 'domain');
  t.same(
    [...new Set(folded.map(({ name }) => name))].sort(),
    [...domains].sort(),
    'none is told without its name',
  );
  for (const domain of domains) {
    const own = folded.filter(({ name }) => name === domain);
    t.equal(
      own.at(-1)?.total,
      own.reduce((sum, { count = 0 }) => sum + count, 0),
      `${domain} has one entry`,
    );
  }
});

t.test('what a forged source sends takes no place from what is proved', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  const forged = { ...BUILDER, spoofable: true };
  for (let i = 0; i < 500; i++) await house.ask(`n${i}.forged.example`, 'A', forged);
  await house.ask('real.example', 'A', BUILDER);
  house.pass(1);
  const events = feed.take();
  t.ok(events.some(({ name, proven }) => name === 'real.example' && proven === true));
  t.equal(
    sumOf(
      events.filter(({ proven }) => proven === false),
      'deny',
    ),
    500,
  );
});

t.test('a certificate and a lease are named', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  const credential = new Credential(['sha256:00ff', 'spiffe://ci.example/x'], null);
  house.leases.open(
    {
      id: 'le-1',
      identity: 'tester',
      stage: null,
      job: { repository: 'org/app', run: '7' },
      endsAt: house.now + 1e6,
      quarantine: 0,
      sourceEnforced: false,
      known: true,
      addresses: [],
      certificate: 'spiffe://ci.example/x',
    },
    house.now,
  );
  await house.ask('evil.example', 'A', { ...BUILDER, transport: 'tls', credential });
  t.match(feed.take().at(-1), {
    identity: 'tester',
    lease: 'le-1',
    job: { repository: 'org/app', run: '7' },
    transport: 'tls',
    certificate: { san: 'spiffe://ci.example/x', fingerprint: 'sha256:00ff' },
  });
});

t.test('a kill between any two steps loses nothing and tells nothing twice', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  let asked = 0;
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 50; i++, asked++) {
      await house.ask(i % 3 === 0 ? 'same.example' : `n${asked}.example`, 'A', i % 2 ? BUILDER : TESTER);
    }
    if (round % 4 !== 3) feed.loop.round();
    house.pass(0.3);
    // The worker is killed, or the process.
    if (round % 3 === 1) feed.open();
    if (round % 3 === 2) {
      feed.begin();
      feed.open();
    }
  }
  house.pass(5);
  feed.take(true);
  const events = feed.events();
  t.equal(sumOf(events, 'deny'), asked);
  const numbers = events.filter(({ kind }) => kind === 'deny').map(({ seq }) => seq);
  t.strictSame(
    numbers,
    Array.from({ length: numbers.length }, (_, i) => i + 1),
  );
  t.ok(
    events.every(({ identity }) => identity === 'builder' || identity === 'tester'),
    'all are named',
  );
});

t.test('a full ring is told by identity', async (t) => {
  const feed = rig(t);
  const { house } = feed;
  const asked = 33_500;
  for (let i = 0; i < asked; i++) await house.ask('evil.example', 'A', i % 5 === 0 ? TESTER : BUILDER);
  house.pass(1);
  const before = feed.take();
  await house.ask('evil.example', 'A', BUILDER);
  house.pass(1);
  const events = [...before, ...feed.take()];
  const dropped = events.filter(({ kind }) => kind === 'dropped');
  t.match(dropped, [{ of: 'deny', why: 'ring', lost: { builder: Number, tester: Number } }]);
  t.equal(sumOf(events, 'deny'), asked + 1);
  const { first_seq = 0, last_seq = 0, count } = dropped[0]!;
  t.equal(last_seq - first_seq + 1, count);
});
