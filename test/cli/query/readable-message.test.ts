import fc from 'fast-check';
import t from 'tap';
import { queryMessage, type ReadableReply, readReply } from '../../../src/cli/query/readable-message.ts';
import { Query, readQuery } from '../../../src/wire/question.ts';
import { worked } from '../../clock.ts';
import { record, replyTo, txt, wire } from '../responder.ts';

const query = queryMessage(wire('a.example'), 16)!;

function read(octets: Buffer): ReadableReply {
  const reply = readReply(octets);
  if (typeof reply === 'string') throw new Error(reply);
  return reply;
}

function dataOf(type: number, rdata: Uint8Array): string {
  return read(replyTo(query, { answers: [record(type, rdata)] })).answers[0]!.data;
}

t.test('a query is what our own reader understands', async (t) => {
  const read = new Query();
  t.equal(readQuery(query, query.length, read), null);
  t.same(read.name.subarray(0, read.nameLength), Buffer.from(wire('a.example')));
  t.match(read, { type: 16, class: 1, edns: true, ednsVersion: 0, udpSize: 1232, dnssecOk: false });
  t.equal(read.flags, 0x0120, 'RD and AD');
});

t.test('names that dns2 would change are refused, all others asked for', async (t) => {
  for (const text of [
    '.',
    'a.example',
    'A.Example',
    '_dns._udp.a.example',
    '*.a.example',
    '\\000\\255.x',
    'a\\032b.x',
  ]) {
    const message = queryMessage(wire(text), 1);
    const name = wire(text);
    t.same(message?.subarray(12, 12 + name.length), Buffer.from(name), text);
  }
  for (const text of ['a\\.b.example', '\\.', 'a\\046.example'])
    t.equal(queryMessage(wire(text), 1), null, text);
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
  t.equal(wire(long).length, 255);
  t.equal(queryMessage(wire(long), 1)?.length, 12 + 255 + 4 + 11);
});

t.test('RDATA in presentation form', async (t) => {
  const name = wire('Mail.Example');
  const soa = Buffer.alloc(20);
  soa.writeUInt32BE(4_294_967_295, 0);
  soa.writeUInt32BE(30, 16);
  const https = Buffer.concat([Buffer.from([0, 1, 0]), Buffer.from([0, 1, 0, 6, 2, 104, 50, 2, 104, 51])]);
  const table: readonly [number, Uint8Array, string][] = [
    [1, Buffer.from([192, 0, 2, 1]), '192.0.2.1'],
    [28, Buffer.from('20010db8000000000000000000000001', 'hex'), '2001:db8::1'],
    [5, name, 'Mail.Example'],
    [39, name, 'Mail.Example'],
    [5, Buffer.from([3, 0x61, 0x2e, 0x62, 0]), 'a\\.b'],
    [15, Buffer.concat([Buffer.from([0, 10]), name]), '10 Mail.Example'],
    [15, Buffer.from([0, 0, 0]), '0 .'],
    [33, Buffer.concat([Buffer.from([0, 1, 0, 2, 1, 187]), name]), '1 2 443 Mail.Example'],
    [6, Buffer.concat([Buffer.from([0]), name, soa]), '. Mail.Example 4294967295 0 0 0 30'],
    [16, Buffer.concat([txt('one'), txt('two words')]), '"one" "two words"'],
    [16, txt('say "a\\123"'), '"say \\"a\\\\123\\""'],
    [16, txt('für 東京'), '"für 東京"'],
    [16, txt(Buffer.from([0x66, 0xff, 0x22])), '"f\\255\\""'],
    [16, Buffer.alloc(1), '""'],
    [13, Buffer.concat([txt('RFC8482'), Buffer.alloc(1)]), '"RFC8482" ""'],
    [257, Buffer.concat([Buffer.from([0, 5]), Buffer.from('issueca.example')]), '0 issue "ca.example"'],
    [43, Buffer.from([0x12, 0x34, 8, 2, 0xab, 0xcd]), '4660 8 2 ABCD'],
    [48, Buffer.from([1, 1, 3, 8, 1, 2, 3]), '257 3 8 AQID'],
    [65, Buffer.from([0, 1, 0]), '1 .'],
    [65, https, '1 . alpn="h2,h3"'],
    [64, Buffer.concat([Buffer.from([0, 0]), name]), '0 Mail.Example'],
    [65, Buffer.from([0, 1, 0, 0, 3, 0, 2, 1, 187]), '1 . port=443'],
    [65, Buffer.from([0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 1]), '1 . ipv4hint=192.0.2.1'],
    [65, Buffer.from([0, 1, 0, 0, 2, 0, 0]), '1 . no-default-alpn'],
    [65, Buffer.from([0, 1, 0, 0, 0, 0, 4, 0, 1, 255, 0]), '1 . mandatory=alpn,key65280'],
    [65, Buffer.from([0, 1, 0, 255, 0, 0, 2, 0x61, 0x1b]), '1 . key65280="a\\027"'],
    [99, txt('v=spf1'), '"v=spf1"'],
    [65280, Buffer.from([1, 2, 0xff]), '\\# 3 0102FF'],
    [65280, Buffer.alloc(0), '\\# 0'],
  ];
  for (const [type, rdata, text] of table) t.equal(dataOf(type, rdata), text, `${type} ${text}`);
  const v6 = Buffer.concat([
    Buffer.from([0, 1, 0, 0, 6, 0, 16]),
    Buffer.from('20010db8000000000000000000000001', 'hex'),
  ]);
  t.equal(dataOf(65, v6), '1 . ipv6hint=2001:db8::1');
  const rrsig = Buffer.concat([
    Buffer.from('000108020000012c688c2b00688b00001234', 'hex'),
    name,
    Buffer.from([1, 2, 3]),
  ]);
  t.match(dataOf(46, rrsig), /^A 8 2 300 \d{14} \d{14} 4660 Mail\.Example AQID$/);
});

