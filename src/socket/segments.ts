import {
  BATCH,
  CONTROL,
  CONTROL_LENGTH,
  CONTROL_SIZE,
  copyWords,
  type DatagramBatch,
  HEADER_SIZE,
  NAME,
  NAME_LENGTH,
  VECTOR,
  VECTOR_COUNT,
} from './datagrams.ts';
import { ADDRESS_SIZE } from './socket-address.ts';

/** Octets of one group: a UDP datagram's most (RFC 768), less some. */
const MAX_GROUP = 65_000;
/** Datagrams of one group: older kernels take no more (UDP_MAX_SEGMENTS). */
const MAX_SEGMENTS = 64;
/** A control message that says how long each datagram of a group is: struct cmsghdr, 16 bits, and padding. */
const SEGMENT_SIZE = 24;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const ADDRESS_WORDS = ADDRESS_SIZE / 4;
const CONTROL_WORDS = CONTROL_SIZE / 4;
const HEADER_WORDS = HEADER_SIZE / 4;
const GROUP_CONTROL = SEGMENT_SIZE + CONTROL_SIZE;
/** Slots of the table of destinations: a power of two, and more than a batch can fill. */
const TABLE = 256;
/**
 * So many replies to one client in one batch are for no person: those that end in a text are filled up to one length. The octets
 * cost less than messages of their own.
 */
const MANY = 4;
const MOST_FILLED = 48;
const NONE = 255;

/**
 * Lays out the replies of a batch for sendmmsg so that those to one client go to the kernel as one message, which it
 * cuts into datagrams again (UDP_SEGMENT, udp(7)): routes, queues and filters are then passed once for all of them. All
 * but the last of such a group are of one length, and the last is no longer.
 */
export class Segments {
  /** What the system call is given: a struct mmsghdr a group. */
  readonly headers = Buffer.alloc(BATCH * HEADER_SIZE);
  /** Slots in the order in which they are sent; group g has those from `start[g]` to `start[g + 1]`. */
  readonly order = new Uint8Array(BATCH);
  readonly start = new Uint8Array(BATCH + 1);
  readonly #batch: DatagramBatch;
  readonly #words: Uint32Array;
  readonly #vectors: Buffer = Buffer.alloc(BATCH * 16);
  readonly #vectorWords: Uint32Array;
  readonly #controls: Buffer = Buffer.alloc(BATCH * GROUP_CONTROL);
  readonly #controlWords: Uint32Array;
  readonly #vectorPointers: Uint32Array;
  readonly #controlPointers: Uint32Array;
  /** First slot of a destination, by hash. */
  readonly #table = new Uint8Array(TABLE);
  /** The destination's next slot, by descending length. */
  readonly #next = new Uint8Array(BATCH);
  readonly #firsts = new Uint8Array(BATCH);
  /** How many slots a destination has, by its place in the table. */
  readonly #counts = new Uint8Array(TABLE);

  constructor(batch: DatagramBatch, addressOf: (buffer: Buffer) => bigint) {
    this.#batch = batch;
    this.#words = wordsOf(this.headers);
    this.#vectorWords = wordsOf(this.#vectors);
    this.#controlWords = wordsOf(this.#controls);
    this.#vectorPointers = pointers(addressOf(this.#vectors), 16);
    this.#controlPointers = pointers(addressOf(this.#controls), GROUP_CONTROL);
    for (let g = 0; g < BATCH; g++) {
      const at = g * GROUP_CONTROL;
      this.#controls.writeBigUInt64LE(18n, at);
      this.#controls.writeUInt32LE(SOL_UDP, at + 8);
      this.#controls.writeUInt32LE(UDP_SEGMENT, at + 12);
    }
  }

  /** Lays out the first `count` slots of the batch; returns how many groups they are. */
  lay(count: number): number {
    const destinations = this.#gather(count);
    let groups = 0;
    let sent = 0;
    for (let d = 0; d < destinations; d++) {
      const place = this.#firsts[d]!;
      const isFilled = this.#counts[place]! >= MANY;
      let slot = this.#table[place]!;
      while (slot !== NONE) {
        this.start[groups] = sent;
        slot = this.#group(groups, slot, sent, isFilled);
        sent = this.#sent;
        groups++;
      }
    }
    this.start[groups] = sent;
    return groups;
  }

  #sent = 0;

