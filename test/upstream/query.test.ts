import fc from 'fast-check';
import t from 'tap';
import { matchReply } from '../../src/socket/reply-match.ts';
import { mixedCopy, withoutOpt, writeQuery } from '../../src/upstream/query.ts';
import { readSaid, saidText } from '../../src/upstream/said.ts';
import { lowerName } from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { question, reply, see, wire } from './scripted.ts';

t.test('the question that goes out: RD, DO, EDNS 1232, and nothing else', async (t) => {
  const { octets, questionEnd } = writeQuery(question('www.example.com', 28));
  const query = new Query();
  t.equal(readQuery(octets, octets.length, query), null);
  t.equal(query.flags, 0x0100, 'RD alone');
  t.equal(query.type, 28);
  t.equal(query.class, 1);
  t.equal(query.questionEnd, questionEnd);
  t.equal(query.edns, true);
  t.equal(query.ednsVersion, 0);
  t.equal(query.udpSize, 1232);
  t.equal(query.dnssecOk, true);
  t.equal(octets.length, questionEnd + 11, 'OPT without any option is the end of it');
  t.equal(octets.readUInt16BE(octets.length - 2), 0, 'no option: no ECS, cookie or client identifier');
});

t.test('CD is passed on', async (t) => {
  const { octets } = writeQuery({ ...question('example.com'), checkingDisabled: true });
  t.equal(octets.readUInt16BE(2), 0x0110);
});

t.test('mixed case touches letters alone, and differs from copy to copy', async (t) => {
  const name = '\\000a-z_0\\065\\255.example\\.com.xn--bcher-kva.example';
  const query = writeQuery({ ...question('.'), name: lowerName(wire(name)) });
  const seen = new Set<string>();
  const upper = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const copy = mixedCopy(query, true);
    seen.add(copy.toString('latin1', 12, query.questionEnd));
    for (let at = 12; at < query.questionEnd - 4; at++) if (copy[at] !== query.octets[at]) upper.add(at);
    t.same(
      lowerName(copy.subarray(12, query.questionEnd - 4)),
      query.octets.subarray(12, query.questionEnd - 4),
    );
    t.same(copy.subarray(query.questionEnd), query.octets.subarray(query.questionEnd), 'OPT stays');
  }
  t.ok(seen.size > 190, `${seen.size} of 200 differ`);
  const letters = [...query.octets.subarray(12, query.questionEnd - 4)].filter((o) => o >= 0x61 && o <= 0x7a);
  t.equal(upper.size, letters.length, 'every letter was upper case at some time');
});

t.test('a name without letters, the root and a name of 255 octets', async (t) => {
  for (const name of [
    '1.2.3.4',
    '.',
    `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`,
  ]) {
    const query = writeQuery(question(name));
    const sent = mixedCopy(query, true);
    const back = reply(see(sent));
    t.equal(matchReply(back, sent, query.questionEnd), 'same', name.slice(0, 10));
    t.equal(readSaid(back, query.questionEnd).code, 0);
  }
});

t.test('IDs are spread', async (t) => {
  const query = writeQuery(question('example.com'));
  const ids = new Set(Array.from({ length: 1000 }, () => mixedCopy(query, false).readUInt16BE(0)));
  t.ok(ids.size > 950, `${ids.size} of 1000 differ`);
});

t.test('what is a reply to a question, and what is not', async (t) => {
  const query = writeQuery(question('www.example.com'));
  const sent = mixedCopy(query, true);
  sent.write('wWw', 13);
  const seen = see(sent);
  const match = (octets: Buffer): string => matchReply(octets, sent, query.questionEnd);
  t.equal(match(reply(seen)), 'same');
  t.equal(match(reply(seen, { fold: true })), 'case');
  t.equal(match(reply(seen, { id: seen.id ^ 1 })), 'none', 'wrong ID');
  t.equal(match(reply(seen, { id: seen.id ^ 0x100 })), 'none', 'wrong ID, upper octet');
  t.equal(match(reply(seen, { flags: 0x0100 })), 'none', 'QR=0');
  t.equal(match(reply(seen, { flags: 0x8180 | (4 << 11) })), 'none', 'opcode 4');
  t.equal(match(reply(seen, { questions: 0 })), 'none', 'no question');
  t.equal(match(reply(seen, { questions: 2 })), 'none', 'two questions');
  t.equal(match(reply(seen, { name: 'www.example.org' })), 'none', 'another name');
  t.equal(match(reply(seen, { name: 'example.com' })), 'none', 'a shorter name');
  t.equal(match(reply(seen).subarray(0, 12)), 'none', 'header only');
  t.equal(match(reply(seen).subarray(0, query.questionEnd - 1)), 'none', 'cut in the question');
  t.equal(match(Buffer.alloc(0)), 'none');
  const otherType = reply(seen);
  otherType[query.questionEnd - 3] = 28;
  t.equal(match(otherType), 'none', 'another type');
  const otherClass = reply(seen);
  otherClass[query.questionEnd - 1] = 3;
  t.equal(match(otherClass), 'none', 'another class');
  const brackets = Buffer.from(reply(seen));
  brackets[16] = brackets[16]! ^ 0x20;
  t.equal(match(brackets), 'none', 'a length octet with bit 5 turned is no other case');
});

