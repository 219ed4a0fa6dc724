import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House, type QueryOptions } from './house.ts';
import { policy, rule } from './policy.ts';

/** Special names: they are as they are for everyone, in audit too. */

const AUDIT = ['mode: audit', 'audit_until: 2026-12-01'];
const POLICY = policy({
  alice: { allow: ['www.example', rule('1.2.3.10.in-addr.arpa', 'types: [PTR]')] },
  audited: { allow: ['www.example'], more: AUDIT },
});
const EVERYONE: QueryOptions[] = [
  { from: '127.0.0.1' },
  { from: '127.0.0.2' },
  { from: '192.0.2.9' },
  { from: '127.0.0.1', transport: 'tcp' },
];

t.test('`resolver.arpa` is always local', async (t) => {
  for (const options of EVERYONE) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const name of ['resolver.arpa', '_dns.resolver.arpa', 'a.b.resolver.arpa', 'RESOLVER.ARPA']) {
      for (const type of ['SVCB', 'A', 'SOA', 'ANY', 'DS']) {
        const reply = await house.query(name, type, options);
        t.same([reply.rcode, reply.answer, reply.ede], [0, [], []], `${name} ${type}`);
        t.ok(reply.flags & FLAG.AA);
        t.same(reply.authority, ['resolver.arpa 30 SOA minimum 30']);
      }
    }
    t.same(house.asked, []);
  }
});

t.test('…and cannot be approved', async (t) => {
  for (const pattern of ['resolver.arpa', '_dns.resolver.arpa', '**.resolver.arpa'])
    t.throws(() => new House(t.testdir.bind(t), policy({ alice: { allow: [pattern] } })), /special-name/);
});

t.test('`localhost` is 127.0.0.1 and ::1 for everyone (RFC 6761)', async (t) => {
  for (const options of EVERYONE) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const name of ['localhost', 'LocalHost', 'a.localhost', 'a.b.localhost']) {
      const lower = name.toLowerCase();
      t.same((await house.query(name, 'A', options)).answer, [`${lower} 300 A 127.0.0.1`]);
      t.same((await house.query(name, 'AAAA', options)).answer, [`${lower} 300 AAAA ::1`]);
      for (const type of ['MX', 'NS', 'ANY', 'TXT', 'DNSKEY']) {
        const reply = await house.query(name, type, { ...options, do: true });
        t.same([reply.rcode, reply.answer, reply.authority], [0, [], ['localhost 30 SOA minimum 30']], type);
      }
    }
    t.same(house.asked, []);
  }
});

t.test('what looks like `localhost` is not', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const name of ['xlocalhost', 'localhost.example', 'localhost.localdomain', 'local\\.host', 'localhos'])
    t.equal((await house.query(name)).rcode, 3, name);
});

t.test('`use-application-dns.net` is NXDOMAIN', async (t) => {
  for (const options of EVERYONE) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const name of ['use-application-dns.net', 'x.use-application-dns.net', 'USE-application-DNS.net']) {
      for (const type of ['A', 'AAAA', 'NS', 'DS', 'ANY']) {
        const reply = await house.query(name, type, { ...options, do: true });
        t.same([reply.rcode, reply.authority], [3, ['. 30 SOA minimum 30']], `${name} ${type}`);
      }
    }
    t.same(house.asked, []);
  }
});

t.test('…although a rule approves it, or what is around it', async (t) => {
  const text = policy({
    alice: { allow: ['use-application-dns.net', 'www.use-application-dns.net', 'x.net'] },
  });
  const house = new House(t.testdir.bind(t), text);
  for (const name of ['use-application-dns.net', 'www.use-application-dns.net']) {
    const reply = await house.query(name);
    t.same([reply.rcode, reply.authority], [3, ['net 30 SOA minimum 30']]);
  }
  t.same(house.asked, []);
});

t.test('reverse zones of private space stay inside', async (t) => {
  const zones = [
    '1.2.0.10.in-addr.arpa',
    '10.in-addr.arpa',
    '1.0.16.172.in-addr.arpa',
    '1.0.31.172.in-addr.arpa',
    '1.0.168.192.in-addr.arpa',
    '1.0.64.100.in-addr.arpa',
    '1.0.127.100.in-addr.arpa',
    '1.0.0.127.in-addr.arpa',
    '1.0.254.169.in-addr.arpa',
    '1.0.0.0.in-addr.arpa',
    `1${'.0'.repeat(31)}.ip6.arpa`,
    `0${'.0'.repeat(31)}.ip6.arpa`,
    '1.0.0.0.d.f.ip6.arpa',
    '1.c.f.ip6.arpa',
    '1.8.e.f.ip6.arpa',
    '1.b.e.f.ip6.arpa',
  ];
  const house = new House(t.testdir.bind(t), policy({ alice: {}, audited: { more: AUDIT } }));
  for (const from of ['127.0.0.1', '127.0.0.2', '192.0.2.9']) {
    for (const name of zones) {
      for (const type of ['PTR', 'SOA', 'DS'])
        t.equal((await house.query(name, type, { from, do: true })).rcode, 3);
    }
  }
  t.same(house.asked, []);
});

t.test('public reverse zones are names like others: in audit they go out', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const name of [
    '1.2.0.192.in-addr.arpa',
    '1.0.32.172.in-addr.arpa',
    '1.0.128.100.in-addr.arpa',
    '1.0.0.2.ip6.arpa',
  ])
    void house.query(name, 'PTR', { from: '127.0.0.2' });
  t.equal(house.asked.length, 4);
});

t.test('…unless approved', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['1.2.3.10.in-addr.arpa 60 PTR host.example'];
  t.same((await house.ask('1.2.3.10.in-addr.arpa', 'PTR', {}, { answer })).answer, answer);
});

t.test('in audit, what lies around an approved private reverse name stays inside too', async (t) => {
  const text = policy({
    audited: {
      allow: [rule('1.2.3.10.in-addr.arpa', 'types: [PTR]')],
      more: AUDIT,
    },
  });
  const house = new House(t.testdir.bind(t), text);
  for (const [name, type, rcode] of [
    ['2.3.10.in-addr.arpa', 'PTR', 0],
    ['10.in-addr.arpa', 'NS', 0],
    ['1.2.3.10.in-addr.arpa', 'TXT', 0],
    ['9.2.3.10.in-addr.arpa', 'PTR', 3],
  ] as const)
    t.equal((await house.query(name, type)).rcode, rcode, name);
  t.same(house.asked, []);
});

t.test('the zone of `_why` is ours: no part of it goes out, in audit neither', async (t) => {
  for (const from of ['127.0.0.1', '127.0.0.2', '192.0.2.9']) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const [name, rcode] of [
      ['namegate.internal', 0],
      ['x.namegate.internal', 3],
      ['github.com.why.namegate.internal', 3],
      ['_why.namegate.internal', 0],
    ] as const) {
      for (const type of ['A', 'TXT', 'DS'])
        t.equal((await house.query(name, type, { from, do: true })).rcode, rcode, name);
    }
    t.same(house.asked, []);
  }
});

t.test(
  'what special names lie under exists for everyone: an audit’s upstream cannot deny it away',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const name of ['internal', 'arpa']) {
      t.equal((await house.query(name, 'NS', { from: '192.0.2.9' })).rcode, 0);
      t.equal(
        (await house.ask(name, 'NS', { from: '127.0.0.2' }, { rcode: 3 })).rcode,
        0,
        `${name} in audit`,
      );
    }
  },
);
