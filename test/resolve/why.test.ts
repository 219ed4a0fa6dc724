import t from 'tap';
import { explain, explanationLine } from '../../src/policy/explain/explain.ts';
import { UNKNOWN } from '../../src/policy/identity.ts';
import { FLAG } from '../../src/wire/header.ts';
import { House } from './house.ts';
import { exception, policy, rule } from './policy.ts';
import { wireName } from './records.ts';
import { why } from './why.ts';

/** "`TXT NAME._why.namegate.internal` answers locally, for the asking identity, with the line that `explain` would print." */

const POLICY = policy(
  {
    alice: {
      allow: ['www.site.example', rule('**.glob.example', 'types: [TXT]'), 'local.example', 're.example'],
      exceptions: [exception('soon.example', '2026-11-20T00:00:30Z')],
    },
    bob: { allow: ['www.site.example'], more: ['mode: audit', 'audit_until: 2026-12-01'] },
  },
  {
    records: ['{ name: local.example, type: A, data: 192.0.2.1 }'],
    redirects: ['{ name: re.example, to: mirror.example }'],
  },
);
const NAMES = [
  'www.site.example',
  'site.example',
  'x.glob.example',
  'local.example',
  're.example',
  'soon.example',
  'evil.example',
  'localhost',
  'use-application-dns.net',
  'resolver.arpa',
  'a\\.b.example',
];

/** The strings of the TXT record, joined. */
function line(house: House, who: number, name: string): string {
  const identity = who < 0 ? UNKNOWN : house.snapshot.identities[who]!;
  const unclaimed = 'namegate sees you as 192.0.2.9; no identity has it';
  const told = explain(house.snapshot, identity, null, wireName(name), 1, house.epoch, { unclaimed });
  return explanationLine(told);
}

t.test('the line of explain, for the asking identity', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const clients = [
    ['127.0.0.1', 0],
    ['127.0.0.2', 1],
    ['192.0.2.9', -1],
  ] as const;
  for (const name of NAMES) {
    for (const [from, who] of clients)
      t.equal(await why(house, name, { from }), line(house, who, name), name);
  }
  t.same(house.asked, []);
  t.match(
    await why(house, 'evil.example'),
    /^evil\.example A: deny for alice; name not approved; ask team-a$/,
  );
  t.match(
    await why(house, 'www.site.example'),
    /allow for alice; rule www\.site\.example \(.*policy\.yaml:\d+\): test; owner net-team/,
  );
});

t.test('the case of the question does not matter', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const upper = await house.query('WWW.Site.EXAMPLE._WHY.Namegate.INTERNAL', 'TXT', { transport: 'tcp' });
  t.equal(upper.answer.length, 1);
  t.match(upper.answer[0], /www\.site\.example A: allow for alice/);
});

t.test('it is for now: TTL 0, and another line once the rule has ended', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.match(await why(house, 'soon.example'), /allow for alice/);
  house.pass(30);
  t.match(await why(house, 'soon.example'), /deny for alice/);
});

t.test('a line that is too long for UDP comes with TC, and whole over TCP', async (t) => {
  const long = POLICY.replace('reason: test', `reason: ${'because '.repeat(200)}`);
  const house = new House(t.testdir.bind(t), long);
  for (const options of [{}, { edns: false }]) {
    const udp = await house.query('www.site.example._why.namegate.internal', 'TXT', options);
    t.same([udp.rcode, udp.flags & FLAG.TC, udp.answer, udp.authority], [0, FLAG.TC, [], []]);
  }
  t.equal(await why(house, 'www.site.example'), line(house, 0, 'www.site.example'));
});

t.test('other types, and `_why` itself, have no data', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [name, type] of [
    ['www.site.example._why.namegate.internal', 'A'],
    ['www.site.example._why.namegate.internal', 'ANY'],
    ['_why.namegate.internal', 'TXT'],
  ] as const) {
    const reply = await house.query(name, type);
    t.same([reply.rcode, reply.answer], [0, []]);
    t.same(reply.authority, ['_why.namegate.internal 30 SOA minimum 30']);
  }
});

t.test('the longest name that fits in front of it', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const name = [63, 63, 63, 38].map((size) => 'x'.repeat(size)).join('.');
  t.equal(wireName(`${name}._why.namegate.internal`).length, 255);
  t.equal(await why(house, name), line(house, 0, name));
});

t.test('each type is explained by a label in front of `_why`', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [asked, expected] of [
    [
      'www.site.example._mx',
      /^www\.site\.example MX: empty for alice; type not approved, the rule approves A, /,
    ],
    ['www.site.example._AAAA', /^www\.site\.example AAAA: allow/],
    ['x.glob.example._txt', /^x\.glob\.example TXT: allow/],
    ['x.glob.example._type16', /^x\.glob\.example TXT: allow/],
    ['_dmarc.glob.example._txt', /^_dmarc\.glob\.example TXT: allow/],
    ['www.site._nothing', /^www\.site\._nothing A: deny/],
    ['_mx', /^\. MX: empty/],
  ] as const) {
    t.match(await why(house, asked), expected, asked);
  }
  t.same(house.asked, []);
});

