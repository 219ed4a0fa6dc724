import t from 'tap';
import { fillReply } from '../../src/wire/filling.ts';
import { FLAG } from '../../src/wire/header.ts';
import { EDE, RCODE, TYPE } from '../../src/wire/iana.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { NEGATIVE_TTL, NO_EDE, QUESTION, ReplyWriter, UDP_PAYLOAD } from '../../src/wire/reply.ts';
import {
  longName,
  type MessageShape,
  message,
  opt,
  option,
  pointer,
  question,
  record,
  u16,
  u32,
  wire,
} from './build.ts';

function ask(shape: MessageShape = {}): Query {
  const octets = message(shape);
  const query = new Query();
  const fault = readQuery(octets, octets.length, query);
  if (fault !== null) throw new Error(`${fault.code} at ${fault.offset}`);
  return query;
}

const writer = new ReplyWriter();
const out = Buffer.alloc(66_000);

function written(length: number): Buffer {
  return Buffer.from(out.subarray(0, length));
}

/** What `finish` makes of an empty reply. */
function finished(query: Query, rcode = 0, ede = NO_EDE, text: string | null = null, room = 0xffff): Buffer {
  writer.begin(query, out, 0, 0xffff);
  return written(writer.finish(rcode, ede, text === null ? null : Buffer.from(text), room));
}

/** The OPT of a reply: its RDATA. It is the last record, and its owner the root. */
function optOf(reply: Buffer, from: number): Buffer {
  t.equal(reply[from], 0);
  t.equal(reply.readUInt16BE(from + 1), 41);
  t.equal(reply.readUInt16BE(from + 9), reply.length - from - 11, 'RDLENGTH leads to the end');
  return reply.subarray(from + 11);
}

const ADDRESS = Buffer.from([192, 0, 2, 7]);

t.test(
  'RFC 1035 §4.1.1: a reply has the ID, opcode and RD of its query, and its question as it was sent',
  async (t) => {
    const query = ask({ id: 0xbeef, flags: 0x0100, questions: [question('WwW.Example', 28)] });
    const reply = finished(query, RCODE.NXDOMAIN);
    t.same(reply, message({ id: 0xbeef, flags: 0x8183, questions: [question('WwW.Example', 28)] }));
    t.equal(
      finished(ask({ flags: 0x0000 })).readUInt16BE(2),
      FLAG.QR | FLAG.RA,
      'RD only where it was asked',
    );
    t.equal(finished(ask({ flags: 0x2000 })).readUInt16BE(2), 0xa000, 'the opcode comes back');
    t.equal(
      finished(ask({ flags: 0x7fff & ~0x0f })).readUInt16BE(2),
      0xf800,
      'and no flag, unless it is QUERY',
    );
  },
);

t.test('RFC 4035 §3.2.2: CD comes back; AD, TC, AA and Z of the query do not', async (t) => {
  t.equal(finished(ask({ flags: 0x0110 })).readUInt16BE(2), 0x8190);
  t.equal(finished(ask({ flags: 0x0760 })).readUInt16BE(2), 0x8180);
});

t.test('flags of ours go in', async (t) => {
  writer.begin(ask(), out, FLAG.AA | FLAG.AD, 512);
  t.equal(written(writer.finish(0, NO_EDE, null, 512)).readUInt16BE(2), 0x85a0);
});

t.test('RFC 1035 §4.1.2: a question that could not be read is left out', async (t) => {
  const octets = message({ id: 7, questions: [question(pointer(12))] });
  const query = new Query();
  t.equal(readQuery(octets, octets.length, query)!.code, 'pointer');
  t.same(finished(query, RCODE.FORMERR), message({ id: 7, flags: 0x8181, questions: [] }));
});

