/** Random names, records and messages for property tests. */
import fc from 'fast-check';
import { labelled, type MessageShape, opt, pointer, question, record, u16, u32 } from './build.ts';

/** Octets that trip readers up come often: dot, NUL, 0xff, backslash, digits, both cases. */
const octet = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(0x2e, 0, 0xff, 0x5c, 0x30, 0x41, 0x61, 0x2a, 0xc0, 0x20),
);

const label = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 8 }) },
  {
    weight: 4,
    arbitrary: fc.array(octet, { minLength: 1, maxLength: 12 }).map((octets) => Uint8Array.from(octets)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 60, maxLength: 63 }) },
);

/** Any wire name, root octet included; the root itself and names of 255 octets among them. */
export const anyName: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 5, arbitrary: fc.array(label, { maxLength: 8 }) },
    {
      weight: 1,
      arbitrary: fc.array(fc.uint8Array({ minLength: 1, maxLength: 1 }), { minLength: 120, maxLength: 127 }),
    },
  )
  .map((labels) => {
    const kept: Uint8Array[] = [];
    let octets = 1;
    for (const each of labels) {
      if (octets + 1 + each.length > 255) break;
      octets += 1 + each.length;
      kept.push(each);
    }
    return labelled(...kept);
  });

/** Names of one message have suffixes in common, so that there is something to compress. */
const relatedName: fc.Arbitrary<Buffer> = fc.oneof(
  anyName,
  fc
    .tuple(
      fc.array(label, { maxLength: 2 }),
      fc.constantFrom(['example'], ['a', 'example'], ['NET'], ['c.d', 'NET']),
    )
    .map(([labels, tail]) => labelled(...labels, ...tail.map((each) => Buffer.from(each)))),
);

const anyType = fc.oneof(
  fc.constantFrom(1, 28, 5, 6, 2, 12, 15, 16, 33, 39, 46, 47, 64, 65, 257),
  fc.integer({ min: 0, max: 0xffff }),
);
const anyTtl = fc.oneof(fc.integer({ min: 0, max: 0x7fff_ffff }), fc.constantFrom(0x8000_0000, 0xffff_ffff));

/** RDATA piece by piece: octets as they are, and names, which may be compressed. */
export type Piece = { readonly octets: Buffer } | { readonly name: Buffer };

const somePiece = (minLength: number, maxLength: number): fc.Arbitrary<Piece> =>
  fc.uint8Array({ minLength, maxLength }).map((octets) => ({ octets: Buffer.from(octets) }));
const namePiece: fc.Arbitrary<Piece> = relatedName.map((name) => ({ name }));

/** RDATA that its type allows. */
function rdataOf(type: number): fc.Arbitrary<Piece[]> {
  const fixed = (size: number): fc.Arbitrary<Piece> => somePiece(size, size);
  const rest = somePiece(0, 40);
  switch (type) {
    case 1:
      return fc.tuple(fixed(4));
    case 28:
      return fc.tuple(fixed(16));
    case 2:
    case 5:
    case 12:
    case 39:
      return fc.tuple(namePiece);
    case 6:
      return fc.tuple(namePiece, namePiece, fixed(20));
    case 15:
      return fc.tuple(fixed(2), namePiece);
    case 33:
      return fc.tuple(fixed(6), namePiece);
    case 46:
      return fc.tuple(fixed(18), namePiece, rest);
    case 47:
      return fc.tuple(namePiece, rest);
    default:
      return fc.tuple(rest);
  }
}

/** A record as a test knows it: what goes on the wire and should come off it again. */
export interface KnownRecord {
  readonly owner: Buffer;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: readonly Piece[];
}

/** Types beyond the list above may have a layout of their own; OPT is no record. */
const LAID_OUT = new Set([3, 4, 7, 8, 9, 14, 17, 18, 21, 24, 26, 30, 35, 36, 41]);

const anyRecord: fc.Arbitrary<KnownRecord> = anyType
  .filter((type) => !LAID_OUT.has(type))
  .chain((type) =>
    fc.record({
      owner: relatedName,
      type: fc.constant(type),
      class: fc.constantFrom(1, 1, 1, 3, 255),
      ttl: anyTtl,
      rdata: rdataOf(type),
    }),
  );

export interface KnownMessage {
  readonly id: number;
  readonly flags: number;
  readonly name: Buffer;
  readonly type: number;
  readonly class: number;
  readonly sections: readonly [readonly KnownRecord[], readonly KnownRecord[], readonly KnownRecord[]];
}

export const anyMessage: fc.Arbitrary<KnownMessage> = fc.record({
  id: fc.integer({ min: 0, max: 0xffff }),
  flags: fc.integer({ min: 0, max: 0xffff }),
  name: relatedName,
  type: anyType,
  class: fc.constantFrom(1, 3, 255),
  sections: fc.tuple(
    fc.array(anyRecord, { maxLength: 4 }),
    fc.array(anyRecord, { maxLength: 3 }),
    fc.array(anyRecord, { maxLength: 3 }),
  ),
});

