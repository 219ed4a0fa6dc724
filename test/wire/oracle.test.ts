/**
 * dns2 is a second opinion, written by others: what it writes we read, and what we write it reads. It is right about
 * plain names of letters and digits and the types that it knows. It is wrong, and we differ on purpose, where
 * - a label holds a dot: its names are unescaped strings, so one label `a.b` and two labels are the same to it;
 * - a pointer goes forward: it follows any pointer that it has not followed before;
 * - pointers are chained: it follows them for as long as it takes, each bit by bit;
 * - octets follow the last record, or QDCOUNT is not 1: it does not look;
 * - a TTL has its top bit set: it gives 2^31 - 1 where RFC 2181 §8 says 0.
 */
import DNS from 'dns2';
import fc from 'fast-check';
import t from 'tap';
import { WireError } from '../../src/wire/error.ts';
import { FLAG } from '../../src/wire/header.ts';
import { EDE, RCODE } from '../../src/wire/iana.ts';
import { type Message, readMessage } from '../../src/wire/message.ts';
import { nameToText } from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { expandRdata } from '../../src/wire/rdata.ts';
import { NO_EDE, QUESTION, ReplyWriter } from '../../src/wire/reply.ts';
import { labelled, message, opt, option, pointer, question, record, u16, u32, wire } from './build.ts';

const { Packet } = DNS;

type Section = 'answers' | 'authorities' | 'additionals';

/** What dns2 writes. */
function encode(shape: {
  header?: Record<string, number>;
  question: { name: string; type: number };
  answers?: Record<string, unknown>[];
  authorities?: Record<string, unknown>[];
  additionals?: Record<string, unknown>[];
}): Buffer {
  const packet = new Packet();
  Object.assign(packet.header, { id: 0x1234, ...shape.header });
  packet.questions.push({ class: 1, ...shape.question } as never);
  for (const section of ['answers', 'authorities', 'additionals'] as Section[]) {
    for (const each of shape[section] ?? []) packet[section].push({ class: 1, ttl: 60, ...each } as never);
  }
  return packet.toBuffer();
}

function ours(octets: Buffer): Message {
  const got = readMessage(octets);
  if (got instanceof WireError) throw new Error(`${got.code} at ${got.offset} of ${octets.toString('hex')}`);
  return got;
}

/** RDATA of record `index`, names expanded, as hex. */
function rdata(got: Message, index: number): string {
  const { type, start, end } = got.records[index]!;
  const room = Buffer.alloc(2000);
  const size = expandRdata(got.octets, type, start, end, room, 0);
  return size < 0 ? 'malformed' : room.toString('hex', 0, size);
}

const hostname = fc
  .array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/), { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join('.'));

t.test('dns2 writes a query, we read it', async () => {
  const { TYPE } = Packet;
  fc.assert(
    fc.property(
      hostname,
      fc.constantFrom(TYPE.A, TYPE.AAAA, TYPE.MX, TYPE.TXT, TYPE.ANY),
      fc.option(fc.record({ udpPayloadSize: fc.integer({ min: 512, max: 65_535 }), doFlag: fc.boolean() })),
      (name, type, edns) => {
        const octets = encode({
          header: { rd: 1, cd: 1 },
          question: { name, type },
          additionals: edns === null ? [] : [{ ...Packet.Resource.EDNS([], edns), name: '' } as never],
        });
        const query = new Query();
        return (
          readQuery(octets, octets.length, query) === null &&
          nameToText(query.name.subarray(0, query.nameLength)) === name &&
          query.type === type &&
          query.class === 1 &&
          query.flags === (FLAG.RD | FLAG.CD) &&
          query.edns === (edns !== null) &&
          query.udpSize === (edns?.udpPayloadSize ?? 512) &&
          query.dnssecOk === (edns?.doFlag ?? false)
        );
      },
    ),
    { seed: 20, numRuns: 300 },
  );
});