t.test("RFC 1035 §4.1.3: records point at the question, or at a CNAME's target", async (t) => {
  const query = ask({ questions: [question('www.example')] });
  writer.begin(query, out, FLAG.AA, 512);
  const target = writer.record(QUESTION, TYPE.CNAME, 300, wire('a.example'));
  t.equal(target, 29 + 12, 'the offset of its RDATA');
  writer.record(target, TYPE.A, 60, ADDRESS);
  writer.record(target, TYPE.A, 0xffff_ffff, ADDRESS);
  t.equal(writer.answers, 3);
  t.same(
    written(writer.finish(0, NO_EDE, null, 512)),
    message({
      flags: 0x8580,
      questions: [question('www.example')],
      answers: [
        record({ owner: pointer(12), type: 5, ttl: 300, rdata: wire('a.example') }),
        record({ owner: pointer(41), ttl: 60, rdata: ADDRESS }),
        record({ owner: pointer(41), ttl: 0xffff_ffff, rdata: ADDRESS }),
      ],
    }),
  );
});

t.test(
  'RFC 2308 §5: the SOA of a negative answer belongs to an ancestor, its TTL is its MINIMUM',
  async (t) => {
    const query = ask({ questions: [question('www.a.Example')] });
    const soa = (skip: number): Buffer => {
      writer.begin(query, out, FLAG.AA, 512);
      writer.negativeSoa(skip);
      t.equal(writer.authority, 1);
      return written(writer.finish(RCODE.NXDOMAIN, NO_EDE, null, 512));
    };
    const expected = (owner: Buffer): Buffer =>
      message({
        flags: 0x8583,
        questions: [question('www.a.Example')],
        authority: [
          record({
            owner,
            type: 6,
            ttl: 30,
            rdata: Buffer.concat([wire(''), wire(''), u32(1), u32(3600), u32(600), u32(86_400), u32(30)]),
          }),
        ],
      });
    t.equal(NEGATIVE_TTL, 30);
    t.same(soa(0), expected(pointer(12)), 'the question itself');
    t.same(soa(4), expected(pointer(16)));
    t.same(soa(6), expected(pointer(18)));
    t.same(soa(14), expected(wire('')), 'the root');
    t.same(soa(99), expected(wire('')), 'the root');
  },
);

t.test('the SOA of the root, asked for the root', async (t) => {
  const query = ask({ questions: [question('', 1)] });
  writer.begin(query, out, 0, 512);
  writer.negativeSoa(0);
  const reply = written(writer.finish(0, NO_EDE, null, 512));
  t.equal(reply.length, 17 + 1 + 10 + 22);
  t.equal(reply[17], 0);
});

t.test('octets that stand ready go in whole, with their counts', async (t) => {
  const query = ask({ additional: [opt()] });
  const ready = Buffer.concat([record(), record({ type: 2, rdata: wire('') })]);
  writer.begin(query, out, 0, 512);
  t.equal(writer.sections(ready, 0, ready.length, 1, 1), 29);
  const reply = written(writer.finish(0, NO_EDE, null, 512));
  t.same(reply.subarray(29, 29 + ready.length), ready);
  t.same(
    [4, 6, 8, 10].map((at) => reply.readUInt16BE(at)),
    [1, 1, 1, 1],
  );
});

t.test('RFC 6891 §6.1.1: OPT only where the query had one', async (t) => {
  t.equal(finished(ask(), 0, EDE.BLOCKED, 'text').readUInt16BE(10), 0);
  t.equal(finished(ask()).length, 29);
  const reply = finished(ask({ additional: [opt({ size: 4096 })] }));
  t.equal(reply.readUInt16BE(10), 1);
  t.equal(optOf(reply, 29).length, 0);
  t.equal(reply.readUInt16BE(32), UDP_PAYLOAD);
  t.equal(UDP_PAYLOAD, 1232);
  t.equal(reply.readUInt32BE(34), 0);
});

t.test('RFC 3225 §3: DO comes back', async (t) => {
  t.equal(finished(ask({ additional: [opt({ dnssecOk: true })] })).readUInt32BE(34), 0x8000);
});

