import t from 'tap';
import { Query, readQuery } from '../../src/wire/question.ts';
import { labelled, longName, message, opt, option, pointer, question, record, u16, wire } from './build.ts';

/** Reads a message as a query; the fault as text, or null. */
function read(octets: Buffer, query = new Query(), length = octets.length): string | null {
  const fault = readQuery(octets, length, query);
  return fault === null ? null : `${fault.code} at ${fault.offset}`;
}

function good(octets: Buffer): Query {
  const query = new Query();
  t.equal(read(octets, query), null);
  return query;
}

function nameOf(query: Query): Buffer {
  return query.name.subarray(0, query.nameLength);
}

t.test('RFC 1035 §4.1.2: a question', async (t) => {
  const octets = message({ flags: 0x0130, questions: [question('WwW.Example', 28)] });
  const query = good(octets);
  t.same(nameOf(query), wire('www.example'), 'in lower case');
  t.equal(query.nameLength, 13);
  t.equal(query.labelCount, 2);
  t.same([...query.labels.subarray(0, 2)], [0, 4]);
  t.equal(query.type, 28);
  t.equal(query.class, 1);
  t.equal(query.flags, 0x0130);
  t.equal(query.questionEnd, 29);
  t.equal(query.length, 29);
  t.equal(query.message, octets, 'what was read is not copied');
  t.match(query, { edns: false, ednsVersion: 0, udpSize: 512, dnssecOk: false, keepalive: false });
});

t.test('RFC 1035 §3.1: the root is asked for', async (t) => {
  const query = good(message({ questions: [question('', 2)] }));
  t.equal(query.nameLength, 1);
  t.equal(query.labelCount, 0);
  t.equal(query.questionEnd, 17);
});

t.test('RFC 1035 §2.3.4: the longest name', async (t) => {
  const deep = labelled(...Array.from({ length: 127 }, () => Buffer.from('a')));
  for (const name of [longName(255), deep]) {
    const query = good(message({ questions: [question(name)] }));
    t.same(nameOf(query), name);
  }
  t.equal(good(message({ questions: [question(deep)] })).labelCount, 127);
  t.equal(read(message({ questions: [question(longName(256))] })), 'name-length at 204');
});

t.test('octets behind `length` are not read', async (t) => {
  const octets = Buffer.concat([message({ additional: [opt()] }), Buffer.alloc(40, 0xff)]);
  t.equal(read(octets, new Query(), octets.length - 40), null);
  const cut = message({ additional: [opt()] });
  for (let length = 12; length < cut.length; length++) {
    const fault = readQuery(cut, length, new Query());
    t.equal(fault?.code, 'short', `cut to ${length} octets`);
    t.ok(fault!.offset <= length, `offset ${fault!.offset} of ${length}`);
  }
});

t.test('RFC 9619: QDCOUNT is 1', async (t) => {
  t.equal(read(message({ questions: [] })), 'question-count at 4');
  t.equal(read(message({ questions: [question('a'), question('b')] })), 'question-count at 4');
});

t.test('RFC 1035 §4.1.4: the question has no pointer, for nothing stands in front of it', async (t) => {
  t.equal(read(message({ questions: [question(pointer(12))] })), 'pointer at 12');
  t.equal(
    read(message({ questions: [question(Buffer.concat([Buffer.from('\x01a'), pointer(12)]))] })),
    'pointer at 14',
  );
  t.equal(read(message({ questions: [question(pointer(0))] })), 'pointer at 12');
  t.equal(read(message({ questions: [question(Buffer.from([0x40, 0]))] })), 'label-type at 12');
});

t.test('RFC 1035 §4.1.1: a query has no answer and no authority', async (t) => {
  t.equal(read(message({ answers: [record()] })), 'section at 6');
  t.equal(read(message({ authority: [record()] })), 'section at 6');
});

t.test('octets behind the last record', async (t) => {
  t.equal(read(message({ trailing: Buffer.from([0]) })), 'trailing at 29');
  t.equal(read(message({ additional: [opt()], trailing: Buffer.from('x') })), 'trailing at 40');
});

t.test('RFC 6891 §6.1.2: OPT', async (t) => {
  const query = good(message({ additional: [opt({ size: 4096, dnssecOk: true })] }));
  t.match(query, { edns: true, ednsVersion: 0, udpSize: 4096, dnssecOk: true, keepalive: false });
});

t.test('RFC 6891 §6.2.3: a size below 512 means 512', async (t) => {
  for (const [size, expected] of [
    [0, 512],
    [511, 512],
    [512, 512],
    [513, 513],
    [65_535, 65_535],
  ] as const) {
    t.equal(good(message({ additional: [opt({ size })] })).udpSize, expected);
  }
});

t.test('RFC 6891 §6.1.1: one OPT, its owner the root', async (t) => {
  t.equal(read(message({ additional: [opt(), opt()] })), 'opt at 40');
  t.equal(read(message({ additional: [opt({ owner: wire('a') })] })), 'opt at 29');
  // A pointer to a root octet is a root by another way, which RFC 6891 does not write: MUST be 0.
  t.equal(read(message({ additional: [opt({ owner: pointer(24) })] })), 'opt at 29');
});

t.test('RFC 6891 §6.1.1: OPT stands anywhere in the additional section', async (t) => {
  const tsig = record({ owner: 'key.example', type: 250, class: 255, rdata: Buffer.alloc(20) });
  t.match(good(message({ additional: [opt({ size: 1400 }), tsig] })), { edns: true, udpSize: 1400 });
  t.match(good(message({ additional: [tsig, opt({ size: 1400 })] })), { edns: true, udpSize: 1400 });
});

