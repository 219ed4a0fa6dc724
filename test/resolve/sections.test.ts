import fc from 'fast-check';
import t from 'tap';
import { type CleanRecord, writeSections } from '../../src/resolve/answer/sections.ts';
import { labelled, pointer, u16, u32, wire } from '../wire/build.ts';

/** Owners and links are compressed as much as can be, and only where names are equal label by label. */

/** The obvious writer: every suffix that was written, as text, and where it was first. */
function reference(question: Uint8Array, sections: readonly (readonly CleanRecord[])[]): Buffer {
  const places = new Map<string, number>();
  const key = (name: Uint8Array): string =>
    Buffer.from(name.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet))).toString('hex');
  const place = (name: Uint8Array, offset: number): void => {
    for (let at = 0; name[at] !== 0 && offset + at < 0x4000; at += 1 + name[at]!) {
      const suffix = key(name.subarray(at));
      if (!places.has(suffix)) places.set(suffix, offset + at);
    }
  };
  const base = 12 + question.length + 4;
  let out = Buffer.alloc(0);
  const write = (name: Uint8Array): void => {
    const start = base + out.length;
    let from = 0;
    while (name[from] !== 0 && !places.has(key(name.subarray(from)))) from += 1 + name[from]!;
    const known = places.get(key(name.subarray(from)));
    out = Buffer.concat([
      out,
      name.subarray(0, from),
      known === undefined ? Buffer.alloc(1) : pointer(known),
    ]);
    place(name, start);
  };
  place(question, 12);
  for (const record of sections.flat()) {
    write(record.owner);
    out = Buffer.concat([out, u16(record.type, 1), u32(record.ttl), u16(0)]);
    const start = out.length;
    if (record.linked) write(record.rdata);
    else out = Buffer.concat([out, record.rdata]);
    out.writeUInt16BE(out.length - start, start - 2);
  }
  return out;
}

const label = fc.constantFrom('a', 'A', 'b', 'www', 'cdn', 'example', 'EXAMPLE', '\x01a', '\x01b\x03', 'net');
const name = fc
  .array(label, { maxLength: 5 })
  .map((labels) => labelled(...labels.map((text) => Buffer.from(text, 'latin1'))));
const record: fc.Arbitrary<CleanRecord> = fc.oneof(
  fc
    .record({ owner: name, rdata: name })
    .map(({ owner, rdata }) => ({ owner, type: 5, ttl: 60, rdata, linked: true })),
  fc
    .record({ owner: name, size: fc.constantFrom(0, 4, 4, 16, 4000) })
    .map(({ owner, size }) => ({ owner, type: 1, ttl: 30, rdata: Buffer.alloc(size, 0xc0), linked: false })),
);

t.test('as the obvious writer has it', async (t) => {
  fc.assert(
    fc.property(
      name,
      fc.array(record, { maxLength: 12 }),
      fc.array(record, { maxLength: 3 }),
      (question, answers, authority) => {
        const form = writeSections(question, answers, authority);
        const expected = reference(question, [answers, authority]);
        return form?.octets.equals(expected) === true && form.answers === answers.length;
      },
    ),
    { seed: 20_261_121, numRuns: 5000 },
  );
  t.pass('octet by octet');
});

t.test('names beyond a pointer’s reach, and the root, are written out each time', async (t) => {
  const filler = {
    owner: wire('q.example'),
    type: 16,
    ttl: 1,
    rdata: Buffer.alloc(17_000, 1),
    linked: false,
  };
  const far = Array.from({ length: 1000 }, (_, i) => ({
    owner: i % 2 === 0 ? wire('far.away') : wire(''),
    type: 1,
    ttl: 1,
    rdata: Buffer.alloc(4, i),
    linked: false,
  }));
  const form = writeSections(wire('q.example'), [filler, ...far], []);
  t.same(form?.octets, reference(wire('q.example'), [[filler, ...far]]));
  t.equal(form?.ttls.length, 1001);
});

t.test('what does not fit a message is refused', async (t) => {
  const large = { owner: wire('q.example'), type: 16, ttl: 1, rdata: Buffer.alloc(33_000, 1), linked: false };
  t.equal(writeSections(wire('q.example'), [large, large], []), null);
  t.not(writeSections(wire('q.example'), [large], []), null, 'and the next one is not disturbed');
});
