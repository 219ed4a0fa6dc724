import { HEADER_SIZE, writeUint16, writeUint32 } from '../wire/header.ts';
import { CLASS } from '../wire/iana.ts';
import { lowerName } from '../wire/name.ts';
import type { Form } from './answer.ts';

/** A record on its way into a form: owner in lower case, RDATA expanded. */
export interface CleanRecord {
  readonly owner: Uint8Array;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  readonly rdata: Uint8Array;
  /** The RDATA is one name that later owners may point into: a CNAME's target. */
  readonly linked: boolean;
}

/** Where a form must end in its message: behind it is room for OPT with our options, 29 octets at most. */
const MAX_END = 0xffff - 32;

/**
 * Writes records as the sections of a message whose question is `question` (a wire name; 4 octets of type and class
 * follow it). Owners are compressed (RFC 1035 §4.1.4). Null where it would not fit a message.
 */
export function writeSections(
  question: Uint8Array,
  answers: readonly CleanRecord[],
  authority: readonly CleanRecord[],
): Form | null {
  places.clear();
  place(question, HEADER_SIZE);
  const base = HEADER_SIZE + question.length + 4;
  const ttls: number[] = [];
  let at = base;
  for (const section of [answers, authority]) {
    for (const record of section) {
      at = writeName(record.owner, at);
      writeUint16(scratch, at, record.type);
      writeUint16(scratch, at + 2, CLASS.IN);
      writeUint32(scratch, at + 4, record.ttl);
      ttls.push(at + 4 - base);
      const start = at + 10;
      if (record.linked) {
        at = writeName(record.rdata, start);
      } else {
        scratch.set(record.rdata, start);
        at = start + record.rdata.length;
      }
      writeUint16(scratch, start - 2, at - start);
      if (at > MAX_END) return null;
    }
  }
  places.clear();
  return {
    octets: Buffer.from(scratch.subarray(base, at)),
    ttls: Uint16Array.from(ttls),
    answers: answers.length,
    authority: authority.length,
  };
}

/** One record more than a message holds. */
const scratch = new Uint8Array(0x2_0000 + 1024);

/** Where names stand, by their octets in lower case; with each of their suffixes. */
const places = new Map<string, number>();

function place(name: Uint8Array, offset: number): void {
  const text = keyOf(name);
  for (let at = 0; name[at] !== 0 && offset + at < 0x4000; at += 1 + name[at]!) {
    const suffix = text.slice(at);
    if (!places.has(suffix)) places.set(suffix, offset + at);
  }
}

/** Lower case in ASCII alone: toLowerCase would fold Latin-1 letters too, and join names that differ. */
function keyOf(name: Uint8Array): string {
  return Buffer.from(lowerName(name).buffer).toString('latin1');
}

/** Writes a name at `at`, its longest known suffix as a pointer; returns the offset behind it. */
function writeName(name: Uint8Array, at: number): number {
  const text = keyOf(name);
  let from = 0;
  let to = at;
  for (; name[from] !== 0; from += 1 + name[from]!) {
    const known = places.get(text.slice(from));
    if (known !== undefined) {
      writeUint16(scratch, to, 0xc000 | known);
      // A name that is known whole has its suffixes known too.
      if (from > 0) place(name, at);
      return to + 2;
    }
    const size = 1 + name[from]!;
    scratch.set(name.subarray(from, from + size), to);
    to += size;
  }
  scratch[to] = 0;
  place(name, at);
  return to + 1;
}
