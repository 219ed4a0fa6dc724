import t, { type Test } from 'tap';
import { FLAG, writeUint16 } from '../../src/wire/header.ts';
import { readMessage } from '../../src/wire/message.ts';
import { House, type QueryOptions } from './house.ts';
import { policy, rule } from './policy.ts';
import { rawRecord, replyOctets, wireName } from './records.ts';
import { secondReading } from './reply.ts';

/** What is rewritten on its way through the cache stays what it was: names in RDATA, octets that look like pointers, 64 KiB. */

const TYPES =
  'types: [A, AAAA, NS, PTR, MX, SRV, NAPTR, SOA, TXT, HTTPS, CAA, RRSIG, RP, AFSDB, KX, TYPE65280, TYPE62, TYPE10]';
const POLICY = policy({
  alice: {
    allow: [rule('www.example', TYPES), rule('Mixed.example', TYPES), rule('**.deep.example', TYPES)],
  },
});

const QNAME = 'www.example';
/** `www.example` stands at 12 in every message here, `example` at 16. */
const WWW = Buffer.from([0xc0, 12]);
const EXAMPLE = Buffer.from([0xc0, 16]);

async function given(t: Test, type: string, records: readonly Buffer[], options: QueryOptions = {}) {
  const house = new House(t.testdir.bind(t), POLICY);
  const script = { answer: records };
  return house.ask(QNAME, type, { transport: 'tcp', ...options }, script);
}

/** RDATA of the only answer, as it stands in the reply. */
function rdataOf(octets: Buffer): string {
  const message = readMessage(octets);
  if (!('records' in message)) throw new Error('unreadable');
  const { start, end } = message.records[0]!;
  return octets.toString('hex', start, end);
}

t.test('unknown types pass octet by octet (RFC 3597 §3), compressed-looking RDATA too', async (t) => {
  const looks = ['c00c', '03c00c00', 'c00cc00cffff', '', '00', '40'.repeat(70), 'ff'.repeat(300)];
  for (const type of ['TYPE65280', 'TYPE62', 'NULL', 'CAA', 'TXT']) {
    for (const hex of looks) {
      const code = { TYPE65280: 65280, TYPE62: 62, NULL: 10, CAA: 257, TXT: 16 }[type]!;
      const reply = await given(t, type, [rawRecord(WWW, code, 60, Buffer.from(hex, 'hex'))]);
      t.equal(rdataOf(reply.octets), hex, `${type} ${hex.slice(0, 12)}`);
    }
  }
});

t.test('compressed names in RDATA are expanded: the message that they pointed into is gone', async (t) => {
  const host = wireName('www.example');
  const zone = wireName('example');
  const cases: [string, number, Buffer[], Uint8Array[]][] = [
    ['NS', 2, [WWW], [host]],
    ['PTR', 12, [Buffer.from([1, 0x61]), EXAMPLE], [wireName('a.example')]],
    ['MX', 15, [Buffer.from([0, 10]), WWW], [Buffer.from([0, 10]), host]],
    ['SRV', 33, [Buffer.from([0, 1, 0, 2, 1, 187]), WWW], [Buffer.from([0, 1, 0, 2, 1, 187]), host]],
    ['RP', 17, [WWW, EXAMPLE], [host, zone]],
    ['AFSDB', 18, [Buffer.from([0, 1]), WWW], [Buffer.from([0, 1]), host]],
    ['KX', 36, [Buffer.from([0, 1]), WWW], [Buffer.from([0, 1]), host]],
    [
      'NAPTR',
      35,
      [Buffer.from([0, 1, 0, 2, 1, 0x73, 0, 0]), WWW],
      [Buffer.from([0, 1, 0, 2, 1, 0x73, 0, 0]), host],
    ],
    ['SOA', 6, [WWW, EXAMPLE, Buffer.alloc(20, 1)], [host, zone, Buffer.alloc(20, 1)]],
    [
      'RRSIG',
      46,
      [Buffer.alloc(18, 0), EXAMPLE, Buffer.alloc(9, 5)],
      [Buffer.alloc(18, 0), zone, Buffer.alloc(9, 5)],
    ],
  ];
  for (const [text, type, sent, wanted] of cases) {
    const reply = await given(t, text, [rawRecord(WWW, type, 60, Buffer.concat(sent))]);
    t.equal(rdataOf(reply.octets), Buffer.concat(wanted).toString('hex'), text);
  }
});

t.test('the signer of a kept RRSIG is expanded (RFC 3597 §4)', async (t) => {
  const signature = Buffer.concat([
    Buffer.from([0, 1, 8, 2]),
    Buffer.alloc(14),
    EXAMPLE,
    Buffer.alloc(32, 9),
  ]);
  const records = [rawRecord(WWW, 1, 60, Buffer.alloc(4, 9)), rawRecord(WWW, 46, 60, signature)];
  const reply = await given(t, 'A', records, { do: true });
  t.same(reply.answer, ['www.example 60 A 9.9.9.9', 'www.example 60 RRSIG A']);
});

t.test('a target in HTTPS is not compressed (RFC 9460 §2.2): one that is, is unusable', async (t) => {
  const rdata = Buffer.concat([Buffer.from([0, 1]), WWW]);
  t.equal((await given(t, 'HTTPS', [rawRecord(WWW, 65, 60, rdata)])).rcode, 2);
});

