import t from 'tap';
import { FLAG } from '../../src/wire/header.ts';
import { House } from './house.ts';
import { policy, rule } from './policy.ts';
import { secondReading } from './reply.ts';

/**
 * "Records of one owner and type form an RRset. Records and redirects change what an approved name answers; they
 * approve nothing. A name with a record is local for every type (types without one: no data). Operator-written addresses
 * pass the address filter."
 */

const TYPES = 'types: [A, AAAA, MX, TXT, SRV, HTTPS, DS, TYPE65280]';
const POLICY = policy(
  {
    alice: {
      allow: [
        rule('rec.example', TYPES),
        rule('*.wild.example', TYPES),
        rule('big.example', TYPES),
        rule('two.example', TYPES),
      ],
    },
    bob: { allow: ['else.example'] },
  },
  {
    records: [
      '{ name: rec.example, type: A, data: 10.0.0.1, ttl: 60 }',
      '{ name: rec.example, type: A, data: 127.0.0.1, ttl: 40 }',
      '{ name: rec.example, type: AAAA, data: "fd00::1" }',
      '{ name: rec.example, type: MX, data: "10 evil.example" }',
      '{ name: rec.example, type: HTTPS, data: "1 . alpn=h2 ipv4hint=169.254.169.254" }',
      '{ name: rec.example, type: TYPE65280, data: "\\\\# 3 c00c00" }',
      '{ name: a.wild.example, type: A, data: 192.0.2.1 }',
      '{ name: x.deep.wild.example, type: A, data: 192.0.2.1 }',
      `{ name: big.example, type: TXT, data: '${`"${'t'.repeat(200)}" `.repeat(8).trim()}' }`,
      ...['a', 'b', 'c'].map((letter) => `{ name: two.example, type: TXT, data: ${letter.repeat(200)} }`),
      '{ name: seen-by-nobody.example, type: A, data: 192.0.2.1 }',
    ],
  },
);

t.test(
  'several types; records of one owner and type form an RRset with one TTL (RFC 2181 §5.2)',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    const a = await house.query('REC.example');
    t.same(secondReading(a.octets), ['REC.example 40 A 10.0.0.1', 'REC.example 40 A 127.0.0.1']);
    t.same([a.rcode, a.flags & FLAG.AA, a.authority, a.ede], [0, FLAG.AA, [], []]);
    t.same((await house.query('rec.example', 'AAAA')).answer, ['rec.example 60 AAAA fd00::1']);
    t.same((await house.query('rec.example', 'MX')).answer, ['rec.example 60 MX 10 evil.example']);
    t.same((await house.query('rec.example', 'TYPE65280')).answer, ['rec.example 60 TYPE65280 c00c00']);
    t.equal(
      (await house.query('rec.example', 'HTTPS')).answer.length,
      1,
      'operator-written addresses pass the filter',
    );
    t.same([house.asked, house.findings], [[], []]);
  },
);

t.test('local for every type: types without a record have no data', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [type, code] of [
    ['TXT', []],
    ['SRV', []],
    ['DS', []],
    ['NAPTR', [15]],
    ['DNSKEY', [15]],
  ] as const) {
    const reply = await house.query('rec.example', type, { do: true, cd: true });
    t.same([reply.rcode, reply.answer, reply.authority], [0, [], ['rec.example 30 SOA minimum 30']], type);
    t.same(
      reply.ede.map((ede) => ede.code),
      code,
    );
    t.ok(reply.flags & FLAG.AA);
  }
  t.same(house.asked, []);
});

t.test('they approve nothing', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  t.equal((await house.query('rec.example', 'A', { from: '127.0.0.2' })).rcode, 3);
  t.equal((await house.query('seen-by-nobody.example')).rcode, 3);
  t.equal((await house.query('rec.example', 'A', { from: '192.0.2.9' })).rcode, 3);
});

t.test(
  'under a wildcard: the name is local, its neighbours are fetched, what lies between is an empty non-terminal',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    t.same((await house.query('a.wild.example')).answer, ['a.wild.example 60 A 192.0.2.1']);
    t.same(
      (await house.ask('b.wild.example', 'A', {}, { answer: ['b.wild.example 60 A 192.0.2.2'] })).answer,
      ['b.wild.example 60 A 192.0.2.2'],
    );
    t.equal((await house.query('x.deep.wild.example')).rcode, 3, '`*.` reaches one label');
  },
);

t.test('TXT that is too long for UDP: TC, and whole over TCP; one record and several', async (t) => {
  for (const [name, count] of [
    ['big.example', 1],
    ['two.example', 3],
  ] as const) {
    const house = new House(t.testdir.bind(t), POLICY);
    const sizes =
      name === 'big.example' ? [{}, { edns: false }, { udpSize: 4096 }] : [{ edns: false }, { udpSize: 600 }];
    for (const options of sizes) {
      const reply = await house.query(name, 'TXT', options);
      t.same([reply.rcode, reply.flags & FLAG.TC, reply.answer, reply.authority], [0, FLAG.TC, [], []], name);
      t.same(reply.ede, []);
    }
    const tcp = await house.query(name, 'TXT', { transport: 'tcp' });
    t.same([tcp.flags & FLAG.TC, tcp.answer.length], [0, count]);
  }
});

t.test('a record is given to the second at which its rule ends', async (t) => {
  const text = policy(
    { alice: { allow: [rule('rec.example', 'until: 2026-11-20T00:00:05Z')] } },
    { records: ['{ name: rec.example, type: A, data: 192.0.2.1 }'] },
  );
  const house = new House(t.testdir.bind(t), text);
  t.same((await house.query('rec.example')).answer, ['rec.example 5 A 192.0.2.1']);
  house.pass(4);
  t.same((await house.query('rec.example')).answer, ['rec.example 1 A 192.0.2.1']);
  house.pass(1);
  t.equal((await house.query('rec.example')).rcode, 3);
});

t.test('nothing local is kept in the cache', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const type of ['A', 'MX', 'TXT', 'ANY']) await house.query('rec.example', type);
  t.equal(house.store.size, 0);
});
