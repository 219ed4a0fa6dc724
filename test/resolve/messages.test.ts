import t from 'tap';
import { FLAG, opcodeOf } from '../../src/wire/header.ts';
import { House, type QueryOptions, queryOctets } from './house.ts';
import { policy } from './policy.ts';
import { questionOf, secondReading } from './reply.ts';

/** What is about the message and not the name. */

const POLICY = policy(
  {
    alice: { allow: ['www.example', '*.site.example', 'local.example', 're.example'] },
    audited: { more: ['mode: audit', 'audit_until: 2026-12-01'] },
  },
  {
    records: ['{ name: local.example, type: A, data: 192.0.2.1 }'],
    redirects: ['{ name: re.example, to: mirror.example }'],
  },
);
const CLIENTS: QueryOptions[] = [
  { transport: 'udp' },
  { transport: 'tcp' },
  { transport: 'udp', from: '192.0.2.9' },
  { transport: 'udp', from: '127.0.0.2' },
];

t.test('ANY at an approved name gives HINFO (RFC 8482)', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const name of ['www.example', 'x.site.example', 'local.example', 're.example']) {
    const reply = await house.query(name, 'ANY', { transport: 'tcp' });
    t.same([reply.rcode, reply.answer], [0, [`${name} 300 HINFO |RFC8482|`]]);
    t.ok(reply.flags & FLAG.AA);
  }
  t.equal(house.asked.length, 0);
});

t.test('ANY elsewhere is decided like any type', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const [name, rcode] of [
    ['evil.example', 3],
    ['site.example', 0],
    ['.', 0],
  ] as const) {
    const reply = await house.query(name, 'ANY');
    t.same([reply.rcode, reply.answer], [rcode, []], name);
  }
});

t.test('AXFR, IXFR and classes other than IN get RCODE REFUSED', async (t) => {
  for (const client of CLIENTS) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const [type, cls] of [
      ['AXFR', 1],
      ['IXFR', 1],
      ['A', 3],
      ['TXT', 3],
      ['A', 4],
      ['A', 254],
      ['A', 255],
      ['A', 0],
      ['A', 0x8001],
    ] as const) {
      for (const name of ['www.example', 'version.bind', '.']) {
        const reply = await house.query(name, type, { ...client, class: cls });
        t.same(
          [reply.rcode, reply.answer, reply.authority, reply.ede],
          [5, [], [], []],
          `${type} class ${cls}`,
        );
        t.same(questionOf(reply.octets), questionOf(queryOctets(name, type, { class: cls })));
      }
    }
    t.same(house.asked, []);
  }
});

t.test('an IXFR with the SOA that its client has (RFC 1995 §3) is refused, not malformed', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const query = queryOctets('www.example', 'IXFR', { edns: false });
  query.writeUInt16BE(1, 8);
  const soa = Buffer.concat([Buffer.from('c00c00060001000000000016', 'hex'), Buffer.alloc(22)]);
  t.equal((await house.send(Buffer.concat([query, soa]))).rcode, 5);
});

t.test('NOTIFY and UPDATE get REFUSED, other opcodes NOTIMP', async (t) => {
  for (const client of CLIENTS) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (let opcode = 1; opcode < 16; opcode++) {
      for (const edns of [true, false]) {
        const reply = await house.query('www.example', 'A', { ...client, opcode, edns });
        t.equal(reply.rcode, opcode === 4 || opcode === 5 ? 5 : 4, `opcode ${opcode}`);
        t.equal(opcodeOf(reply.flags), opcode, 'the opcode comes back');
        t.same([reply.edns, reply.ede], [edns, []]);
      }
    }
    t.same(house.asked, []);
  }
});

t.test('other opcodes with any content: header alone, several questions, garbage', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  for (const opcode of [1, 2, 3, 4, 5, 6, 15]) {
    for (const rest of ['', '00', 'ff'.repeat(40), '0000010001']) {
      for (const count of [0, 1, 2, 65_535]) {
        const query = Buffer.concat([
          Buffer.from('123400000000000000000000', 'hex'),
          Buffer.from(rest, 'hex'),
        ]);
        query.writeUInt16BE(opcode << 11, 2);
        query.writeUInt16BE(count, 4);
        const reply = await house.send(query);
        t.equal(reply.rcode, opcode === 4 || opcode === 5 ? 5 : 4);
        t.equal(reply.octets.readUInt16BE(0), 0x1234);
      }
    }
  }
  t.same(house.bugs, []);
});

