import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import type { Answer } from '../../src/resolve/answer/answer.ts';
import { clean, cleanAny } from '../../src/resolve/answer/clean.ts';
import { readPlainReply } from '../../src/resolve/answer/plain-reply.ts';
import { lowerName } from '../../src/wire/name.ts';
import { amount } from '../amount.ts';
import { pointer, record, u16, wire } from '../wire/build.ts';
import { vectors } from '../wire/vectors.ts';

/** The short way through a reply and the long one: where the short one gives an answer, it is the long one's. */

const SEED = 20_261_121;
const TYPES = [1, 28, 5, 255, 16] as const;
const NAMES = ['www.example', 'WWW.Example', 'cdn.example', 'a.cdn.example', 'b.net', '', 'example'] as const;

/** How a record's owner, or a link's target, is written. */
type Spelling = { readonly name: string } | { readonly at: number };

interface Item {
  readonly owner: Spelling;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Spelling | Buffer;
}

const spelling: fc.Arbitrary<Spelling> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ at: 12 }) },
  { weight: 3, arbitrary: fc.constantFrom(...NAMES).map((name) => ({ name })) },
  { weight: 2, arbitrary: fc.nat(120).map((at) => ({ at })) },
);

const address = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('c0000201', '0a000001', 'a9fea9fe', '08080808') },
  { weight: 2, arbitrary: fc.constantFrom('20010db8000000000000000000000001', 'fd00'.padEnd(32, '0')) },
  { weight: 1, arbitrary: fc.constantFrom('', '00', 'c00c', 'c000020102') },
);

const item: fc.Arbitrary<Item> = fc.record({
  owner: spelling,
  type: fc.constantFrom(1, 1, 1, 28, 28, 5, 5, 39, 46, 2, 6, 41),
  class: fc.constantFrom(1, 1, 1, 1, 1, 1, 3),
  ttl: fc.constantFrom(0, 1, 30, 60, 60, 300, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  rdata: fc.oneof(
    { weight: 3, arbitrary: address.map((hex) => Buffer.from(hex, 'hex')) },
    { weight: 2, arbitrary: spelling },
  ),
});

function spelled(how: Spelling): Buffer {
  return 'at' in how ? pointer(how.at) : wire(how.name);
}

function octetsOf(
  items: readonly (readonly Item[])[],
  question: string,
  type: number,
  flags: number,
): Buffer {
  const records = items.flat().map((one) =>
    record({
      owner: spelled(one.owner),
      type: one.type,
      class: one.class,
      ttl: one.ttl,
      rdata: Buffer.isBuffer(one.rdata) ? one.rdata : spelled(one.rdata),
    }),
  );
  const counts = items.map(({ length }) => length);
  return Buffer.concat([u16(7, flags, 1, ...counts), wire(question), u16(type, 1), ...records]);
}

/** A reply as servers send it: a chain, then addresses, each owner pointing to where its name stands. */
const sound = fc
  .record({
    question: fc.constantFrom('www.example', 'WWW.Example', 'a.b.c.d.example'),
    type: fc.constantFrom(1, 28),
    targets: fc.uniqueArray(
      fc.constantFrom('cdn.example', 'Edge.CDN.example', 'x.net', 'example', 'y.x.net', ''),
      {
        maxLength: 5,
      },
    ),
    ttls: fc.array(fc.constantFrom(0, 5, 60, 300, 0x8000_0001), { minLength: 1, maxLength: 6 }),
    addresses: fc.integer({ min: 0, max: 34 }),
    written: fc.boolean(),
    behind: fc.integer({ min: 0, max: 2 }),
    flags: fc.constantFrom(0x8180, 0x81a0, 0x8183, 0x8580),
  })
  .map(({ question, type, targets, ttls, addresses, written, behind, flags }) => {
    const name = wire(question);
    const ttl = (i: number): number => ttls[i % ttls.length]!;
    let out = Buffer.concat([u16(7, flags, 1, targets.length + addresses, behind, 1), name, u16(type, 1)]);
    let owner: Buffer = pointer(12);
    for (const [i, target] of targets.entries()) {
      const rdata = wire(target);
      out = Buffer.concat([out, record({ owner, type: 5, ttl: ttl(i), rdata })]);
      owner = written ? rdata : pointer(out.length - rdata.length);
    }
    for (let i = 0; i < addresses; i++) {
      const rdata = type === 1 ? Buffer.from([i % 2 === 0 ? 192 : 10, 0, 2, i]) : Buffer.alloc(16, i * 13);
      out = Buffer.concat([out, record({ owner, type, ttl: ttl(targets.length + i), rdata })]);
    }
    for (let i = 0; i < behind; i++)
      out = Buffer.concat([out, record({ owner: 'example', type: 2, rdata: wire('ns.example') })]);
    out = Buffer.concat([out, Buffer.from('00002904d0000000000000', 'hex')]);
    return { octets: out, name: lowerName(name), type };
  });

/** Octets as text: which class of array holds them is nobody's business. */
function plainly(answer: Answer | null): unknown {
  if (answer === null) return null;
  const { plain, full, chain, restricted, targets, ...rest } = answer;
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
  const form = ({ octets, ttls, ...counts }: Answer['plain']): unknown => ({
    ...counts,
    octets: hex(octets),
    ttls: [...ttls],
  });
  return {
    ...rest,
    plain: form(plain),
    same: plain === full,
    chain: chain.map(hex),
    restricted: restricted.map(hex),
    targets: targets.map(hex),
  };
}

let short = 0;
let long = 0;

/** What differs, or null. */
function difference(octets: Buffer, name: Uint8Array, type: number): string | null {
  for (const verified of [false, true]) {
    const quick = readPlainReply(octets, name, type, verified);
    const whole = cleanAny(octets, name, type, verified);
    if (quick === null) {
      if (whole !== null) long++;
      continue;
    }
    short++;
    if (!isDeepStrictEqual(plainly(quick), plainly(whole))) return `${octets.toString('hex')} ${type}`;
  }
  return null;
}

t.test('replies as servers send them', async (t) => {
  fc.assert(
    fc.property(sound, ({ octets, name, type }) => difference(octets, name, type) === null),
    { seed: SEED, numRuns: amount(2_000, 5_000) },
  );
  t.ok(short > 2000, `${short} went the short way`);
  t.ok(long > 500, `${long} did not`);
});

t.test('records of any kind in any order', async (t) => {
  short = 0;
  fc.assert(
    fc.property(
      fc.array(item, { maxLength: 4 }),
      fc.array(item, { maxLength: 2 }),
      fc.array(item, { maxLength: 2 }),
      fc.constantFrom(...NAMES),
      fc.constantFrom(...TYPES),
      fc.constantFrom(0x8180, 0x81a0, 0x8183, 0x8185),
      (answers, authority, additional, asked, type, flags) => {
        const octets = octetsOf([answers, authority, additional], asked, type, flags);
        return NAMES.every((name) => difference(octets, lowerName(wire(name)), type) === null);
      },
    ),
    { seed: SEED, numRuns: amount(6_000, 20_000) },
  );
  t.ok(short > 8, `${short} went the short way`);
});

t.test('sound replies with octets changed, cut and added', async (t) => {
  fc.assert(
    fc.property(
      sound,
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 }),
      fc.integer({ min: -12, max: 3 }),
      ({ octets, name, type }, changes, more) => {
        const end = Math.max(0, octets.length + Math.min(0, more));
        const other = Buffer.concat([octets.subarray(0, end), Buffer.alloc(Math.max(0, more))]);
        for (const [at, value] of changes) if (at < other.length) other[at] = value;
        return difference(other, name, type) === null;
      },
    ),
    { seed: SEED, numRuns: amount(6_000, 20_000) },
  );
  t.pass('no difference');
});