t.test('RFC 6891 §6.1.3: BADVERS has its upper bits in OPT, and says version 0', async (t) => {
  const reply = finished(ask({ additional: [opt({ version: 1 })] }), RCODE.BADVERS);
  t.equal(reply.readUInt16BE(2) & 0xf, 0);
  t.equal(reply.readUInt32BE(34), 0x0100_0000);
});

t.test('RFC 8914 §2: EDE with and without a text', async (t) => {
  const query = ask({ additional: [opt()] });
  t.same(optOf(finished(query, 3, EDE.BLOCKED), 29), option(15, u16(15)));
  t.same(
    optOf(finished(query, 3, EDE.BLOCKED, 'ask team'), 29),
    option(15, Buffer.concat([u16(15), Buffer.from('ask team')])),
  );
  t.same(optOf(finished(query, 3, EDE.OTHER, ''), 29), option(15, u16(0)), 'code 0 is a code');
});

t.test('a reply that ends in a text can be filled up with spaces behind it', async (t) => {
  const query = ask({ additional: [opt({ options: option(10, Buffer.alloc(8)) })] });
  writer.cookie = Buffer.alloc(24, 7);
  const length = finished(query, 3, EDE.BLOCKED, 'ask team', 200).length;
  const { most, opt: at, option: text } = writer.filling;
  t.equal(most, 200, 'to as many octets as there is room');
  fillReply(out, length, length + 30, at, text);
  const options = optOf(written(length + 30), 29);
  writer.cookie = null;
  t.same(
    options,
    Buffer.concat([
      option(10, Buffer.alloc(24, 7)),
      option(15, Buffer.concat([u16(15), Buffer.from(`ask team${' '.repeat(30)}`)])),
    ]),
  );
  const edns = ask({ additional: [opt()] });
  finished(edns, 3, EDE.BLOCKED);
  t.equal(writer.filling.most, 0, 'none where there is no text');
  finished(edns, 3, EDE.BLOCKED, 'x', 200);
  finished(ask(), 3, EDE.BLOCKED, 'ask team', 200);
  t.equal(writer.filling.most, 0, 'none where there is no OPT');
  writer.begin(edns, out, 0, 512);
  writer.finish(3, EDE.OTHER, Buffer.from('x'), 512, EDE.CACHED_ERROR);
  t.equal(writer.filling.most, 0, 'none where something stands behind it');
});

t.test('RFC 8914 §2: a second EDE', async (t) => {
  const query = ask({ additional: [opt()] });
  writer.begin(query, out, 0, 512);
  const reply = written(
    writer.finish(RCODE.SERVFAIL, EDE.NO_REACHABLE_AUTHORITY, Buffer.from('x'), 512, EDE.CACHED_ERROR),
  );
  t.same(
    optOf(reply, 29),
    Buffer.concat([option(15, Buffer.concat([u16(22), Buffer.from('x')])), option(15, u16(13))]),
  );
});

t.test('room: the text is cut first, then the EDE goes', async (t) => {
  const query = ask({ additional: [opt()] });
  const bare = 29 + 11;
  const text = 'abcdef';
  const options = (room: number): string =>
    optOf(finished(query, 3, 15, text, room), 29)
      .subarray(6)
      .toString();
  t.equal(options(bare + 6 + 6), 'abcdef');
  t.equal(options(bare + 6 + 4), 'abcd');
  t.equal(options(bare + 6), '');
  t.equal(finished(query, 3, 15, text, bare + 6).length, bare + 6);
  t.equal(finished(query, 3, 15, text, bare + 5).length, bare, 'no EDE');
  t.equal(finished(query, 3, 15, text, 0).length, bare, 'OPT stays');
});

t.test('RFC 8914 §2: a cut text stays UTF-8', async (t) => {
  const query = ask({ additional: [opt()] });
  const text = 'a\u00e9\u20ac\u{1f600}';
  for (let room = 46; room <= 46 + 10; room++) {
    const got = optOf(finished(query, 3, 15, text, room), 29).subarray(6);
    t.notMatch(got.toString(), /\ufffd/);
    t.ok(text.startsWith(got.toString()));
    t.ok(got.length <= room - 46);
  }
});

