import t from 'tap';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { soa } from './records.ts';

/**
 * "`mode: audit` (with `audit_until`, required) resolves what would be denied, and records `would_deny` or
 * `would_contain`; address filter, special names and limits stay in force."
 */

const AUDIT = ['mode: audit', 'audit_until: 2026-11-21T00:00:00Z'];
const POLICY = policy(
  {
    audited: {
      allow: ['www.example', rule('mx.example', 'types: [MX]'), 'c.parent.example', 'local.example'],
      more: AUDIT,
    },
    strict: { allow: ['www.example'] },
  },
  { records: ['{ name: local.example, type: A, data: 192.0.2.1 }'] },
);

t.test('resolves what would be denied, and records would_deny', async (t) => {
  for (const transport of ['udp', 'tcp'] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    const answer = ['evil.example 60 A 192.0.2.66'];
    const reply = await house.ask('EVIL.example', 'A', { transport }, { answer });
    t.same([reply.rcode, reply.answer, reply.ede], [0, answer, []]);
    const finding = { kind: 'would_deny', identity: 'audited', name: 'evil.example', type: 1 };
    t.same(house.findings, [finding], 'once, and not again when the answer comes');
    await house.query('evil.example');
    t.same(house.findings, [finding, finding], 'a hit is another query');
  }
});

t.test('a type that would be emptied, and a non-terminal', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const txt = ['www.example 60 TXT "x"'];
  t.equal((await house.ask('www.example', 'TXT', {}, { answer: txt })).answer.length, 1);
  const parent = await house.ask('parent.example', 'A', {}, { rcode: 3, authority: [soa('example')] });
  t.equal(parent.rcode, 0, 'an upstream’s NXDOMAIN is no data here too');
  t.same(
    house.findings.map(({ kind, name }) => `${kind} ${name}`),
    ['would_deny www.example', 'would_deny parent.example'],
  );
});

t.test('an upstream’s NXDOMAIN for a denied name stays one', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const reply = await house.ask('evil.example', 'A', {}, { rcode: 3, authority: [soa('example')] });
  t.same([reply.rcode, reply.authority, reply.ede], [3, ['example 60 SOA minimum 60'], []]);
});

t.test('what is approved is not recorded', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  await house.ask('www.example', 'A', {}, { answer: ['www.example 60 A 192.0.2.1'] });
  await house.query('local.example');
  t.same(house.findings, []);
});

t.test('the address filter stays in force', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const name of ['evil.example', 'www.example']) {
    const reply = await house.ask(name, 'A', {}, { answer: [`${name} 60 A 169.254.169.254`] });
    t.same([reply.rcode, reply.answer, reply.ede[0]?.code], [0, [], 15], name);
  }
  t.same(
    house.findings.map(({ kind }) => kind),
    ['would_deny', 'private-address', 'private-address'],
  );
});

t.test('a target that would be dropped is given, and recorded', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['mx.example 60 MX 10 evil.example'];
  t.same((await house.ask('mx.example', 'MX', {}, { answer })).answer, answer);
  t.same(house.findings, [{ kind: 'would_deny', identity: 'audited', name: 'mx.example', type: 15 }]);
  const denied = ['other.example 60 MX 10 evil.example'];
  t.same((await house.ask('other.example', 'MX', {}, { answer: denied })).answer, denied);
  t.equal(house.findings.length, 2, 'the name itself, once');
});

t.test('special names stay in force', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.same((await house.query('localhost')).answer, ['localhost 300 A 127.0.0.1']);
  t.equal((await house.query('use-application-dns.net')).rcode, 3);
  t.equal((await house.query('resolver.arpa', 'SVCB')).rcode, 0);
  t.equal((await house.query('1.0.0.10.in-addr.arpa', 'PTR')).rcode, 3);
  t.equal((await house.query('evil.example', 'AXFR')).rcode, 5);
  t.same([house.asked, house.findings], [[], []]);
});

t.test('limits stay in force', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.identityAllowed = false;
  const reply = await house.query('evil.example', 'A', { transport: 'tcp' });
  t.same(
    [reply.rcode, reply.ede],
    [2, [{ code: 0, text: 'audited: over its queries a second; ask team-a' }]],
  );
  t.same([house.asked, house.findings], [[], []]);
});

t.test('ANY gives HINFO, and is recorded', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.equal((await house.query('evil.example', 'ANY')).answer.length, 1);
  t.same([house.asked, house.findings.length], [[], 1]);
});

t.test('ends at `audit_until`, to the second', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.epoch = Date.UTC(2026, 10, 21) / 1000 - 1;
  await house.ask('evil.example', 'A', {}, { answer: ['evil.example 3600 A 192.0.2.66'] });
  house.pass(1);
  t.equal((await house.query('evil.example')).rcode, 3, 'although it is in the cache');
  t.equal(house.findings.length, 1);
});

t.test('ends while a question is out: its answer is not given', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  house.epoch = Date.UTC(2026, 10, 21) / 1000 - 1;
  const pending = house.query('evil.example');
  house.pass(1);
  house.settleAll({ answer: ['evil.example 60 A 192.0.2.66'] });
  t.equal((await pending).rcode, 3);
});

t.test('an audit opens nothing for others: neither the cache nor chains', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['evil.example 60 CNAME far.net', 'far.net 60 A 192.0.2.66'];
  await house.ask('evil.example', 'A', { do: true }, { answer });
  for (const from of ['127.0.0.2', '192.0.2.9']) {
    t.equal((await house.query('evil.example', 'A', { from })).rcode, 3);
    t.equal((await house.query('far.net', 'DS', { from, do: true })).rcode, 3);
  }
  t.equal(house.asked.length, 1);
});

t.test('a reload to enforce ends it, for questions that are out as well', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['evil.example 60 CNAME far.net', 'far.net 60 A 192.0.2.66'];
  await house.ask('evil.example', 'A', { do: true }, { answer });
  const pending = house.query('other.example');
  house.reload(policy({ audited: { allow: ['www.example'] } }));
  house.settleAll({ answer: ['other.example 60 A 192.0.2.66'] });
  t.equal((await pending).rcode, 3);
  t.equal((await house.query('evil.example')).rcode, 3);
  t.equal((await house.query('far.net', 'DS', { do: true })).rcode, 3);
});

t.test('the bound in UDP replies does not hold an audited name’s answer', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = Array.from({ length: 20 }, (_, i) => `evil.example 60 A 203.0.113.${i}`);
  t.equal((await house.ask('evil.example', 'A', {}, { answer })).answer.length, 20);
});