  /** Chains the slots of each destination, the longest first; returns how many destinations there are. */
  #gather(count: number): number {
    const table = this.#table;
    const next = this.#next;
    const batch = this.#batch;
    table.fill(NONE);
    let destinations = 0;
    for (let slot = 0; slot < count; slot++) {
      let place = this.#hash(slot);
      while (table[place] !== NONE && !this.#sameDestination(table[place]!, slot))
        place = (place + 1) & (TABLE - 1);
      const first = table[place]!;
      const length = batch.sends(slot);
      if (first === NONE) {
        this.#firsts[destinations++] = place;
        this.#counts[place] = 1;
      } else this.#counts[place] = this.#counts[place]! + 1;
      if (first === NONE || batch.sends(first) <= length) {
        next[slot] = first;
        table[place] = slot;
        continue;
      }
      let before = first;
      while (next[before] !== NONE && batch.sends(next[before]!) > length) before = next[before]!;
      next[slot] = next[before]!;
      next[before] = slot;
    }
    return destinations;
  }

  #hash(slot: number): number {
    const { addressWords } = this.#batch;
    const at = slot * ADDRESS_WORDS;
    const mixed = Math.imul(addressWords[at]! ^ Math.imul(addressWords[at + 1]!, 0x85eb_ca6b), 0x9e37_79b1);
    return (mixed ^ (mixed >>> 16)) & (TABLE - 1);
  }

  /** The same client, and the same address of ours to answer from. */
  #sameDestination(a: number, b: number): boolean {
    const { words, addressWords, controlWords } = this.#batch;
    const nameLength = words[a * HEADER_WORDS + NAME_LENGTH / 4]!;
    const controlLength = words[a * HEADER_WORDS + CONTROL_LENGTH / 4]!;
    if (nameLength !== words[b * HEADER_WORDS + NAME_LENGTH / 4]) return false;
    if (controlLength !== words[b * HEADER_WORDS + CONTROL_LENGTH / 4]) return false;
    for (let i = 0; i < nameLength >>> 2; i++) {
      if (addressWords[a * ADDRESS_WORDS + i] !== addressWords[b * ADDRESS_WORDS + i]) return false;
    }
    for (let i = 0; i < controlLength >>> 2; i++) {
      if (controlWords[a * CONTROL_WORDS + i] !== controlWords[b * CONTROL_WORDS + i]) return false;
    }
    return true;
  }

  /** Writes the group that begins with `slot` as number `g`; returns the slot behind it. */
  #group(g: number, slot: number, sent: number, isFilled: boolean): number {
    const batch = this.#batch;
    const next = this.#next;
    const words = this.#words;
    const size = batch.sends(slot);
    const first = sent;
    const last = first + Math.min(MAX_SEGMENTS, Math.floor(MAX_GROUP / size));
    let at = slot;
    let length = size;
    // The first that is shorter may end it.
    while (sent < last) {
      this.#append(at, sent++, length);
      at = next[at]!;
      if (at === NONE || length < size) break;
      length = batch.sends(at);
      if (isFilled && length < size && size - length <= MOST_FILLED && batch.fill(at, size)) length = size;
    }
    this.#sent = sent;
    const from = slot * HEADER_WORDS;
    const to = g * HEADER_WORDS;
    copyWords(batch.words, from + NAME / 4, words, to + NAME / 4, 2);
    words[to + NAME_LENGTH / 4] = batch.words[from + NAME_LENGTH / 4]!;
    copyWords(this.#vectorPointers, 2 * first, words, to + VECTOR / 4, 2);
    words[to + VECTOR_COUNT / 4] = sent - first;
    const controlLength = batch.words[from + CONTROL_LENGTH / 4]!;
    if (sent - first === 1) {
      copyWords(batch.words, from + CONTROL / 4, words, to + CONTROL / 4, 2);
      words[to + CONTROL_LENGTH / 4] = controlLength;
    } else {
      const control = (g * GROUP_CONTROL) / 4;
      this.#controlWords[control + 4] = size;
      copyWords(
        batch.controlWords,
        slot * CONTROL_WORDS,
        this.#controlWords,
        control + SEGMENT_SIZE / 4,
        controlLength >>> 2,
      );
      copyWords(this.#controlPointers, 2 * g, words, to + CONTROL / 4, 2);
      words[to + CONTROL_LENGTH / 4] = SEGMENT_SIZE + controlLength;
    }
    return at;
  }

  #append(slot: number, sent: number, length: number): void {
    this.order[sent] = slot;
    copyWords(this.#batch.vectorWords, slot * 4, this.#vectorWords, sent * 4, 2);
    this.#vectorWords[sent * 4 + 2] = length;
  }
}

function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);
}

/** Addresses of BATCH entries of `size` octets each, low word first. */
function pointers(base: bigint, size: number): Uint32Array {
  const out = new BigUint64Array(BATCH);
  for (let i = 0; i < BATCH; i++) out[i] = base + BigInt(i * size);
  return new Uint32Array(out.buffer);
}
