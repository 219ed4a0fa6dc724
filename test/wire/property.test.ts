/** Properties of the readers over random input. Seeds are fixed: a failure comes again, and fast-check shrinks it. */
import fc from 'fast-check';
import t from 'tap';
import { WireError, type WireErrorCode } from '../../src/wire/error.ts';
import { type Message, readMessage } from '../../src/wire/message.ts';
import { labelOffsets, lowerName, nameFromText, sameName, skipName } from '../../src/wire/name.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { everyAddress, expandRdata, rdataName, targetOf } from '../../src/wire/rdata.ts';
import {
  anyMessage,
  anyName,
  anyQuery,
  type KnownMessage,
  type KnownRecord,
  mutated,
  wholeRdata,
  writeKnown,
} from './arbitrary.ts';
import { message, opt, option, pointer, question } from './build.ts';
import { vectors } from './vectors.ts';

/** How often each code was reached. The compiler holds this list and the closed set together. */
const reached: Record<WireErrorCode, number> = {
  short: 0,
  'label-type': 0,
  pointer: 0,
  'pointer-depth': 0,
  'name-length': 0,
  'question-count': 0,
  section: 0,
  opt: 0,
  cookie: 0,
  class: 0,
  trailing: 0,
  text: 0,
};

const room = new Uint8Array(0x1_0000 + 512);
const query = new Query();

function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(Buffer.from(b));
}

/** What was read, as it was known before it was written: RDATA whole, names in the case that was sent. */
function same(got: Message, known: KnownMessage): boolean {
  const records = known.sections.flatMap((section, index) =>
    section.map((record) => ({ record, section: index + 1 })),
  );
  return (
    got.flags === known.flags &&
    equalOctets(got.question.name, lowerName(known.name)) &&
    got.question.type === known.type &&
    got.question.class === known.class &&
    got.records.length === records.length &&
    got.records.every((read, i) => {
      const { record, section } = records[i]!;
      const size = expandRdata(got.octets, read.type, read.start, read.end, room, 0);
      return (
        read.section === section &&
        equalOctets(read.owner, lowerName(record.owner)) &&
        read.type === record.type &&
        read.class === record.class &&
        read.ttl === (record.ttl > 0x7fff_ffff ? 0 : record.ttl) &&
        size >= 0 &&
        equalOctets(room.subarray(0, size), wholeRdata(record.rdata))
      );
    })
  );
}

/** What was read, as known records again: RDATA is whole now, and of one piece. */
function known(got: Message): KnownMessage {
  const section = (wanted: number): KnownRecord[] =>
    got.records
      .filter((read) => read.section === wanted)
      .map((read) => {
        const size = expandRdata(got.octets, read.type, read.start, read.end, room, 0);
        return {
          owner: Buffer.from(read.owner),
          type: read.type,
          class: read.class,
          ttl: read.ttl,
          rdata: [{ octets: Buffer.from(room.subarray(0, size)) }],
        };
      });
  return {
    id: (got.octets[0]! << 8) | got.octets[1]!,
    flags: got.flags,
    name: Buffer.from(got.question.name),
    type: got.question.type,
    class: got.question.class,
    sections: [section(1), section(2), section(3)],
  };
}

t.test('property: build, parse, rebuild, parse: all agree', async (t) => {
  let records = 0;
  let compressed = 0;
  fc.assert(
    fc.property(anyMessage, (message) => {
      const octets = writeKnown(message);
      const got = readMessage(octets);
      if (got instanceof WireError || !same(got, message)) return false;
      records += got.records.length;
      if (got.records.some((read) => octets[read.start - 11] !== 0)) compressed++;
      const again = known(got);
      const rebuilt = readMessage(writeKnown(again));
      return !(rebuilt instanceof WireError) && same(rebuilt, again);
    }),
    { seed: 10, numRuns: 1500 },
  );
  t.ok(records > 4000, `${records} records`);
  t.ok(compressed > 500, `${compressed} messages with an owner that ends in a pointer`);
});

t.test('property: a query is read as it was written, whatever was read before', async () => {
  fc.assert(
    fc.property(anyQuery, (shape) => {
      const octets = message(shape);
      if (readQuery(octets, octets.length, query) !== null) return false;
      const sent = shape.questions![0]!;
      const name = sent.subarray(0, -4);
      const offsets = new Uint8Array(127);
      const count = labelOffsets(name, offsets);
      const option = shape.additional!.find((record) => record[0] === 0);
      return (
        equalOctets(query.name.subarray(0, query.nameLength), lowerName(name)) &&
        query.labelCount === count &&
        equalOctets(query.labels.subarray(0, count), offsets.subarray(0, count)) &&
        query.type === sent.readUInt16BE(sent.length - 4) &&
        query.class === sent.readUInt16BE(sent.length - 2) &&
        query.questionEnd === 12 + sent.length &&
        query.edns === (option !== undefined) &&
        query.udpSize === (option === undefined ? 512 : Math.max(512, option.readUInt16BE(3))) &&
        query.ednsVersion === (option?.[6] ?? 0) &&
        query.dnssecOk === (((option?.[7] ?? 0) & 0x80) !== 0)
      );
    }),
    { seed: 11, numRuns: 2000 },
  );
});

