import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House } from './house.ts';
import { exception, policy, rule } from './policy.ts';
import { soa, wireName } from './records.ts';
import { secondReading } from './reply.ts';

/**
 * "A redirect answers every type with a CNAME (AA) and the target's RRset, local or fetched as part of this
 * answer, without the target needing approval; loops are errors. Operator-written addresses pass the address filter; fetched
 * ones need `private:` on the redirect."
 */

const ALL = 'types: [A, AAAA, CNAME, HTTPS, MX, TXT, SRV, DS]';
const POLICY = policy(
  {
    alice: {
      allow: [
        rule('pypi.example', ALL),
        rule('open.example', ALL),
        rule('one.example', ALL),
        rule('here.example', ALL),
      ],
      exceptions: [exception('dyn.example', '2026-12-01T00:00:00Z')],
    },
    bob: { allow: ['else.example'] },
  },
  {
    redirects: [
      '{ name: pypi.example, to: mirror.corp.example }',
      '{ name: open.example, to: mirror.corp.example, private: true }',
      '{ name: one.example, to: two.example }',
      '{ name: two.example, to: three.example }',
      '{ name: here.example, to: local.corp.example }',
      '{ name: dyn.example, to: mirror.corp.example }',
    ],
    records: [
      '{ name: local.corp.example, type: A, data: 10.0.4.7 }',
      '{ name: local.corp.example, type: TXT, data: hello, ttl: 20 }',
    ],
  },
);
const MIRROR = { answer: ['mirror.corp.example 60 A 192.0.2.7'] };
const CNAME = 'pypi.example 300 CNAME mirror.corp.example';

t.test('a CNAME (AA), and the target’s RRset, fetched as part of this answer', async (t) => {
  for (const transport of ['udp', 'tcp'] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    const reply = await house.ask('PyPI.example', 'A', { transport }, MIRROR);
    t.same(reply.answer, [CNAME, ...MIRROR.answer]);
    t.same([reply.rcode, reply.flags & FLAG.AA], [0, FLAG.AA]);
    t.same(secondReading(reply.octets), ['PyPI.example 300 CNAME mirror.corp.example', ...MIRROR.answer]);
    t.same(house.questions, ['mirror.corp.example A'], 'its own name never goes out');
    t.same((await house.query('pypi.example')).answer, reply.answer, 'a hit');
  }
});

t.test('every type', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [type, data] of [
    ['AAAA', '2001:db8::1'],
    ['TXT', '"x"'],
    ['MX', '10 mirror.corp.example'],
    ['HTTPS', '1 .'],
  ] as const) {
    const reply = await house.ask(
      'pypi.example',
      type,
      {},
      { answer: [`mirror.corp.example 60 ${type} ${data}`] },
    );
    t.equal(reply.answer.length, 2, type);
    t.equal(reply.answer[0], CNAME);
  }
});

t.test('CNAME itself: the redirect’s own, and nobody is asked', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const reply = await house.query('one.example', 'CNAME');
  t.same([reply.answer, reply.flags & FLAG.AA], [['one.example 300 CNAME two.example'], FLAG.AA]);
  t.same(house.asked, []);
});

t.test(
  'a type that is not approved is emptied; an identity that does not approve it is denied',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    t.same((await house.query('pypi.example', 'NAPTR')).ede[0]?.code, 15);
    t.equal((await house.query('pypi.example', 'A', { from: '127.0.0.2' })).rcode, 3);
    t.equal(
      (await house.query('mirror.corp.example')).rcode,
      3,
      'the target needs no approval, and has none',
    );
    t.equal((await house.query('two.example')).rcode, 3);
    t.same(house.asked, []);
  },
);

t.test('a local target: its RRset at once, and its address passes the filter', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const a = await house.query('here.example');
  t.same(a.answer, ['here.example 300 CNAME local.corp.example', 'local.corp.example 60 A 10.0.4.7']);
  t.ok(a.flags & FLAG.AA);
  const txt = await house.query('here.example', 'TXT');
  t.same(txt.answer[1], 'local.corp.example 20 TXT |hello');
  const none = await house.query('here.example', 'AAAA');
  t.same(
    [none.rcode, none.answer, none.authority],
    [0, ['here.example 300 CNAME local.corp.example'], ['. 30 SOA minimum 30']],
  );
  t.same(house.asked, []);
});

