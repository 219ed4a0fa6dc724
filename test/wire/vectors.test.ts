import t from 'tap';
import { WireError } from '../../src/wire/error.ts';
import { FLAG, HEADER_SIZE, messageFlags, opcodeOf } from '../../src/wire/header.ts';
import { CLASS, OPCODE, TYPE, typeToText } from '../../src/wire/iana.ts';
import { readMessage } from '../../src/wire/message.ts';
import { nameToText } from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { readVector, vectors } from './vectors.ts';

const query = new Query();

/** What the wire's readers make of a query, in the words of `expect: query` (the order is the story's). */
function fate(octets: Buffer): string {
  if (octets.length < HEADER_SIZE || (messageFlags(octets) & FLAG.QR) !== 0) return 'drop';
  const fault = readQuery(octets, octets.length, query);
  const opcode = opcodeOf(query.flags);
  if (opcode === OPCODE.NOTIFY || opcode === OPCODE.UPDATE) return 'REFUSED';
  if (opcode !== OPCODE.QUERY) return 'NOTIMP';
  if (fault !== null) return `FORMERR ${fault.code} at ${fault.offset}`;
  if (query.ednsVersion > 0) return 'BADVERS';
  if (query.questionEnd === HEADER_SIZE) return 'NOERROR';
  if (query.class !== CLASS.IN || query.type === TYPE.AXFR || query.type === TYPE.IXFR) return 'REFUSED';
  const name = nameToText(query.name.subarray(0, query.nameLength));
  const marks = [
    query.edns && 'edns',
    query.dnssecOk && 'do',
    query.cookieLength > 0 && 'cookie',
    query.keepalive && 'keepalive',
  ];
  return ['ask', name, typeToText(query.type), ...marks.filter((mark) => mark !== false)].join(' ');
}

function reading(octets: Buffer): string {
  const got = readMessage(octets);
  return got instanceof WireError ? `${got.code} at ${got.offset}` : `${got.records.length} records`;
}

const all = vectors();

t.ok(all.length >= 100, `${all.length} vectors`);

for (const vector of all) {
  t.test(`${vector.name}: ${vector.title}`, async (t) => {
    t.equal(fate(vector.octets), vector.query, 'as a query');
    const got = reading(vector.octets);
    if (vector.message !== null) t.equal(got, vector.message, 'as a message');
    // In a larger buffer, what stands behind `length` changes nothing.
    if (vector.octets.length >= HEADER_SIZE) {
      const first = readQuery(vector.octets, vector.octets.length, query);
      for (const filler of [0x00, 0x01, 0xc0, 0xff]) {
        const larger = Buffer.concat([vector.octets, Buffer.alloc(300, filler)]);
        t.same(readQuery(larger, vector.octets.length, new Query()), first, `then ${filler}`);
      }
    }
  });
}

t.test('a file that is not as the README says is an error', async (t) => {
  const good = '# what\nexpect: query drop\n12 34\n';
  t.same(readVector('a.txt', good).octets, Buffer.from([0x12, 0x34]));
  t.throws(() => readVector('a.hex', good), /does not end in/);
  t.throws(() => readVector('a.txt', 'expect: query drop\n1234\n'), /does not say what it is/);
  t.throws(() => readVector('a.txt', '# what\n1234\n'), /no line expect: query/);
  t.throws(() => readVector('a.txt', '# what\nexpect: query drop\n123\n'), /not hexadecimal/);
  t.throws(() => readVector('a.txt', '# what\nexpect: qury drop\n1234\n'), /not hexadecimal/);
  t.throws(() => readVector('a.txt', `${good}expect: query drop\n`), /stands twice/);
});