t.test('RFC 2181 §9: what does not fit becomes an empty reply with TC', async (t) => {
  const query = ask({ additional: [opt()] });
  const big = Buffer.alloc(100);
  const fill = (limit: number): Buffer => {
    writer.begin(query, out, FLAG.AA | FLAG.AD, limit);
    for (let i = 0; i < 4; i++) writer.record(QUESTION, TYPE.TXT, 60, big);
    writer.negativeSoa(4);
    return written(writer.finish(0, EDE.STALE_ANSWER, null, limit));
  };
  const whole = 29 + 4 * 112 + 34 + 11;
  t.equal(fill(whole + 6).length, whole + 6);
  const exact = fill(whole);
  t.equal(exact.length, whole, 'the EDE gives way to data');
  t.equal(exact.readUInt16BE(6), 4);
  for (const limit of [whole - 1, whole - 11, whole - 12, 300, 64]) {
    const cut = fill(limit);
    t.equal(cut.readUInt16BE(2), 0x8780, `AA, TC and no AD in ${limit} octets`);
    t.same(
      [4, 6, 8, 10].map((at) => cut.readUInt16BE(at)),
      [1, 0, 0, 1],
      'no partial RRset',
    );
    t.equal(cut.length, 29 + 11 + 6);
    t.ok(cut.length <= limit);
  }
});

t.test('once something did not fit, nothing smaller slips in behind it', async (t) => {
  const query = ask();
  writer.begin(query, out, 0, 100);
  writer.record(QUESTION, TYPE.TXT, 60, Buffer.alloc(100));
  writer.record(QUESTION, TYPE.A, 60, ADDRESS);
  t.equal(writer.sections(Buffer.alloc(1), 0, 1, 1, 0), -1);
  const reply = written(writer.finish(0, NO_EDE, null, 100));
  t.equal(reply.length, 29);
  t.equal(reply.readUInt16BE(6), 0);
  t.equal(reply.readUInt16BE(2) & FLAG.TC, FLAG.TC);
});

t.test('the buffer is a limit too', async (t) => {
  const small = Buffer.alloc(60, 0xee);
  writer.begin(ask(), small, 0, 512);
  writer.record(QUESTION, TYPE.TXT, 60, Buffer.alloc(30));
  t.equal(writer.finish(0, NO_EDE, null, 512), 29);
  t.equal(small.readUInt16BE(2) & FLAG.TC, FLAG.TC);
});

t.test(
  'RFC 7828 §3.1: edns-tcp-keepalive where the query had it and the transport set a timeout',
  async (t) => {
    const asked = ask({ additional: [opt({ options: option(11) })] });
    writer.keepalive = 300;
    t.same(optOf(finished(asked), 29), option(11, u16(300)));
    t.same(optOf(finished(ask({ additional: [opt()] })), 29), Buffer.alloc(0));
    t.same(
      optOf(finished(asked, 3, EDE.BLOCKED), 29),
      Buffer.concat([option(11, u16(300)), option(15, u16(15))]),
    );
    writer.keepalive = 0;
    t.same(optOf(finished(asked), 29), Buffer.alloc(0));
  },
);

t.test('RFC 1035 §4.2.2: no reply is longer than its limit, edns-tcp-keepalive counted', async (t) => {
  const asked = ask({ additional: [opt({ options: option(11) })] });
  writer.keepalive = 300;
  for (let spare = 0; spare <= 20; spare++) {
    writer.begin(asked, out, 0, 0xffff);
    writer.sections(Buffer.alloc(0xffff), spare, 0xffff - 29, 1, 0);
    const length = writer.finish(0, EDE.STALE_ANSWER, Buffer.from('stale'), 0xffff, EDE.CACHED_ERROR);
    t.ok(length <= 0xffff, `${length} octets with ${spare} to spare`);
    t.equal((out.readUInt16BE(2) & FLAG.TC) !== 0, spare < 17, 'TC where OPT with keepalive does not fit');
  }
  writer.keepalive = 0;
});