t.test('chains of redirects', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const reply = await house.ask('one.example', 'A', {}, { answer: ['three.example 60 A 192.0.2.3'] });
  t.same(reply.answer, [
    'one.example 300 CNAME two.example',
    'two.example 300 CNAME three.example',
    'three.example 60 A 192.0.2.3',
  ]);
  t.same(house.questions, ['three.example A']);
});

t.test('a fetched target’s own chain follows', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['mirror.corp.example 50 CNAME lb.net', 'lb.net 40 A 192.0.2.1'];
  t.same((await house.ask('pypi.example', 'A', {}, { answer })).answer, [CNAME, ...answer]);
});

t.test('what is fetched leads back to the redirect: SERVFAIL, since nothing sane can be said', async (t) => {
  for (const [name, target, back] of [
    ['pypi.example', 'mirror.corp.example', 'pypi.example'],
    ['one.example', 'three.example', 'two.example'],
    ['one.example', 'three.example', 'one.example'],
  ] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    const answer = [`${target} 60 CNAME ${back}`, `${back} 60 A 203.0.113.66`];
    const reply = await house.ask(name, 'A', {}, { answer });
    t.same([reply.rcode, reply.answer, reply.flags & FLAG.AA], [2, [], 0], `${target} to ${back}`);
  }
});

t.test('loops are errors', async (t) => {
  const loop = policy(
    { alice: { allow: ['a.example'] } },
    { redirects: ['{ name: a.example, to: b.example }', '{ name: b.example, to: a.example }'] },
  );
  t.throws(() => new House(t.testdir.bind(t), loop), /redirect-loop/);
});

t.test('fetched addresses need `private:` on the redirect; what the rule says does not count', async (t) => {
  const text = policy(
    { alice: { allow: [rule('strict.example', 'private: true'), 'open.example', 'list.example'] } },
    {
      redirects: [
        '{ name: strict.example, to: mirror.corp.example }',
        '{ name: open.example, to: mirror.corp.example, private: true }',
        '{ name: list.example, to: mirror.corp.example, private: [10.0.4.0/24] }',
      ],
    },
  );
  const house = new House(t.testdir.bind(t), text);
  const strict = await house.ask(
    'strict.example',
    'A',
    {},
    { answer: ['mirror.corp.example 60 A 10.0.4.7'] },
  );
  t.same([strict.rcode, strict.answer, strict.ede[0]?.code], [0, [], 15]);
  t.same(
    house.findings.map(({ kind, name }) => `${kind} ${name}`),
    ['private-address strict.example'],
  );
  for (const name of ['open.example', 'list.example'])
    t.equal((await house.query(name)).answer.length, 2, name);
  t.equal(house.asked.length, 1, 'one entry for all three');
});

t.test('in a chain of redirects the last one says it', async (t) => {
  const text = (first: string, second: string) =>
    policy(
      { alice: { allow: ['a.example'] } },
      {
        redirects: [
          `{ name: a.example, to: b.example${first} }`,
          `{ name: b.example, to: c.example${second} }`,
        ],
      },
    );
  for (const [first, second, given] of [
    ['', ', private: true', 3],
    [', private: true', '', 0],
  ] as const) {
    const house = new House(t.testdir.bind(t), text(first, second));
    const reply = await house.ask('a.example', 'A', {}, { answer: ['c.example 60 A 10.0.0.1'] });
    t.equal(reply.answer.length, given);
  }
});

t.test('a target that does not exist, or has no data (RFC 6604)', async (t) => {
  for (const rcode of [0, 3]) {
    const house = new House(t.testdir.bind(t), POLICY);
    const reply = await house.ask('pypi.example', 'A', {}, { rcode, authority: [soa('corp.example')] });
    t.same(
      [reply.rcode, reply.answer, reply.authority],
      [rcode, [CNAME], ['corp.example 60 SOA minimum 60']],
    );
    t.ok(reply.flags & FLAG.AA);
  }
});