t.test('dns2 writes a compressed response, we read it', async (t) => {
  const { TYPE } = Packet;
  const octets = encode({
    header: { qr: 1, rd: 1, ra: 1 },
    question: { name: 'www.example.com', type: TYPE.A },
    answers: [
      { name: 'www.example.com', type: TYPE.CNAME, ttl: 300, domain: 'a.example.com' },
      { name: 'a.example.com', type: TYPE.A, address: '192.0.2.1' },
      { name: 'a.example.com', type: TYPE.AAAA, address: '2001:db8::1' },
      { name: 'example.com', type: TYPE.MX, priority: 10, exchange: 'mail.example.com' },
      { name: 'example.com', type: TYPE.TXT, data: ['one', 'two'] },
      {
        name: '_x._tcp.example.com',
        type: TYPE.SRV,
        priority: 1,
        weight: 2,
        port: 3,
        target: 'a.example.com',
      },
      { name: 'example.com', type: TYPE.CAA, flags: 0, tag: 'issue', value: 'ca.example' },
    ],
    authorities: [
      { name: 'example.com', type: TYPE.NS, ns: 'ns.example.com' },
      {
        name: 'example.com',
        type: TYPE.SOA,
        primary: 'ns.example.com',
        admin: 'admin.example.com',
        serial: 1,
        refresh: 2,
        retry: 3,
        expiration: 4,
        minimum: 5,
      },
    ],
  });
  t.ok(octets.includes(pointer(12)), 'it is compressed');
  const got = ours(octets);
  const hex = (...parts: Buffer[]): string => Buffer.concat(parts).toString('hex');
  t.same(
    got.records.map(({ section, owner, type, ttl }, i) => [
      section,
      nameToText(owner),
      type,
      ttl,
      rdata(got, i),
    ]),
    [
      [1, 'www.example.com', 5, 300, hex(wire('a.example.com'))],
      [1, 'a.example.com', 1, 60, 'c0000201'],
      [1, 'a.example.com', 28, 60, `20010db8${'00'.repeat(11)}01`],
      [1, 'example.com', 15, 60, hex(u16(10), wire('mail.example.com'))],
      [1, 'example.com', 16, 60, hex(Buffer.from('\x03one\x03two'))],
      [1, '_x._tcp.example.com', 33, 60, hex(u16(1, 2, 3), wire('a.example.com'))],
      [1, 'example.com', 257, 60, hex(Buffer.from('\0\x05issueca.example'))],
      [2, 'example.com', 2, 60, hex(wire('ns.example.com'))],
      [
        2,
        'example.com',
        6,
        60,
        hex(wire('ns.example.com'), wire('admin.example.com'), u32(1), u32(2), u32(3), u32(4), u32(5)),
      ],
    ],
  );
});

t.test('dns2 writes names at random, we read them', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(hostname, hostname), { minLength: 1, maxLength: 6 }), (pairs) => {
      const octets = encode({
        header: { qr: 1 },
        question: { name: pairs[0]![0], type: 1 },
        answers: pairs.map(([name, domain]) => ({ name, type: 5, domain })),
      });
      const got = ours(octets);
      return pairs.every(
        ([name, domain], i) =>
          nameToText(got.records[i]!.owner) === name && rdata(got, i) === wire(domain).toString('hex'),
      );
    }),
    { seed: 21, numRuns: 300 },
  );
});

