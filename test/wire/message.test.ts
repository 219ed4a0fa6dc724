import t from 'tap';
import { WireError } from '../../src/wire/error.ts';
import { ADDITIONAL, ANSWER, AUTHORITY, type Message, readMessage } from '../../src/wire/message.ts';
import { longName, message, opt, pointer, question, record, u16, u32, wire } from './build.ts';

function read(octets: Buffer): Message {
  const got = readMessage(octets);
  if (got instanceof WireError) throw new Error(`${got.code} at ${got.offset}`);
  return got;
}

function fault(octets: Buffer): string {
  const got = readMessage(octets);
  return got instanceof WireError ? `${got.code} at ${got.offset}` : 'a message';
}

t.test('RFC 1035 §4.1: question and records, section by section', async (t) => {
  const octets = message({
    flags: 0x8580,
    questions: [question('WWW.example', 28, 1)],
    answers: [
      record({ type: 5, ttl: 300, rdata: wire('a.example') }),
      record({ owner: 'A.example', type: 28, ttl: 60, rdata: Buffer.alloc(16, 1) }),
    ],
    authority: [record({ owner: pointer(16), type: 2, rdata: wire('ns.example') })],
    additional: [opt({ dnssecOk: true })],
  });
  const got = read(octets);
  t.equal(got.flags, 0x8580);
  t.equal(got.octets, octets);
  t.same(Buffer.from(got.question.name), wire('www.example'));
  t.match(got.question, { type: 28, class: 1 });
  t.same(
    got.records.map(({ section, type, ttl }) => [section, type, ttl]),
    [
      [ANSWER, 5, 300],
      [ANSWER, 28, 60],
      [AUTHORITY, 2, 60],
      [ADDITIONAL, 41, 0x8000],
    ],
  );
  t.same(
    got.records.map(({ owner }) => Buffer.from(owner)),
    [wire('www.example'), wire('a.example'), wire('example'), wire('')],
    'owners are whole and in lower case',
  );
  const [cname, aaaa] = got.records;
  t.same(octets.subarray(cname!.start, cname!.end), wire('a.example'));
  t.same(octets.subarray(aaaa!.start, aaaa!.end), Buffer.alloc(16, 1));
});

t.test('RFC 2181 §8: a TTL with the top bit set is 0; OPT keeps its raw 32 bits', async (t) => {
  const ttls = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  const got = read(
    message({
      answers: ttls.map((ttl) => record({ ttl })),
      additional: [record({ owner: '', type: 41, ttl: 0xff00_8000 })],
    }),
  );
  t.same(
    got.records.map(({ ttl }) => ttl),
    [0, 1, 0x7fff_ffff, 0, 0, 0xff00_8000],
  );
});

t.test('RFC 3597 §3: RDATA of any type is where it is, of any length', async (t) => {
  const rdata = Buffer.from([0xc0, 0x0c, 0xff, 0]);
  const octets = message({
    answers: [record({ type: 65_280, rdata }), record({ type: 1, rdata: Buffer.alloc(0) })],
  });
  const [unknown, empty] = read(octets).records;
  t.same(octets.subarray(unknown!.start, unknown!.end), rdata);
  t.equal(empty!.end - empty!.start, 0);
});

t.test('RFC 1035 §4.1.1: QDCOUNT other than 1', async (t) => {
  t.equal(fault(message({ questions: [] })), 'question-count at 4');
  t.equal(fault(message({ questions: [question('a'), question('b')] })), 'question-count at 4');
});

t.test('RFC 1035 §4.1: a message that is cut anywhere is short, and never behind its end', async (t) => {
  const octets = message({
    answers: [record({ type: 5, rdata: wire('b.example') }), record({ owner: 'b.example' })],
    authority: [
      record({ owner: 'example', type: 6, rdata: Buffer.concat([wire(''), wire(''), Buffer.alloc(20)]) }),
    ],
    additional: [opt()],
  });
  t.not(fault(octets), 'short');
  for (let length = 0; length < octets.length; length++) {
    const got = readMessage(octets.subarray(0, length));
    if (!(got instanceof WireError) || got.code !== 'short' || got.offset > length) {
      t.fail(`cut to ${length}: ${got instanceof WireError ? `${got.code} at ${got.offset}` : 'a message'}`);
    }
  }
});

t.test('octets behind the last record', async (t) => {
  t.equal(fault(message({ answers: [record()], trailing: Buffer.from([0]) })), 'trailing at 45');
});