/** RDATA with its names written out. */
export function wholeRdata(rdata: readonly Piece[]): Buffer {
  return Buffer.concat(rdata.map((piece) => ('name' in piece ? piece.name : piece.octets)));
}

/**
 * Writes a message, its names compressed as a good server does: owners against every name before them, and names in
 * RDATA too where the type is one of RFC 1035 (RFC 3597 §4) or, for readers that must take it, another.
 */
export function writeKnown(known: KnownMessage): Buffer {
  const seen = new Map<string, number>();
  const parts: Buffer[] = [];
  let at = 0;
  const put = (octets: Buffer): void => {
    parts.push(octets);
    at += octets.length;
  };
  const putName = (name: Buffer): void => {
    for (let from = 0; name[from] !== 0; from += 1 + name[from]!) {
      // In the case that was written, so that what is read as sent is what was meant.
      const key = name.subarray(from).toString('latin1');
      const target = seen.get(key);
      if (target !== undefined) {
        put(pointer(target));
        return;
      }
      if (at < 0x4000) seen.set(key, at);
      put(name.subarray(from, from + 1 + name[from]!));
    }
    put(Buffer.from([0]));
  };
  put(u16(known.id, known.flags, 1, ...known.sections.map((section) => section.length)));
  putName(known.name);
  put(u16(known.type, known.class));
  for (const each of known.sections.flat()) {
    putName(each.owner);
    put(u16(each.type, each.class));
    put(u32(each.ttl));
    const length = Buffer.alloc(2);
    put(length);
    const start = at;
    for (const piece of each.rdata) {
      if ('name' in piece) putName(piece.name);
      else put(piece.octets);
    }
    length.writeUInt16BE(at - start);
  }
  return Buffer.concat(parts);
}

/** A query or message with something done to it: octets changed, cut, inserted or doubled, counts changed. */
export function mutated(source: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.record({
    kind: fc.constantFrom('set', 'cut', 'insert', 'remove', 'count', 'pointer', 'label'),
    at: fc.nat(4000),
    value: fc.nat(0xffff),
  });
  return fc.tuple(source, fc.array(change, { minLength: 1, maxLength: 4 })).map(([octets, changes]) => {
    let now = Buffer.from(octets);
    for (const { kind, at, value } of changes) {
      if (now.length === 0) break;
      const index = at % now.length;
      switch (kind) {
        case 'set':
          now[index] = value & 0xff;
          break;
        case 'cut':
          now = now.subarray(0, index);
          break;
        case 'insert':
          now = Buffer.concat([now.subarray(0, index), u16(value), now.subarray(index)]);
          break;
        case 'remove':
          now = Buffer.concat([now.subarray(0, index), now.subarray(index + 1 + (value % 4))]);
          break;
        case 'count':
          if (now.length >= 12) now[5 + 2 * (at % 4)] = value % 5;
          break;
        case 'pointer':
          if (index + 1 < now.length) now.writeUInt16BE(0xc000 | (value % now.length), index);
          break;
        case 'label':
          now[index] = value % 64;
          break;
      }
    }
    return now;
  });
}

/** Queries as clients send them: one question, perhaps OPT, perhaps another additional record. */
export const anyQuery: fc.Arbitrary<MessageShape> = fc
  .record({
    id: fc.integer({ min: 0, max: 0xffff }),
    flags: fc.constantFrom(0x0100, 0x0120, 0x0110, 0x0000),
    name: anyName,
    type: anyType,
    class: fc.constantFrom(1, 1, 1, 3),
    opt: fc.option(
      fc.record({
        size: fc.integer({ min: 0, max: 0xffff }),
        version: fc.constantFrom(0, 0, 0, 1, 255),
        dnssecOk: fc.boolean(),
        options: fc.array(
          fc
            .tuple(fc.constantFrom(3, 8, 10, 11, 12, 15, 65001), fc.uint8Array({ maxLength: 20 }))
            .map(([code, data]): [number, Uint8Array] => [
              code,
              // No cookie has another length (RFC 7873 §4).
              code === 10 ? new Uint8Array(data.length < 16 ? 8 : data.length) : data,
            ]),
          {
            maxLength: 4,
          },
        ),
      }),
    ),
    other: fc.boolean(),
  })
  .map((shape) => ({
    id: shape.id,
    flags: shape.flags,
    questions: [question(shape.name, shape.type, shape.class)],
    additional: [
      ...(shape.other
        ? [record({ owner: pointer(12), type: 16, class: shape.class, rdata: Buffer.from([0]) })]
        : []),
      ...(shape.opt === null
        ? []
        : [
            opt({
              ...shape.opt,
              options: Buffer.concat(
                shape.opt.options.map(([code, data]) => Buffer.concat([u16(code, data.length), data])),
              ),
            }),
          ]),
    ],
  }));