t.test('QDCOUNT ≠ 1, two OPTs or trailing bytes: FORMERR', async (t) => {
  const plain = queryOctets('www.example', 'A', { edns: false });
  const opt = queryOctets('www.example', 'A').subarray(plain.length);
  const withCounts = (query: Buffer, counts: [number, number, number, number]): Buffer => {
    const out = Buffer.from(query);
    for (const [i, count] of counts.entries()) out.writeUInt16BE(count, 4 + 2 * i);
    return out;
  };
  const question = plain.subarray(12);
  const cases: [string, Buffer][] = [
    ['no question', withCounts(plain.subarray(0, 12), [0, 0, 0, 0])],
    ['no question, but OPT', withCounts(Buffer.concat([plain.subarray(0, 12), opt]), [0, 0, 0, 1])],
    ['no question, octets of one', withCounts(plain, [0, 0, 0, 0])],
    ['two questions', withCounts(Buffer.concat([plain, question]), [2, 0, 0, 0])],
    ['two announced, one there', withCounts(plain, [2, 0, 0, 0])],
    ['two OPTs', withCounts(Buffer.concat([plain, opt, opt]), [1, 0, 0, 2])],
    ['a trailing octet', Buffer.concat([plain, Buffer.alloc(1)])],
    ['a trailing OPT', Buffer.concat([plain, opt])],
    [
      'an answer in a query',
      withCounts(
        Buffer.concat([plain, Buffer.from('c00c000100010000000000040a000001', 'hex')]),
        [1, 1, 0, 0],
      ),
    ],
    ['a cut question', plain.subarray(0, 20)],
    ['a name with a pointer', Buffer.concat([plain.subarray(0, 12), Buffer.from('c00c00010001', 'hex')])],
    ['a label of 64 octets', Buffer.concat([plain.subarray(0, 12), Buffer.from([64]), Buffer.alloc(70)])],
    ['an OPT below a name', withCounts(Buffer.concat([plain, Buffer.from([1, 0x61]), opt]), [1, 0, 0, 1])],
    [
      'an option that does not fit',
      withCounts(Buffer.concat([plain, opt.subarray(0, 9), Buffer.from([0, 4, 0, 8, 0, 9])]), [1, 0, 0, 1]),
    ],
  ];
  for (const client of CLIENTS) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const [which, query] of cases) {
      const reply = await house.send(query, client);
      t.equal(reply.rcode, 1, which);
      t.same([reply.answer, reply.authority, reply.ede], [[], [], []]);
      t.equal(reply.octets.readUInt16BE(0), 0x1234);
      t.ok(reply.octets.length <= query.length + 11, 'no amplification');
    }
    t.same([house.asked, house.bugs], [[], []]);
  }
});

t.test('QR=1 and what is shorter than a header is dropped, and counted (RFC 5358 §4)', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const response = queryOctets('www.example', 'A');
  response[2]! |= 0x80;
  const all = [
    response,
    ...Array.from({ length: 12 }, (_, size) => queryOctets('www.example', 'A').subarray(0, size)),
  ];
  for (const query of all) {
    for (const client of CLIENTS) t.equal((await house.send(query, client)).rcode, -1);
  }
  t.same(new Set(house.exits), new Set(['drop']));
  t.equal(house.exits.length, all.length * CLIENTS.length);
});

t.test('EDNS version 1: BADVERS, version 0 in the reply (RFC 6891 §6.1.3)', async (t) => {
  for (const client of CLIENTS) {
    const house = new House(t.testdir.bind(t), POLICY);
    for (const version of [1, 2, 255]) {
      // RDATA of another version is not looked at.
      for (const options of [Buffer.alloc(0), Buffer.from([1, 2, 3])]) {
        const reply = await house.query('www.example', 'A', { ...client, version, options });
        t.same([reply.rcode, reply.version, reply.edns, reply.answer], [16, 0, true, []]);
      }
    }
    t.same(house.asked, []);
  }
});

t.test('header flags that queries should not have are ignored, and do not come back', async (t) => {
  for (const flags of [FLAG.AA, FLAG.TC, FLAG.RA, 0x0040, FLAG.AA | FLAG.TC | FLAG.RA | 0x0040 | 0x000f]) {
    const house = new House(t.testdir.bind(t), POLICY);
    const query = queryOctets('www.example', 'A');
    query.writeUInt16BE(query.readUInt16BE(2) | flags, 2);
    const pending = house.send(query);
    house.settleAll({ answer: ['www.example 60 A 192.0.2.1'] });
    const reply = await pending;
    t.same([reply.rcode, reply.flags], [0, FLAG.QR | FLAG.RD | FLAG.RA]);
  }
});