t.test('it tells what is so now, from what is kept alone', async (t) => {
  const house = new House(
    t.testdir.bind(t),
    policy(
      {
        alice: {
          allow: [
            'priv.example',
            'meta.example',
            'gone.example',
            'none.example',
            'dead.example',
            'old.example',
            'good.example',
            're.example',
            'cold.example',
            'zero.example',
            'unsupported.example',
            rule('mail.example', 'types: [MX]'),
          ],
        },
        bob: { allow: [], more: ['mode: audit', 'audit_until: 2026-12-01'] },
      },
      { redirects: ['{ name: re.example, to: mirror.example }'] },
    ),
    { replies: { maxTtl: 300, dynamicMaxTtl: 30, edeText: true, contact: 'platform' } },
  );
  const soa = ['example 300 SOA ns.example. host.example. 1 2 3 4 300'];
  const cause = { server: 'udp://192.0.2.53', detail: 'SERVFAIL, EDE 6 (DNSSEC Bogus)', ede: 6 };
  const a = (name: string, address: string) => ({ answer: [`${name} 300 A ${address}`] });
  await house.ask('priv.example', 'A', {}, a('priv.example', '10.230.1.1'));
  await house.ask('meta.example', 'A', {}, a('meta.example', '169.254.169.254'));
  await house.ask('re.example', 'A', {}, a('mirror.example', '10.0.0.7'));
  await house.ask('gone.example', 'A', {}, { rcode: 3, authority: soa });
  await house.ask('none.example', 'A', {}, { authority: soa });
  await house.ask('good.example', 'A', {}, a('good.example', '192.0.2.1'));
  await house.ask('mail.example', 'MX', {}, { answer: ['mail.example 300 MX 10 mx.evil.example.'] });
  await house.ask('audited.example', 'A', { from: '127.0.0.2' }, { rcode: 3, authority: soa });
  await house.ask('old.example', 'A', {}, { answer: ['old.example 1 A 192.0.2.1'] });
  // A written-out name's answer is kept for five seconds at least.
  house.pass(6);
  // Before those that end by their listeners, which stay open for the house.
  await house.ask('zero.example', 'A', {}, { answer: ['zero.example 0 A 10.0.0.9'] });
  await house.ask('unsupported.example', 'A', {}, { rcode: 3 });
  for (const name of ['dead.example', 'old.example']) {
    const reply = house.query(name);
    house.open.at(-1)!.listener.done({ kind: 'failure', reason: 'refused', cause });
    await reply;
  }
  const before = house.asked.length;
  const failed =
    /last question failed: upstream udp:\/\/192\.0\.2\.53: SERVFAIL, EDE 6 \(DNSSEC Bogus\); it is asked again in 1 s; ask platform$/;
  for (const [name, expected] of [
    [
      'priv.example',
      /allow for alice; .*; now: the answer is withheld, for it holds 10\.230\.1\.1, which is not granted; write private: true on rule priv\.example \(.*policy\.yaml:\d+\), or ask net-team$/,
    ],
    [
      'meta.example',
      /holds 169\.254\.169\.254, .*; write private: \["169\.254\.169\.254\/32"\] on rule meta\.example/,
    ],
    [
      're.example',
      /holds 10\.0\.0\.7, .*; write private: true on the redirect of re\.example, or ask net-team$/,
    ],
    ['gone.example', /now: the upstream says that there is no such name \(NXDOMAIN\), kept for 294 s more$/],
    ['none.example', /now: the upstream has no data of this type, kept for 294 s more$/],
    ['good.example', /now: answered from the cache, kept for 294 s more$/],
    [
      'mail.example._mx',
      /leads to mx\.evil\.example, which is not approved; approve mx\.evil\.example too, or ask platform$/,
    ],
    ['dead.example', failed],
    ['old.example', /now: an old answer is given, for the last question failed: upstream udp/],
    ['zero.example', /now: the answer is withheld, for it holds 10\.0\.0\.9/],
    [
      'unsupported.example',
      /now: the upstream says that there is no such name \(NXDOMAIN\), kept for 5 s more$/,
    ],
    ['cold.example', /: test; owner net-team$/],
    ['evil.example', /deny for alice; name not approved; ask platform$/],
  ] as const) {
    t.match(await why(house, name), expected, name);
  }
  t.match(
    await why(house, 'audited.example', { from: '127.0.0.2' }),
    /deny for bob .*; now: the upstream says/,
  );
  house.pass(10);
  t.match(
    await why(house, 'dead.example'),
    /the last question failed: .*; the next question asks it again; ask platform$/,
  );
  t.equal(house.asked.length, before, 'nobody was asked');
  house.identityAllowed = false;
  t.equal((await house.query('good.example')).rcode, 2);
  house.identityAllowed = true;
  t.match(
    await why(house, 'good.example'),
    /now: a question of this identity was refused 0 s ago: over its queries a second; ask platform$/,
  );
  house.pass(61);
  t.match(await why(house, 'good.example'), /now: answered/);
});
