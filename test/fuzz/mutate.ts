/** Seeded changes of DNS messages: blind ones, and ones that know where counts, lengths and pointers stand. */
import type { Random } from '../server/random.ts';

/** Octets of the longest message that comes out, unless the input is longer. */
const LONGEST = 4000;

/** One to six changes. `others` are what slices are taken from; what is given is not changed. */
export function mutate(random: Random, octets: Buffer, others: readonly Buffer[]): Buffer {
  let out = Buffer.from(octets);
  let changes = 1;
  while (changes < 6 && random.once(3)) changes++;
  for (; changes > 0; changes--) out = random.pick(CHANGES)(random, out, others);
  // What had no place for a change gets one all the same.
  if (out.equals(octets))
    out = octets.length === 0 ? randomOctets(random, 1 + random.below(20)) : flipBit(random, out);
  return out.length > Math.max(LONGEST, octets.length) ? Buffer.from(out.subarray(0, LONGEST)) : out;
}

type Change = (random: Random, octets: Buffer<ArrayBuffer>, others: readonly Buffer[]) => Buffer<ArrayBuffer>;

const EDGES = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff];
const EDGES_16 = [
  0, 1, 2, 12, 0x29, 0xff, 0x100, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xc000, 0xc00c, 0xfffe, 0xffff,
];
/** Types that somebody treats otherwise than the rest. */
const TYPES = [
  1, 2, 5, 6, 12, 15, 16, 24, 28, 33, 35, 39, 41, 43, 46, 47, 48, 50, 64, 65, 249, 250, 251, 252, 255, 256,
  0xffff,
];

function flipBit(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  if (octets.length > 0) octets[random.below(octets.length)]! ^= 1 << random.below(8);
  return octets;
}

function setOctet(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  if (octets.length > 0)
    octets[random.below(octets.length)] = random.once(2) ? random.pick(EDGES) : random.below(256);
  return octets;
}

/** QR, opcode, AA, TC, RD, RA, Z, AD, CD, RCODE. */
function changeFlags(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  if (octets.length >= 4) octets[2 + random.below(2)]! ^= 1 << random.below(8);
  return octets;
}

function changeCount(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  return octets.length < 12 ? octets : tweak16(random, octets, 4 + 2 * random.below(4));
}

/** A length, a type, a class or a size, by a little or to an edge. */
function tweak16(random: Random, octets: Buffer<ArrayBuffer>, at: number): Buffer<ArrayBuffer> {
  if (at + 2 > octets.length) return octets;
  const value = octets.readUInt16BE(at);
  const next = random.pick([
    value + 1,
    value - 1,
    value * 2,
    value >> 1,
    octets.length - at,
    random.pick(EDGES_16),
  ]);
  octets.writeUInt16BE(next & 0xffff, at);
  return octets;
}

function changeLength(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const { lengths } = placesOf(octets);
  return lengths.length === 0 ? octets : tweak16(random, octets, random.pick(lengths));
}

function changeType(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const { types } = placesOf(octets);
  if (types.length === 0) return octets;
  const at = random.pick(types);
  if (random.once(4)) return tweak16(random, octets, at + 2);
  if (at + 2 <= octets.length) octets.writeUInt16BE(random.pick(TYPES), at);
  return octets;
}

function changeLabel(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const { labels } = placesOf(octets);
  if (labels.length === 0) return octets;
  const at = random.pick(labels);
  if (at < octets.length)
    octets[at] = random.pick([octets[at]! + 1, octets[at]! - 1, random.pick(EDGES), random.below(64)]);
  return octets;
}

/** Writes a pointer where a label, a record or anything else stands: backward, forward, to itself, into the header. */
function pointSomewhere(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const { labels, ends } = placesOf(octets);
  const places = [...labels, ...ends, random.below(Math.max(1, octets.length))];
  const at = random.pick(places);
  if (at + 2 > octets.length) return octets;
  const target = random.pick([
    12,
    at,
    at - 1,
    at - 2,
    at + 2,
    0,
    random.below(octets.length),
    random.pick(places),
  ]);
  octets.writeUInt16BE(0xc000 | (Math.max(0, target) & 0x3fff), at);
  return octets;
}

function truncate(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const { ends } = placesOf(octets);
  const at = ends.length > 0 && random.once(2) ? random.pick(ends) : random.below(octets.length + 1);
  return octets.subarray(0, at);
}

