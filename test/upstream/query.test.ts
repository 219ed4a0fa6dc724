import fc from 'fast-check';
import t from 'tap';
import { matchReply, mixedCopy, replyCode, writeQuery } from '../../src/upstream/query.ts';
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
    t.equal(replyCode(back, query.questionEnd), 0);
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
  t.equal(replyCode(reply(seen, { rcode: 5 }), query.questionEnd), 5);
  const withOpt = Buffer.concat([reply(seen), Buffer.from([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0])]);
  withOpt.writeUInt16BE(1, 10);
  t.equal(replyCode(withOpt, query.questionEnd), 16, 'BADVERS, whose lower bits are NOERROR');
  withOpt.writeUInt16BE(2, 10);
  t.equal(replyCode(withOpt, query.questionEnd), 16, 'OPT was read before the missing record');
  const short = reply(seen);
  t.equal(replyCode(short.subarray(0, short.length - 1), query.questionEnd), -1);
  short.writeUInt16BE(0xffff, 6);
  t.equal(replyCode(short, query.questionEnd), -1, 'more records than there are');
});

t.test('any octets are judged without an exception', async () => {
  const query = writeQuery(question('example.com'));
  const sent = mixedCopy(query, true);
  const good = reply(see(sent));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(good.length), (octets, cut) => {
      for (const message of [octets, Buffer.concat([good.subarray(0, cut), octets])]) {
        const match = matchReply(message, sent, query.questionEnd);
        if (match !== 'none') replyCode(message, query.questionEnd);
      }
    }),
  );
});