t.test('property: readQuery and readMessage see the same question', async () => {
  fc.assert(
    fc.property(anyName, fc.nat(0xffff), (name, type) => {
      const octets = message({ questions: [question(name, type)] });
      const got = readMessage(octets);
      return (
        readQuery(octets, octets.length, query) === null &&
        !(got instanceof WireError) &&
        sameName(got.question.name, query.name.subarray(0, query.nameLength)) &&
        got.question.type === query.type
      );
    }),
    { seed: 12, numRuns: 1000 },
  );
});

/** Reads octets in every way there is; throws where a result is neither a value nor an error inside the octets. */
function attack(octets: Buffer): void {
  if (octets.length >= 12) {
    check(readQuery(octets, octets.length, query), octets);
    const name = query.name.subarray(0, query.nameLength);
    if (skipName(name, name.length, 0) !== name.length) throw new Error('the name that was left is no name');
    if (query.questionEnd > octets.length) throw new Error('the question ends behind the message');
  }
  const got = readMessage(octets);
  if (got instanceof WireError) {
    check(got, octets);
    return;
  }
  for (const record of got.records) {
    if (record.start > record.end || record.end > octets.length) throw new Error('RDATA behind the message');
    const size = expandRdata(octets, record.type, record.start, record.end, room, 0);
    if (size < -1 || size > record.end - record.start + 510) throw new Error(`RDATA grew to ${size}`);
    const rdata = size < 0 ? octets.subarray(record.start, record.end) : room.slice(0, size);
    everyAddress(record.type, rdata, (at, width) => {
      if (at + width > rdata.length) throw new Error('an address behind its RDATA');
      return true;
    });
    for (const name of [targetOf(record.type, rdata), rdataName(octets, record.start, record.end)]) {
      if (name !== null && skipName(name, name.length, 0) !== name.length) throw new Error('no name');
    }
  }
}

function check(fault: WireError | null, octets: Buffer): void {
  if (fault === null) return;
  if (!(fault instanceof WireError)) throw new Error('neither a value nor an error');
  if (!(fault.code in reached)) throw new Error(`the code ${fault.code} is not in the set`);
  if (!Number.isInteger(fault.offset) || fault.offset < 0 || fault.offset > octets.length) {
    throw new Error(`${fault.code} at ${fault.offset} of ${octets.length}`);
  }
  reached[fault.code]++;
}

/** A header with small counts in front of anything, so that what is behind it is looked at. */
const headed = fc
  .tuple(
    fc.tuple(fc.nat(0xffff), fc.constant(1), fc.nat(2), fc.nat(2), fc.nat(2)),
    fc.array(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 20 }).map((octets) => Buffer.from(octets)),
        fc.nat(80).map((target) => pointer(target)),
        fc.constant(Buffer.from('\x01a\x07example\0\0\x01\0\x01', 'latin1')),
        fc.constant(opt({ options: option(10, Buffer.alloc(3)) })),
        fc.constant(Buffer.alloc(0)),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([[id, ...counts], parts]) => {
    const head = Buffer.alloc(12);
    [id, 0x0100, ...counts].forEach((value, i) => {
      head.writeUInt16BE(value, 2 * i);
    });
    return Buffer.concat([head, ...parts]);
  });

const sources: [string, fc.Arbitrary<Buffer>, number][] = [
  ['random octets', fc.uint8Array({ maxLength: 600 }).map((octets) => Buffer.from(octets)), 4000],
  ['random octets behind a header', headed, 8000],
  ['mutated vectors', mutated(fc.constantFrom(...vectors().map(({ octets }) => octets))), 12_000],
  ['mutated queries', mutated(anyQuery.map(message)), 5000],
  ['mutated messages', mutated(anyMessage.map(writeKnown)), 4000],
];

for (const [index, [what, octets, numRuns]] of sources.entries()) {
  t.test(
    `property: ${what} give a value or a WireError inside the message, never an exception`,
    async (t) => {
      const before = Object.values(reached).reduce((sum, count) => sum + count, 0);
      fc.assert(
        fc.property(octets, (each) => attack(each)),
        { seed: 100 + index, numRuns },
      );
      const faults = Object.values(reached).reduce((sum, count) => sum + count, 0) - before;
      t.ok(faults > numRuns / 4, `${faults} faults in ${numRuns} runs`);
    },
  );
}

t.test('every WireErrorCode was reached', async (t) => {
  for (const { octets } of vectors()) attack(octets);
  // Text is read by nameFromText alone: see name.test.ts.
  for (const bad of ['', 'a..b', '\\999', 'a'.repeat(64)]) {
    const name = nameFromText(bad);
    if (name instanceof WireError) reached[name.code]++;
  }
  for (const [code, count] of Object.entries(reached)) {
    t.comment(`${code}: ${count} cases`);
    t.ok(count > 0, code);
  }
});