/** A slice once more: behind itself, at the end, or anywhere. */
function duplicate(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const [from, to] = slice(random, octets);
  const at = random.pick([to, octets.length, random.below(octets.length + 1)]);
  return Buffer.concat([octets.subarray(0, at), octets.subarray(from, to), octets.subarray(at)]);
}

function cut(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const [from, to] = slice(random, octets);
  return Buffer.concat([octets.subarray(0, from), octets.subarray(to)]);
}

/** From the beginning or end of a record to another, or any two offsets. */
function slice(random: Random, octets: Buffer): [number, number] {
  const { ends } = placesOf(octets);
  const places = ends.length > 1 && random.once(2) ? ends : null;
  const any = (): number => (places === null ? random.below(octets.length + 1) : random.pick(places));
  const [a, b] = [any(), any()];
  return [Math.min(a, b), Math.min(octets.length, Math.max(a, b))];
}

/** The beginning of this one and the end of another. */
function splice(random: Random, octets: Buffer<ArrayBuffer>, others: readonly Buffer[]): Buffer<ArrayBuffer> {
  const other = random.pick(others);
  const [, mine] = slice(random, octets);
  const [theirs] = slice(random, other);
  return Buffer.concat([octets.subarray(0, mine), other.subarray(theirs)]);
}

/** Records of another behind the own ones, and the count that goes with them. */
function addRecords(
  random: Random,
  octets: Buffer<ArrayBuffer>,
  others: readonly Buffer[],
): Buffer<ArrayBuffer> {
  const other = random.pick(others);
  const { ends } = placesOf(other);
  if (octets.length < 12 || ends.length < 2) return octets;
  const first = random.below(ends.length - 1);
  const added = other.subarray(ends[first]!, ends[first + 1]!);
  const section = 6 + 2 * random.below(3);
  octets.writeUInt16BE((octets.readUInt16BE(section) + 1) & 0xffff, section);
  return Buffer.concat([octets, added]);
}

function append(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const size = random.once(20) ? random.below(2000) : random.below(30);
  const filler = random.once(3) ? Buffer.alloc(size, random.pick(EDGES)) : randomOctets(random, size);
  return Buffer.concat([octets, filler]);
}

function randomOctets(random: Random, size: number): Buffer<ArrayBuffer> {
  return Buffer.from(Array.from({ length: size }, () => random.below(256)));
}

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  setOctet,
  changeFlags,
  changeCount,
  changeLength,
  changeLength,
  changeType,
  changeLabel,
  pointSomewhere,
  truncate,
  duplicate,
  cut,
  splice,
  addRecords,
  append,
];

/** Where things stand in a message, as far as it can be followed. */
interface Places {
  /** RDLENGTHs and lengths of options. */
  readonly lengths: number[];
  /** Types, a class two octets behind each. */
  readonly types: number[];
  /** Length octets of labels, and pointers. */
  readonly labels: number[];
  /** The end of the header, of questions and of records. */
  readonly ends: number[];
}

function placesOf(octets: Buffer): Places {
  const places: Places = { lengths: [], types: [], labels: [], ends: [] };
  if (octets.length < 12) return places;
  places.ends.push(12);
  let at = 12;
  const name = (): void => {
    while (at < octets.length) {
      const size = octets[at]!;
      places.labels.push(at);
      if (size >= 0xc0) at += 2;
      else at += 1 + (size & 0x3f);
      if (size === 0 || size >= 0xc0) break;
    }
  };
  const questions = Math.min(4, octets.readUInt16BE(4));
  const records = Math.min(200, octets.readUInt16BE(6) + octets.readUInt16BE(8) + octets.readUInt16BE(10));
  for (let left = questions; left > 0 && at < octets.length; left--) {
    name();
    places.types.push(at);
    at += 4;
    places.ends.push(Math.min(at, octets.length));
  }
  for (let left = records; left > 0 && at < octets.length; left--) {
    name();
    places.types.push(at);
    if (at + 10 > octets.length) break;
    places.lengths.push(at + 8);
    const end = at + 10 + octets.readUInt16BE(at + 8);
    if (octets.readUInt16BE(at) === 41) {
      for (let option = at + 10; option + 4 <= Math.min(end, octets.length); ) {
        places.lengths.push(option + 2);
        option += 4 + octets.readUInt16BE(option + 2);
      }
    }
    at = end;
    places.ends.push(Math.min(at, octets.length));
  }
  return places;
}