t.test('RFC 1035 §4.1.4: pointers that do not go backward', async (t) => {
  const at = 29;
  t.equal(fault(message({ answers: [record({ owner: pointer(at) })] })), `pointer at ${at}`, 'to itself');
  t.equal(fault(message({ answers: [record({ owner: pointer(at + 12) })] })), `pointer at ${at}`, 'forward');
  t.equal(
    fault(message({ answers: [record({ owner: pointer(2) })] })),
    `pointer at ${at}`,
    'into the header',
  );
  t.equal(fault(message({ questions: [question(pointer(12))] })), 'pointer at 12');
  const looping = Buffer.concat([Buffer.from('\x01a'), pointer(at)]);
  t.equal(fault(message({ answers: [record({ owner: looping })] })), `pointer at ${at + 2}`);
});

t.test('RFC 2181 §11: labels hold any octet', async (t) => {
  const name = Buffer.from([3, 0x2e, 0, 0xff, 0]);
  const got = read(message({ questions: [question(name)], answers: [record()] }));
  t.same(Buffer.from(got.question.name), name);
  t.same(Buffer.from(got.records[0]!.owner), name);
});

t.test('names longer than 255 octets', async (t) => {
  t.equal(fault(message({ questions: [question(longName(256))] })), 'name-length at 204');
  const base = question(longName(254));
  const owner = Buffer.concat([Buffer.from('\x01b'), pointer(12)]);
  t.equal(fault(message({ questions: [base], answers: [record({ owner })] })), 'name-length at 204');
});

/** A message of 65,535 octets whose owners are a pointer each, to the owner before: the longest chains there are. */
function chained(labels: Buffer): Buffer {
  const parts: Buffer[] = [question(labels)];
  let at = 12 + parts[0]!.length;
  let last = 12;
  let count = 0;
  while (at + 12 <= 65_535) {
    parts.push(record({ owner: pointer(last), type: 65_280, rdata: Buffer.alloc(0) }));
    if (at < 0x4000) last = at;
    at += 12;
    count++;
  }
  const rest = Buffer.alloc(65_535 - at);
  // The last record's RDATA fills the message up.
  const tail = parts.pop()!;
  tail.writeUInt16BE(rest.length, 10);
  return Buffer.concat([u16(1, 0x8180, 1, count, 0, 0), ...parts, tail, rest]);
}

function milliseconds(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const start = process.hrtime.bigint();
    work();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e6);
  }
  return best;
}

t.test('65,535 octets of chained pointers are refused at once', async (t) => {
  const octets = chained(wire('a'));
  t.equal(octets.length, 65_535);
  t.match(fault(octets), /^pointer-depth at /);
  const took = milliseconds(() => readMessage(octets));
  t.ok(took < 100, `took ${took.toFixed(2)} ms`);
});

t.test('65,535 octets with the most that every owner may cost are read without a blow-up', async (t) => {
  // 126 labels of one octet, each behind a pointer of its own: 126 hops to read 253 octets, in every record.
  const head = 12 + 3 + 4;
  const rdata: Buffer[] = [];
  let target = 12;
  let at = head + 12;
  for (let i = 0; i < 125; i++) {
    rdata.push(Buffer.from('\x01b'), pointer(target));
    target = at;
    at += 4;
  }
  const parts = [record({ type: 65_280, rdata: Buffer.concat(rdata) })];
  let size = head + parts[0]!.length;
  while (size + 12 <= 65_535) {
    parts.push(record({ owner: pointer(target), type: 65_280, rdata: Buffer.alloc(0) }));
    size += 12;
  }
  const octets = message({ questions: [question('a')], answers: parts, flags: 0x8180 });
  t.ok(octets.length > 65_500 && octets.length <= 65_535, `${octets.length} octets`);
  const got = read(octets);
  t.equal(got.records.length, parts.length);
  t.equal(got.records.at(-1)!.owner.length, 2 * 126 + 1);
  const took = milliseconds(() => readMessage(octets));
  t.ok(took < 100, `took ${took.toFixed(2)} ms`);
});

t.test('65,535 octets of empty records at the root are read', async (t) => {
  const count = Math.floor((65_535 - 19) / 11);
  const one = Buffer.concat([wire(''), u16(65_280, 1), u32(0), u16(0)]);
  const octets = Buffer.concat([
    u16(1, 0x8180, 1, count, 0, 0),
    question('a'),
    ...Array.from({ length: count }, () => one),
  ]);
  t.equal(read(octets).records.length, count);
  const took = milliseconds(() => readMessage(octets));
  t.ok(took < 100, `took ${took.toFixed(2)} ms`);
});

t.test('counts that promise more than there is cost nothing', async (t) => {
  const octets = Buffer.concat([u16(1, 0x8180, 1, 65_535, 65_535, 65_535), question('a')]);
  t.equal(fault(octets), 'short at 19');
});