t.test('a target that fails: SERVFAIL with EDE, then stale data', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const failed = await house.ask('pypi.example', 'A', {}, { failure: 'network' });
  t.same([failed.rcode, failed.ede[0]?.code, failed.answer], [2, 23, []]);
  t.same(
    (await house.query('pypi.example')).ede.map(({ code }) => code),
    [23, 13],
  );
  house.pass(1);
  await house.ask('pypi.example', 'A', {}, MIRROR);
  house.pass(61);
  const stale = await house.ask('pypi.example', 'A', {}, { failure: 'silent' });
  t.same(stale.answer, ['pypi.example 30 CNAME mirror.corp.example', 'mirror.corp.example 30 A 192.0.2.7']);
  t.equal(stale.ede[0]?.code, 3);
});

t.test('TTLs: the CNAME has the cap, the target counts down; an exception’s are short', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('pypi.example', 'A', {}, { answer: ['mirror.corp.example 200 A 192.0.2.7'] });
  house.pass(150);
  t.same((await house.query('pypi.example')).answer, [CNAME, 'mirror.corp.example 50 A 192.0.2.7']);
  t.same((await house.query('dyn.example')).answer, [
    'dyn.example 30 CNAME mirror.corp.example',
    'mirror.corp.example 30 A 192.0.2.7',
  ]);
});

t.test('DO and CD: no signatures of a target beside our CNAME, and AD never', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const script = {
    answer: [...MIRROR.answer, 'mirror.corp.example 60 RRSIG A 3 example'],
    verified: true,
    flags: FLAG.AD,
  };
  for (const options of [{ do: true }, { do: true, cd: true }]) {
    const reply = await house.ask('pypi.example', 'A', options, script);
    t.same([reply.answer, reply.flags & FLAG.AD, reply.dnssecOk], [[CNAME, ...MIRROR.answer], 0, true]);
  }
});

t.test('TC on UDP where it does not fit', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = Array.from({ length: 80 }, (_, i) => `mirror.corp.example 60 A 203.0.113.${i}`);
  const udp = await house.ask('pypi.example', 'A', {}, { answer });
  t.same([udp.flags & FLAG.TC, udp.answer], [FLAG.TC, []]);
  t.equal((await house.query('pypi.example', 'A', { transport: 'tcp' })).answer.length, 81);
});

t.test('a target whose answer fits a message, but not behind our CNAME: SERVFAIL, never a cut', async (t) => {
  const name = `${'p'.repeat(63)}.${'p'.repeat(63)}.${'p'.repeat(63)}.example`;
  const text = policy(
    { alice: { allow: [rule(name, 'types: [TXT]')] } },
    { redirects: [`{ name: ${name}, to: t.example }`] },
  );
  const house = new House(t.testdir.bind(t), text);
  const size = 65_400;
  const texts = Buffer.alloc(size, 0x41);
  for (let at = 0; at < size; at += 256) texts[at] = Math.min(255, size - at - 1);
  const answer = [`t.example 60 TXT \\# ${size} ${texts.toString('hex')}`];
  const reply = await house.ask(name, 'TXT', { transport: 'tcp' }, { answer });
  t.same([reply.rcode, reply.answer], [2, []]);
});

t.test('MX, SRV and HTTPS of a fetched target: its own name, or approved', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const own = await house.ask(
    'pypi.example',
    'HTTPS',
    {},
    { answer: ['mirror.corp.example 60 HTTPS 1 mirror.corp.example'] },
  );
  t.equal(own.answer.length, 2);
  const evil = await house.ask(
    'pypi.example',
    'SRV',
    {},
    { answer: ['mirror.corp.example 60 SRV 0 0 1 evil.example'] },
  );
  t.same([evil.answer, evil.ede[0]?.code], [[], 15]);
});

t.test('the target’s group is asked, and its entry is the target’s own', async (t) => {
  const groups = [
    { name: 'default', servers: 'system' as const, zones: [] },
    { name: 'corp', servers: 'system' as const, zones: [wireName('corp.example')] },
  ];
  const both = policy(
    { alice: { allow: ['pypi.example', 'mirror.corp.example'] } },
    { redirects: ['{ name: pypi.example, to: mirror.corp.example }'] },
  );
  const house = new House(t.testdir.bind(t), both, { groups });
  await house.ask('pypi.example', 'A', {}, MIRROR);
  t.equal(house.asked[0]?.group, 1);
  t.same((await house.query('mirror.corp.example')).answer, MIRROR.answer);
  t.equal(house.asked.length, 1);
});
