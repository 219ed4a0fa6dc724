import { HEADER_SIZE, writeUint16, writeUint32 } from '../../wire/header.ts';
import { CLASS } from '../../wire/iana.ts';
import { lowerOctet } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import type { Form } from './answer.ts';

/** A record on its way into a form: owner in lower case, RDATA expanded. */
export interface CleanRecord {
  readonly owner: Uint8Array;
  readonly type: number;
  /** Seconds. */
  readonly ttl: Seconds;
  readonly rdata: Uint8Array;
  /** The record's data begin here in `rdata`, or at its start, and end here, or at its end. */
  readonly from?: number;
  readonly to?: number;
  /** The RDATA is one name that later owners may point into: a CNAME's target. */
  readonly linked: boolean;
}

/** Where a form must end in its message: behind it is room for OPT with our options, 29 octets at most. */
const MAX_END = 0xffff - 32;

/**
 * Writes records as the sections of a message whose question is `question` (a wire name; 4 octets of type and class
 * follow it). Owners are compressed (RFC 1035 §4.1.4). Null where it would not fit a message. Of the answers the first
 * `answerCount` count.
 */
export function writeSections(
  question: Uint8Array,
  answers: readonly CleanRecord[],
  authority: readonly CleanRecord[],
  answerCount: number = answers.length,
): Form | null {
  known = 0;
  effort = 0;
  // Most owners are the question.
  lastName = question[0] === 0 ? null : question;
  lastPlace = HEADER_SIZE;
  remember(question, HEADER_SIZE);
  const base = HEADER_SIZE + question.length + 4;
  let count = 0;
  let at = base;
  for (let section = 0; section < 2; section++) {
    const records = section === 0 ? answers : authority;
    const length = section === 0 ? answerCount : records.length;
    for (let i = 0; i < length; i++) {
      const record = records[i]!;
      at = writeName(record.owner, at);
      writeUint16(scratch, at, record.type);
      writeUint16(scratch, at + 2, CLASS.IN);
      writeUint32(scratch, at + 4, record.ttl);
      ttls[count++] = at + 4 - base;
      const start = at + 10;
      at = record.linked ? writeName(record.rdata, start) : write(record, start);
      writeUint16(scratch, start - 2, at - start);
      if (at > MAX_END) return null;
    }
  }
  return {
    octets: copyOf(base, at),
    ttls: ttlsOf(count),
    answers: answerCount,
    authority: authority.length,
  };
}

/** One record more than a message holds. */
const scratch = new Uint8Array(0x2_0000 + 1024);

/**
 * Where the TTLs stand of addresses whose owner is the question, up to eight, of IPv4 and of IPv6: 16 and 28 octets apart.
 * Most answers share these.
 */
const SHARED = [16, 28].map((step) =>
  Array.from({ length: 9 }, (_, count) => Uint16Array.from({ length: count }, (_, i) => 6 + step * i)),
);

/** The first `count` of `ttls`. */
function ttlsOf(count: number): Uint16Array {
  const shared = SHARED[count > 1 && ttls[1] === 6 + 28 ? 1 : 0]![count];
  if (shared === undefined) return ttls.slice(0, count);
  for (let i = 0; i < count; i++) if (ttls[i] !== shared[i]) return ttls.slice(0, count);
  return shared;
}

/** One more than a message holds: the shortest record has 11 octets. */
const ttls = new Uint16Array(0x2000);

/** Names that stand uncompressed, at least in part, and where they begin; the first `known` are of this message. */
const names: Uint8Array[] = [];
const offsets: number[] = [];
let known = 0;

function remember(name: Uint8Array, offset: number): void {
  // The root is as short as a pointer is not, and beyond 14 bits nothing can point.
  if (name[0] === 0 || offset >= 0x4000) return;
  names[known] = name;
  offsets[known++] = offset;
}

/**
 * Octets and names compared so far, and after how many no more are looked for: names that cost more were made to, and
 * are written out. 32 proofs and a chain of 16 need a tenth of it.
 */
let effort = 0;
const MAX_EFFORT = 500_000;

/** The last name that is known whole, and where: the records of an RRset follow each other. */
let lastName: Uint8Array | null = null;
let lastPlace = 0;

/** Writes a name at `at`, its longest known suffix as a pointer; returns the offset behind it. */
function writeName(name: Uint8Array, at: number): number {
  if (name === lastName) {
    writeUint16(scratch, at, 0xc000 | lastPlace);
    return at + 2;
  }
  let from = 0;
  let to = at;
  for (; name[from] !== 0; from += 1 + name[from]!) {
    const place = placeOf(name, from);
    if (place >= 0) {
      writeUint16(scratch, to, 0xc000 | place);
      // A name that is known whole has its suffixes known too.
      if (from > 0) {
        remember(name, at);
      } else {
        lastName = name;
        lastPlace = place;
      }
      return to + 2;
    }
    const end = from + 1 + name[from]!;
    for (let i = from; i < end; i++) scratch[to++] = name[i]!;
  }
  scratch[to] = 0;
  remember(name, at);
  return to + 1;
}

/**
 * Where the part of `name` from `from` on was written first, within a pointer's reach, or -1. Names are few: a chain is
 * bounded, and so are proofs; the owners of one RRset are one name.
 */
function placeOf(name: Uint8Array, from: number): number {
  const length = name.length - from;
  if (effort > MAX_EFFORT) return -1;
  effort += known;
  for (let i = 0; i < known; i++) {
    const other = names[i]!;
    const start = other.length - length;
    if (start < 0 || offsets[i]! + start >= 0x4000 || !endsAlike(name, other, length)) continue;
    // Labels begin where both begin one: their octets alone do not say so.
    effort += start;
    let label = 0;
    while (label < start) label += 1 + other[label]!;
    if (label === start) return offsets[i]! + start;
  }
  return -1;
}

/** The last `length` octets are the same, but for the case of ASCII letters (RFC 4343 §3). */
function endsAlike(a: Uint8Array, b: Uint8Array, length: number): boolean {
  for (let i = 1; i <= length; i++) {
    const left = a[a.length - i]!;
    const right = b[b.length - i]!;
    if (left !== right && lowerOctet(left) !== lowerOctet(right)) {
      effort += i;
      return false;
    }
  }
  effort += length;
  return true;
}

function write({ rdata, from = 0, to = rdata.length }: CleanRecord, at: number): number {
  for (let i = from; i < to; i++) scratch[at + i - from] = rdata[i]!;
  return at + to - from;
}

/** Out of Buffer's pool: a form is small, and a backing store of its own would cost more than it. */
function copyOf(start: number, end: number): Buffer {
  const out = Buffer.allocUnsafe(end - start);
  for (let i = start; i < end; i++) out[i - start] = scratch[i]!;
  return out;
}