t.test('an empty reply with TC', async (t) => {
  const query = ask({ flags: 0x0110, additional: [opt({ dnssecOk: true })] });
  const reply = written(writer.truncated(query, out));
  t.equal(reply.length, 40);
  t.equal(reply.readUInt16BE(2), 0x8390);
  t.equal(reply.readUInt32BE(34), 0x8000);
});

t.test('the longest question fits into 512 octets with its answer and all of OPT', async (t) => {
  const query = ask({ questions: [question(longName(255))], additional: [opt({ size: 0 })] });
  t.equal(query.udpSize, 512);
  writer.begin(query, out, FLAG.AA, query.udpSize);
  writer.negativeSoa(64);
  const reply = written(writer.finish(RCODE.NXDOMAIN, EDE.BLOCKED, Buffer.alloc(600, 'a'), 512));
  t.equal(reply.length, 512);
  t.equal(reply.readUInt16BE(2) & FLAG.TC, 0);
});

t.test('one writer is used again and again', async (t) => {
  const query = ask();
  writer.begin(query, out, FLAG.AA, 40);
  writer.record(QUESTION, TYPE.TXT, 60, Buffer.alloc(100));
  writer.finish(0, NO_EDE, null, 40);
  t.same(finished(query), message({ flags: 0x8180 }));
});

t.test(
  'RFC 8467 §4.1: a reply to a padded query is filled up to the block, where it is told to',
  async (t) => {
    const padded = ask({ additional: [opt({ options: option(12, Buffer.alloc(30)) })] });
    const bare = ask({ additional: [opt()] });
    t.ok(padded.padding);
    t.notOk(bare.padding);
    const plain = finished(bare).length;
    t.equal(finished(padded).length, plain, 'not on a transport where it hides nothing');
    writer.padding = 468;
    t.teardown(() => {
      writer.padding = 0;
    });
    t.equal(finished(bare).length, plain, 'not where none was asked for');
    const reply = finished(padded);
    t.equal(reply.length, 468);
    const rdata = optOf(reply, padded.questionEnd);
    t.equal(rdata.readUInt16BE(0), 12);
    t.equal(rdata.readUInt16BE(2), rdata.length - 4);
    t.ok(rdata.subarray(4).every((octet) => octet === 0));
    t.equal(finished(padded, 0, EDE.BLOCKED, 'x'.repeat(420)).length, 468 * 2, 'behind the other options');
    for (let size = 380; size < 480; size++) {
      const length = finished(padded, 0, EDE.BLOCKED, 'x'.repeat(size)).length;
      t.equal(length % 468, 0, `${size}`);
    }
    writer.begin(padded, out, 0, 400);
    t.equal(writer.finish(0, NO_EDE, null, 0xffff), plain, 'not past the limit');
  },
);

t.test('a text that is too long loses its middle, and what is kept last', async (t) => {
  const head = 'identity: name not approved';
  const tail = '; ask owner-ü€😀';
  const text = Buffer.from(head + tail);
  const keep = Buffer.byteLength(tail);
  const query = ask({ additional: [opt({ size: 1232 })] });
  const bare = finished(query, 0, EDE.BLOCKED).length;
  for (let space = 0; space <= text.length + 3; space++) {
    writer.begin(query, out, 0, 0xffff);
    const size = writer.finish(0, EDE.BLOCKED, text, bare + space, NO_EDE, keep);
    const told = written(size).subarray(bare).toString();
    t.ok(size <= bare + space, `${space}`);
    t.notMatch(told, /\ufffd/);
    if (space >= text.length) t.equal(told, head + tail);
    else if (space > keep) t.equal(told, head.slice(0, space - keep) + tail);
    else
      t.ok(tail.slice(2).startsWith(told) && Buffer.byteLength(told) >= Math.min(space, keep - 2) - 3, told);
  }
});