t.test('a reply without a question is a hint, where it is one that servers send', async (t) => {
  const query = writeQuery(question('www.example.com'));
  const sent = mixedCopy(query, true);
  const header = (id: number, flags: number, ...counts: number[]): Buffer => {
    const octets = Buffer.alloc(12);
    for (const [i, value] of [id, flags, 0, ...counts].entries()) octets.writeUInt16BE(value, 2 * i);
    return octets;
  };
  const id = sent.readUInt16BE(0);
  const rows: [string, Buffer, string][] = [
    ['TC', header(id, 0x8600), 'bare'],
    ['FORMERR', header(id, 0x8181), 'bare'],
    ['NOTIMP', header(id, 0x8184), 'bare'],
    ['FORMERR, and octets of no section', Buffer.concat([header(id, 0x8181), Buffer.alloc(9)]), 'bare'],
    ['NOERROR', header(id, 0x8180), 'none'],
    ['SERVFAIL', header(id, 0x8182), 'none'],
    ['NXDOMAIN', header(id, 0x8183), 'none'],
    ['TC under another ID', header(id ^ 1, 0x8600), 'none'],
    ['TC in a query', header(id, 0x0600), 'none'],
    ['TC of another opcode', header(id, 0x8600 | (4 << 11)), 'none'],
    ['TC with an answer', header(id, 0x8600, 1), 'none'],
    ['TC with an authority', header(id, 0x8600, 0, 1), 'none'],
    ['eleven octets', header(id, 0x8600).subarray(0, 11), 'none'],
  ];
  for (const [what, octets, wanted] of rows) {
    t.equal(matchReply(octets, sent, query.questionEnd), wanted, what);
  }
});

t.test('the question without OPT is the same in all but that', async (t) => {
  const query = writeQuery({ ...question('www.example.com'), checkingDisabled: true });
  const plain = withoutOpt(query);
  const wanted = Buffer.from(query.octets.subarray(0, query.questionEnd));
  wanted.writeUInt16BE(0, 10);
  t.same(plain, { octets: wanted, questionEnd: query.questionEnd });
});

t.test('what a server says of its failure', async (t) => {
  const query = writeQuery(question('example.com'));
  const failure = (options: number[], rcode = 2): Buffer => {
    const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.length, ...options];
    const octets = Buffer.concat([
      reply(see(mixedCopy(query, false)), { rcode, address: null }),
      Buffer.from(opt),
    ]);
    octets.writeUInt16BE(1, 10);
    return octets;
  };
  const text = [...Buffer.from('too old\u001b[1m')];
  const rows: [number[], string][] = [
    [[], 'SERVFAIL'],
    [[0, 15, 0, 2, 0, 6], 'SERVFAIL, EDE 6'],
    [[0, 15, 0, 2 + text.length, 0, 7, ...text], 'SERVFAIL, EDE 7 (too old?[1m)'],
    [[0, 12, 0, 1, 0, 0, 15, 0, 2, 0, 22], 'SERVFAIL, EDE 22'],
    [[0, 15, 0, 1, 6], 'SERVFAIL'],
    [[0, 15, 0, 9, 0, 6], 'SERVFAIL'],
    [[0, 15, 0], 'SERVFAIL'],
    [[0, 15, 0, 202, 0, 6, ...Buffer.alloc(200, 0x61)], `SERVFAIL, EDE 6 (${'a'.repeat(80)})`],
  ];
  for (const [options, wanted] of rows) {
    const said = readSaid(failure(options), query.questionEnd);
    t.equal(saidText(said), wanted);
    t.ok(said.edns);
  }
  t.equal(saidText(readSaid(failure([], 11), query.questionEnd)), 'RCODE 11');
});

t.test('octets that only look like letters with bit 5 turned are other octets', async (t) => {
  const query = writeQuery(question('a\\091b.example'));
  const sent = mixedCopy(query, false);
  const back = Buffer.from(reply(see(sent)));
  back[14] = 0x7b;
  t.equal(matchReply(back, sent, query.questionEnd), 'none', '[ is not {');
});

t.test('the RCODE with the upper bits of OPT', async (t) => {
  const query = writeQuery(question('example.com'));
  const seen = see(mixedCopy(query, false));
  t.equal(readSaid(reply(seen, { rcode: 5 }), query.questionEnd).code, 5);
  const withOpt = Buffer.concat([reply(seen), Buffer.from([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0])]);
  withOpt.writeUInt16BE(1, 10);
  t.equal(readSaid(withOpt, query.questionEnd).code, 16, 'BADVERS, whose lower bits are NOERROR');
  withOpt.writeUInt16BE(2, 10);
  t.equal(readSaid(withOpt, query.questionEnd).code, 16, 'OPT was read before the missing record');
  const short = reply(seen);
  t.equal(readSaid(short.subarray(0, short.length - 1), query.questionEnd).code, -1);
  short.writeUInt16BE(0xffff, 6);
  t.equal(readSaid(short, query.questionEnd).code, -1, 'more records than there are');
});

t.test('any octets are judged without an exception', async () => {
  const query = writeQuery(question('example.com'));
  const sent = mixedCopy(query, true);
  const good = reply(see(sent));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(good.length), (octets, cut) => {
      for (const message of [octets, Buffer.concat([good.subarray(0, cut), octets])]) {
        const match = matchReply(message, sent, query.questionEnd);
        if (match !== 'none') readSaid(message, query.questionEnd).code;
      }
    }),
  );
});