t.test('unknown EDNS options are ignored and not echoed, ECS among them', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const option = (code: number, size: number) =>
    Buffer.concat([Buffer.from([code >> 8, code & 255, 0, size]), Buffer.alloc(size)]);
  const options = Buffer.concat([option(8, 8), option(3, 0), option(65_001, 20), option(12, 100)]);
  const reply = await house.ask('www.example', 'A', { options }, { answer: ['www.example 60 A 192.0.2.1'] });
  t.same([reply.rcode, reply.options, reply.answer.length], [0, [], 1]);
});

t.test(
  'UDP: at most what the client takes, at most 1232; then TC, and no partial RRset (RFC 2181 §9)',
  async (t) => {
    const house = new House(t.testdir.bind(t), POLICY);
    const answer = Array.from({ length: 100 }, (_, i) => `www.example 60 A 203.0.113.${i}`);
    await house.ask('www.example', 'A', { transport: 'tcp' }, { answer });
    const whole = 12 + 17 + 16 * 100;
    for (const options of [
      { edns: false },
      { udpSize: 0 },
      { udpSize: 512 },
      { udpSize: 1232 },
      { udpSize: 4096 },
      { udpSize: 65_535 },
    ]) {
      const reply = await house.query('www.example', 'A', options);
      t.same([reply.flags & FLAG.TC, reply.answer, reply.rcode], [FLAG.TC, [], 0]);
      t.ok(reply.octets.length < whole);
      t.same(secondReading(reply.octets), []);
    }
    const tcp = await house.query('www.example', 'A', { transport: 'tcp', udpSize: 512 });
    t.same([tcp.flags & FLAG.TC, tcp.answer.length], [0, 100], 'TCP does not look at the size');
  },
);

t.test('the last size that fits, and the first that does not', async (t) => {
  // 12 + 17 + 16 n octets, and 11 for OPT.
  for (const [options, most] of [
    [{ edns: false }, Math.floor((512 - 29) / 16)],
    [{ udpSize: 512 }, Math.floor((512 - 40) / 16)],
    [{ udpSize: 700 }, Math.floor((700 - 40) / 16)],
    [{ udpSize: 9000 }, Math.floor((1232 - 40) / 16)],
  ] as const) {
    for (const more of [0, 1]) {
      const house = new House(t.testdir.bind(t), POLICY);
      const answer = Array.from({ length: most + more }, (_, i) => `www.example 60 A 203.0.113.${i}`);
      const reply = await house.ask('www.example', 'A', options, { answer });
      t.same([reply.answer.length, reply.flags & FLAG.TC], more === 0 ? [most, 0] : [0, FLAG.TC]);
    }
  }
});

t.test('keepalive is told on TCP where it was asked, never on UDP (RFC 7828 §3)', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const asks = Buffer.from([0, 11, 0, 0]);
  for (const name of ['evil.example', 'local.example']) {
    const tcp = await house.query(name, 'A', { transport: 'tcp', options: asks });
    t.same(tcp.options[0], { code: 11, data: Buffer.from([0, 100]) });
    t.same(
      (await house.query(name, 'A', { transport: 'tcp' })).options.filter(({ code }) => code === 11),
      [],
    );
    t.same(
      (await house.query(name, 'A', { options: asks })).options.filter(({ code }) => code === 11),
      [],
    );
  }
  const later = house.query('www.example', 'A', { transport: 'tcp', options: asks });
  await house.query('local.example', 'A', { options: asks });
  house.settleAll({ answer: ['www.example 60 A 192.0.2.1'] });
  t.same(
    (await later).options,
    [{ code: 11, data: Buffer.from([0, 100]) }],
    'also for an answer that came later',
  );
});

t.test('every name: dots, NUL and 0xff in labels are octets, and come back as they were', async (t) => {
  const names = ['a\\.b.site.example', '\\000.site.example', '\\255.site.example', 'a\\032b.site.example'];
  const house = new House(
    t.testdir.bind(t),
    policy({ alice: { allow: [...names.map((name) => name.replaceAll('\\', '\\\\')), 'www.example'] } }),
  );
  for (const name of names.map((name) => name.replace('a', 'A'))) {
    const query = queryOctets(name, 'A');
    const reply = await house.ask(name, 'A', {}, { answer: [`${name.toLowerCase()} 60 A 192.0.2.1`] });
    t.equal(reply.answer.length, 1, name);
    t.same(questionOf(reply.octets), questionOf(query));
  }
  t.equal((await house.query('www\\.example')).rcode, 3, 'one label is not two');
  t.equal((await house.query('a.b.site.example')).rcode, 3);
});