t.test('a compressed name in RDATA is read from the message', async (t) => {
  t.equal(dataOf(5, Buffer.from([0xc0, 12])), 'a.example');
});

t.test('RDATA that its type does not allow is shown as octets', async (t) => {
  const table: readonly [number, Uint8Array][] = [
    [1, Buffer.from([1, 2, 3])],
    [28, Buffer.from([1])],
    [15, Buffer.from([0])],
    [16, Buffer.from([9, 1])],
    [33, Buffer.from([0, 1, 0, 2, 1, 187])],
    [43, Buffer.from([0, 1])],
    [65, Buffer.from([0, 1, 0xc0, 12])],
    [65, Buffer.from([0, 1, 3, 0x61])],
    [65, Buffer.from([0, 1, 0, 0, 1, 0, 9])],
    [257, Buffer.from([0, 9, 1])],
  ];
  for (const [type, rdata] of table) {
    t.equal(
      dataOf(type, rdata),
      `\\# ${rdata.length} ${Buffer.from(rdata).toString('hex').toUpperCase()}`,
      `${type}`,
    );
  }
  const [broken, sound] = read(
    replyTo(query, { answers: [record(1, Buffer.from([1])), record(1, Buffer.from([192, 0, 2, 7]))] }),
  ).answers;
  t.equal(broken?.data, '\\# 1 01');
  t.equal(sound?.data, '192.0.2.7', 'one bad record leaves the others readable');
});

t.test('status, flags and extended errors', async (t) => {
  const blocked = read(replyTo(query, { flags: 0x8580, rcode: 3, ede: { code: 15, text: 'x: no; ask y' } }));
  t.match(blocked, { status: 'NXDOMAIN', flags: ['qr', 'aa', 'rd', 'ra'] });
  t.same(blocked.ede, [{ code: 15, name: 'Blocked', text: 'x: no; ask y' }]);
  t.same(blocked.additional, [], 'OPT is no record for people');
  t.equal(read(replyTo(query, { rcode: 16, ede: { code: 22, text: '' } })).status, 'BADVERS');
  t.equal(
    read(replyTo(query, { rcode: 16, ede: { code: 22, text: '' } })).ede[0]?.name,
    'No Reachable Authority',
  );
  t.equal(read(replyTo(query, { rcode: 0xfff, ede: { code: 4000, text: '' } })).status, 'RCODE4095');
  t.same(read(replyTo(query, { ede: { code: 4000, text: '' } })).ede, [
    { code: 4000, name: 'Unassigned', text: '' },
  ]);
  const headerOnly = Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x81]), Buffer.alloc(8)]);
  t.match(read(headerOnly), { status: 'FORMERR', answers: [] });
});