t.test('the vectors, each as a reply to its own question and to another', async (t) => {
  for (const { name, octets } of vectors()) {
    const asked = wire('www.example');
    t.equal(difference(octets, lowerName(asked), 1), null, name);
    const around = Buffer.concat([
      octets.subarray(0, 12),
      asked,
      u16(1, 1),
      octets.subarray(12 + asked.length + 4),
    ]);
    if (octets.length >= 12)
      t.equal(difference(around, lowerName(asked), 1), null, `${name}, around a question`);
  }
});

t.test('what the short way does not take, the long one judges', async (t) => {
  const asked = lowerName(wire('www.example'));
  const head = (answers: number, flags = 0x8180): Buffer =>
    Buffer.concat([u16(7, flags, 1, answers, 0, 0), asked, u16(1, 1)]);
  const cname = record({ type: 5, rdata: wire('www.example') });
  t.equal(clean(Buffer.concat([head(1), cname]), asked, 1, false), null, 'a loop');
  const signed = Buffer.concat([
    head(2),
    record(),
    record({
      type: 46,
      rdata: Buffer.concat([u16(1), Buffer.alloc(16, 2), wire('example'), Buffer.alloc(8)]),
    }),
  ]);
  t.equal(readPlainReply(signed, asked, 1, false), null);
  t.equal(clean(signed, asked, 1, false)?.full.answers, 2);
  const many = Buffer.concat([head(40), ...Array.from({ length: 40 }, () => record())]);
  t.equal(readPlainReply(many, asked, 1, false), null);
  t.equal(clean(many, asked, 1, false)?.plain.answers, 40);
});