t.test('RFC 6891 §6.1.2: options that are not known are passed over', async (t) => {
  const options = Buffer.concat([option(8, Buffer.alloc(8)), option(65_001), option(10, Buffer.alloc(8, 1))]);
  t.match(good(message({ additional: [opt({ options })] })), { edns: true, keepalive: false });
});

t.test('RFC 7828 §3.1: edns-tcp-keepalive is seen, with or without a timeout', async (t) => {
  t.equal(good(message({ additional: [opt({ options: option(11) })] })).keepalive, true);
  t.equal(good(message({ additional: [opt({ options: option(11, u16(1)) })] })).keepalive, true);
});

t.test('RFC 6891 §6.1.2: options that do not fit', async (t) => {
  t.equal(read(message({ additional: [opt({ options: Buffer.from([0]) })] })), 'opt at 40');
  t.equal(read(message({ additional: [opt({ options: Buffer.from([0, 10, 0]) })] })), 'opt at 40');
  t.equal(read(message({ additional: [opt({ options: u16(3, 1) })] })), 'opt at 40');
  const second = Buffer.concat([option(3, Buffer.alloc(2)), u16(11, 9)]);
  t.equal(read(message({ additional: [opt({ options: second })] })), 'opt at 46');
});

t.test('RFC 6891 §6.1.3: of another version only the version is read, so that it gets BADVERS', async (t) => {
  const query = good(message({ additional: [opt({ version: 1 })] }));
  t.match(query, { edns: true, ednsVersion: 1 });
  // What version 1 puts into RDATA is unknown here: it need not be options.
  t.match(good(message({ additional: [opt({ version: 1, options: Buffer.from([7]) })] })), {
    ednsVersion: 1,
  });
});

t.test('RFC 1035 §4.1.4: owners of additional records', async (t) => {
  const text = (owner: Buffer): Buffer => record({ owner, type: 16, rdata: Buffer.from([0]) });
  const one = (owner: Buffer): string | null => read(message({ additional: [text(owner)] }));
  t.equal(one(pointer(12)), null);
  t.equal(one(Buffer.concat([Buffer.from('\x01a'), pointer(12)])), null);
  t.equal(one(pointer(40)), 'pointer at 29', 'forward');
  t.equal(one(pointer(29)), 'pointer at 29', 'to itself');
  t.equal(one(Buffer.concat([Buffer.from('\x01a'), pointer(29)])), 'pointer at 31', 'to its own start');
  t.equal(one(pointer(11)), 'pointer at 29', 'into the header');
  t.equal(one(Buffer.from([0x80, 0])), 'label-type at 29');
  t.equal(one(longName(255)), null);
  t.equal(one(longName(256)), 'name-length at 221');
});

t.test('a fault in an additional record is never behind the message', async (t) => {
  // A label that claims 63 octets, of which three are there.
  const octets = message({ additional: [Buffer.from([0x3f, 1, 2, 3])] });
  const fault = readQuery(octets, octets.length, new Query());
  t.match(fault, { code: 'short' });
  t.ok(fault!.offset <= octets.length, `offset ${fault!.offset} of ${octets.length}`);
});

t.test('RDLENGTH that leads out of the message', async (t) => {
  const octets = message({ additional: [opt({ options: option(10, Buffer.alloc(8)) })] });
  octets.writeUInt16BE(13, 29 + 9);
  t.equal(read(octets), `short at ${29 + 9}`);
});

t.test('one Query is used again and again: nothing of the last one stays', async (t) => {
  const query = new Query();
  const full = message({
    questions: [question('a.b.c.example', 16)],
    additional: [opt({ dnssecOk: true, size: 4000, options: option(11) })],
  });
  t.equal(read(full, query), null);
  t.equal(read(message({ questions: [question('x')] }), query), null);
  t.match(query, {
    labelCount: 1,
    type: 1,
    edns: false,
    ednsVersion: 0,
    udpSize: 512,
    dnssecOk: false,
    keepalive: false,
    nameLength: 3,
  });
});

t.test('after a fault in the question there is no question, and the name is the root', async (t) => {
  const query = new Query();
  read(message({ questions: [question('a.b.c.example', 16)], additional: [opt()] }), query);
  for (const octets of [
    message({ questions: [] }),
    message({ questions: [question(pointer(12))] }),
    message({ questions: [question(longName(256))] }),
    message({ questions: [wire('cut.example')] }),
  ]) {
    t.not(read(octets, query), null);
    t.match(query, { questionEnd: 12, nameLength: 1, labelCount: 0, type: 0, class: 0, edns: false });
    t.equal(query.name[0], 0);
  }
});

t.test('after a fault behind the question, the question stands', async (t) => {
  const query = new Query();
  t.equal(read(message({ additional: [opt(), opt()] }), query), 'opt at 40');
  t.match(query, { questionEnd: 29, nameLength: 13, type: 1, edns: true });
  t.equal(read(message({ answers: [record()] }), query), 'section at 6');
  t.equal(query.questionEnd, 29);
});

t.test('RFC 6895 §3.1: meta types are questions like others here', async (t) => {
  for (const type of [0, 41, 128, 249, 252, 255, 65_535]) {
    t.equal(good(message({ questions: [question('a.example', type)] })).type, type);
  }
});