/** Everything that a reply can bring to a terminal. */
function words({ status, flags, answers, authority, additional, ede }: ReadableReply): string {
  const records = [...answers, ...authority, ...additional].map((one) => Object.values(one).join(' '));
  return [status, ...flags, ...records, ...ede.map(({ name, text }) => `${name} ${text}`)].join(' ');
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u;

t.test('nothing that comes from the network moves a cursor', async (t) => {
  const evil = '\u001b[2J\u0007\r\n\u009b31m\u202egnp.exe\u2028\u0000';
  const owner = Buffer.concat([txt('\u001b]0;x\u0007'), Buffer.alloc(1)]);
  const reply = read(
    replyTo(query, {
      answers: [
        record(16, txt(evil)),
        record(5, owner, 60, owner),
        record(257, Buffer.concat([Buffer.from([0, 2]), Buffer.from(`\u001b[${evil}`)])),
        record(65, Buffer.concat([Buffer.from([0, 1, 0, 0, 1, 0, 4, 3]), Buffer.from('\u001b[m')])),
      ],
      ede: { code: 15, text: evil },
    }),
  );
  t.notMatch(words(reply), UNSAFE);
  t.match(reply.ede[0]?.text, /^\\027\[2J\\007\\013\\010\\194\\15531m\\226\\128\\174gnp\.exe/);
});

t.test('malformed replies are said to be so, and never anything else', async (t) => {
  t.match(readReply(good().subarray(0, 30)), /malformed \(short/);
  t.match(readReply(Buffer.concat([good(), Buffer.alloc(3)])), /malformed \(trailing/);
  const looping = replyTo(query, {
    answers: [record(5, Buffer.from([0xc0, 40]), 60, Buffer.from([0xc0, 27]))],
  });
  t.match(readReply(looping), /malformed \(pointer/);
  let malformed = 0;
  let readable = 0;
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 12, maxLength: 200 }),
    fc.array(fc.tuple(fc.nat(good().length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const copy = good();
      for (const [at, value] of changes) copy[at] = value;
      return copy;
    }),
  );
  fc.assert(
    fc.property(octets, (message) => {
      const reply = readReply(Buffer.from(message));
      if (typeof reply === 'string') malformed++;
      else readable++;
      return !UNSAFE.test(typeof reply === 'string' ? reply : words(reply));
    }),
    { numRuns: 3000, seed: 8 },
  );
  t.ok(malformed > 100 && readable > 100, `${malformed} malformed, ${readable} readable`);
});

t.test('a chain of pointers costs nothing', async (t) => {
  // Each owner points at the one before: what blocks dns2 for seconds is refused before it is asked.
  const records: Buffer[] = [record(1, Buffer.from([1, 2, 3, 4]))];
  let at = 12 + 11 + 4;
  for (let i = 0; i < 4000 && at < 0x3f00; i++) {
    const owner = Buffer.from([1, 0x61, 0xc0 | (at >> 8), at & 0xff]);
    at += records.at(-1)!.length;
    records.push(record(1, Buffer.from([1, 2, 3, 4]), 60, owner));
  }
  const started = worked();
  const reply = readReply(replyTo(query, { answers: records }));
  t.ok(worked() - started < 1000);
  t.ok(typeof reply === 'string' || reply.answers.length === records.length);
});

function good(): Buffer {
  return replyTo(query, {
    answers: [
      record(16, txt('text')),
      record(1, Buffer.from([192, 0, 2, 1])),
      record(65, Buffer.from([0, 1, 0])),
    ],
    ede: { code: 15, text: 'x' },
  });
}