t.test('ReplyWriter writes, dns2 reads', async (t) => {
  const writer = new ReplyWriter();
  const out = Buffer.alloc(4096);
  const read = (length: number): InstanceType<typeof Packet> => {
    const packet = Packet.parse(out.subarray(0, length));
    t.same(packet.errors, []);
    return packet;
  };
  const ask = (octets: Buffer): Query => {
    const query = new Query();
    t.equal(readQuery(octets, octets.length, query), null);
    return query;
  };
  const sent = encode({
    header: { id: 77, rd: 1 },
    question: { name: 'Www.Example', type: 1 },
    additionals: [{ ...Packet.Resource.EDNS([], { doFlag: true, udpPayloadSize: 1400 }), name: '' } as never],
  });

  writer.begin(ask(sent), out, FLAG.AA, 1232);
  const target = writer.record(QUESTION, 5, 300, wire('a.example'));
  writer.record(target, 1, 60, Buffer.from([192, 0, 2, 9]));
  const answer = read(writer.finish(RCODE.NOERROR, NO_EDE, null, 1232));
  t.match(answer.header, { id: 77, qr: 1, opcode: 0, aa: 1, tc: 0, rd: 1, ra: 1, ad: 0, cd: 0, rcode: 0 });
  t.match(answer.questions, [{ name: 'Www.Example', type: 1, class: 1 }]);
  t.match(answer.answers, [
    { name: 'Www.Example', type: 5, ttl: 300, domain: 'a.example' },
    { name: 'a.example', type: 1, ttl: 60, address: '192.0.2.9' },
  ]);
  t.match(answer.additionals, [{ type: 41, class: 1232, doFlag: true, version: 0, rdata: [] }]);

  writer.begin(ask(sent), out, FLAG.AA, 1232);
  writer.negativeSoa(4);
  const denial = read(writer.finish(RCODE.NXDOMAIN, EDE.BLOCKED, Buffer.from('team: not approved'), 1232));
  t.match(denial.header, { rcode: 3, aa: 1, ancount: 0, nscount: 1 });
  t.match(denial.authorities, [{ name: 'Example', type: 6, ttl: 30, primary: '', admin: '', minimum: 30 }]);
  t.match(denial.additionals, [{ rdata: [{ ednsCode: 15, infoCode: 15, extraText: 'team: not approved' }] }]);

  const versioned = message({ additional: [opt({ version: 1 })] });
  writer.begin(ask(versioned), out, 0, 512);
  t.equal(read(writer.finish(RCODE.BADVERS, NO_EDE, null, 512)).header.rcode, 16);
});

t.test('RFC 2181 §11: dns2 takes one label `github.com` for two; we do not', async (t) => {
  const octets = message({ questions: [question(labelled(Buffer.from('github.com')))] });
  t.equal(Packet.parse(octets).questions[0]!.name, 'github.com');
  t.equal(nameToText(ours(octets).question.name), 'github\\.com');
});

t.test('RFC 1035 §4.1.4: dns2 follows a pointer forward; we refuse it', async (t) => {
  const octets = message({
    answers: [record({ owner: pointer(41), type: 5, rdata: wire('a.example') })],
    flags: 0x8180,
  });
  const packet = Packet.parse(octets);
  t.same(packet.errors, []);
  t.equal(packet.answers[0]!.name, 'a.example');
  t.match(readMessage(octets), { code: 'pointer', offset: 29 });
});

t.test('dns2 follows any chain of pointers; we stop at what a name can need', async (t) => {
  const owners: Buffer[] = [];
  for (let i = 0; i < 130; i++)
    owners.push(record({ owner: pointer(i === 0 ? 12 : 17 + 12 * i), type: 65_280, rdata: Buffer.alloc(0) }));
  const octets = message({ answers: owners, flags: 0x8180 });
  t.equal(Packet.parse(octets).answers.length, 130);
  t.match(readMessage(octets), { code: 'pointer-depth' });
});

t.test('RFC 9619 and trailing octets: dns2 does not look; we do', async (t) => {
  const two = message({ questions: [question('a'), question('b')] });
  t.same(Packet.parse(two).errors, []);
  t.match(readMessage(two), { code: 'question-count' });
  const trailing = message({ trailing: Buffer.from('garbage') });
  t.same(Packet.parse(trailing).errors, []);
  t.match(readMessage(trailing), { code: 'trailing', offset: 29 });
});

t.test('RFC 2181 §8: dns2 makes a TTL with the top bit 2^31 - 1; we make it 0', async (t) => {
  const octets = message({ answers: [record({ ttl: 0x8000_0000 })], flags: 0x8180 });
  t.equal(Packet.parse(octets).answers[0]!.ttl, 0x7fff_ffff);
  t.equal(ours(octets).records[0]!.ttl, 0);
});

t.test('RFC 6891 §6.1.1: dns2 takes two OPTs and an OPT with an owner; we do not', async (t) => {
  for (const additional of [[opt(), opt({ size: 512 })], [opt({ owner: wire('a') })]]) {
    const octets = message({ additional });
    t.same(Packet.parse(octets).errors, []);
    t.match(readQuery(octets, octets.length, new Query()), { code: 'opt' });
  }
  // Both read an option that does not fit as a fault.
  const cut = message({ additional: [opt({ options: Buffer.concat([option(3), u16(11, 9)]) })] });
  t.equal(Packet.parse(cut).errors.length, 1);
  t.match(readQuery(cut, cut.length, new Query()), { code: 'opt' });
});