t.test('a second reader (dns2) reads what we wrote', async (t) => {
  const owner = wireName(QNAME);
  const chain = [
    rawRecord(WWW, 5, 60, wireName('one.deep.example')),
    rawRecord(wireName('one.deep.example'), 5, 50, wireName('two.example.net')),
    rawRecord(wireName('two.example.net'), 1, 40, Buffer.from([192, 0, 2, 1])),
    rawRecord(wireName('two.example.net'), 1, 40, Buffer.from([192, 0, 2, 2])),
  ];
  t.same(secondReading((await given(t, 'A', chain)).octets), [
    'www.example 60 CNAME one.deep.example',
    'one.deep.example 50 CNAME two.example.net',
    'two.example.net 40 A 192.0.2.1',
    'two.example.net 40 A 192.0.2.2',
  ]);
  const mx = [
    rawRecord(owner, 15, 60, Buffer.concat([Buffer.from([0, 10]), WWW])),
    rawRecord(owner, 15, 60, Buffer.concat([Buffer.from([0, 20]), WWW])),
  ];
  t.same(secondReading((await given(t, 'MX', mx)).octets), [
    'www.example 60 MX www.example',
    'www.example 60 MX www.example',
  ]);
  const srv = [rawRecord(owner, 33, 60, Buffer.concat([Buffer.from([0, 1, 0, 1, 0, 80]), WWW]))];
  t.same(secondReading((await given(t, 'SRV', srv)).octets), ['www.example 60 SRV www.example']);
});

t.test('owners are compressed into the question, in the client’s case', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = ['www.example 60 CNAME b.www.example', 'b.www.example 60 A 192.0.2.1'];
  for (const name of ['WwW.eXample', 'www.EXAMPLE']) {
    const reply = await house.ask(name, 'A', { edns: false }, { answer });
    t.same(secondReading(reply.octets), [`${name} 60 CNAME b.${name}`, `b.${name} 60 A 192.0.2.1`]);
    // Header, question, CNAME (pointer, 10, `b` and a pointer), A (pointer, 10, 4).
    t.equal(reply.octets.length, 12 + 17 + (2 + 10 + 4) + (2 + 10 + 4));
  }
  t.equal(house.asked.length, 1);
});

t.test('names differ where only Latin-1 letters differ in case: they are not joined', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const answer = [
    'www.example 60 CNAME \\196.net',
    '\\196.net 60 CNAME \\228.net',
    '\\228.net 60 A 192.0.2.1',
  ];
  const reply = await house.ask('www.example', 'A', {}, { answer });
  t.same(reply.answer, answer);
});

t.test('a full message: pointers hold beyond offset 16,383 too', async (t) => {
  const house = new House(t.testdir.bind(t), POLICY);
  const names = Array.from({ length: 15 }, (_, i) => `${'x'.repeat(60)}${i}.${'y'.repeat(60)}.chain.example`);
  const links = ['www.example', ...names];
  const answer = names.map((name, i) => `${links[i]} 60 CNAME ${name}`);
  const end = names.at(-1)!;
  const texts = Array.from(
    { length: 240 },
    (_, i) => `${end} 60 TXT "${String(i).padStart(3, '0')}${'z'.repeat(240)}"`,
  );
  const reply = await house.ask(
    'www.example',
    'TXT',
    { transport: 'tcp' },
    { answer: [...answer, ...texts] },
  );
  t.equal(reply.answer.length, 255);
  t.ok(reply.octets.length > 60_000);
  t.same(reply.answer.slice(0, 15), answer);
  t.ok(reply.answer.slice(15).every((text) => text.startsWith(`${end} 60 TXT`)));
  t.equal(new Set(reply.answer).size, 255);
});

t.test('64 KiB: what an upstream can send reaches a client on TCP, up to the last octets', async (t) => {
  for (const size of [65_000, 65_400, 65_440]) {
    const house = new House(t.testdir.bind(t), POLICY);
    const texts = Buffer.alloc(size, 0x41);
    for (let at = 0; at < size; at += 256) texts[at] = Math.min(255, size - at - 1);
    const octets = replyOctets(
      { name: wireName(QNAME), type: 16 },
      { answer: [rawRecord(WWW, 16, 60, texts)] },
    );
    t.ok(octets.length <= 65_535);
    const reply = await house.ask(QNAME, 'TXT', { transport: 'tcp', do: true }, { octets });
    t.equal(reply.rcode, 0, `${size}`);
    t.notOk(reply.flags & FLAG.TC);
    t.equal(rdataOf(reply.octets), texts.toString('hex'));
    t.ok(reply.octets.length <= 65_535);
    const udp = await house.query(QNAME, 'TXT');
    t.same([udp.flags & FLAG.TC, udp.answer], [FLAG.TC, []], 'TC on UDP, and no partial RRset');
  }
});

t.test('what grows beyond a message when it is expanded is unusable, not cut', async (t) => {
  const records = Array.from({ length: 2500 }, (_, i) => {
    const rdata = Buffer.concat([
      Buffer.alloc(2),
      Buffer.from([10]),
      Buffer.from(String(i).padStart(10, '0')),
      WWW,
    ]);
    writeUint16(rdata, 0, i);
    return rawRecord(WWW, 15, 60, rdata);
  });
  const reply = await given(t, 'MX', records);
  t.same([reply.rcode, reply.answer.length], [2, 0]);
});

t.test('an RRset of thousands of records costs little', async (t) => {
  const records = Array.from({ length: 4000 }, (_, i) =>
    rawRecord(WWW, 1, 60, Buffer.from([203, 0, i >> 8, i & 255])),
  );
  const started = process.cpuUsage().user;
  const reply = await given(t, 'A', records);
  t.equal(reply.answer.length, 4000);
  t.ok(process.cpuUsage().user - started < 1_000_000, 'below a second');
});
