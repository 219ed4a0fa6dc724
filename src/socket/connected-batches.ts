import type { Native } from './native.ts';

/** Datagrams that one system call takes. */
export const BATCH = 64;
/** struct mmsghdr, and within it the fields of struct msghdr, in 32-bit words. */
const HEADER_SIZE = 64;
const HEADER_WORDS = HEADER_SIZE / 4;
const NAME = 0;
const NAME_LENGTH = 2;
const VECTOR = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const LENGTH = 14;
const MSG_TRUNC = 0x20;
/** Words of struct sockaddr_in6, and of struct iovec. */
const NAME_WORDS = 7;
const VECTOR_WORDS = 4;
const AF_INET6 = 10;
/** More than any reply that keeps to the size that we ask for. */
const REPLY_SIZE = 4096;
/** The longest question: header, name, type and class, OPT. */
const QUESTION_SIZE = 512;
/** struct cmsghdr, 16 bits, and padding. */
const SEGMENT_WORDS = 6;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

/** BATCH replies as recvmmsg lays them out. */
export class Replies {
  readonly headers: Buffer = Buffer.alloc(BATCH * HEADER_SIZE);
  /** Where reply `i` stands. */
  readonly slots: readonly Buffer[];
  readonly #data: Buffer = Buffer.alloc(BATCH * REPLY_SIZE);
  readonly #names: Buffer = Buffer.alloc(BATCH * NAME_WORDS * 4);
  readonly #vectors: Buffer = Buffer.alloc(BATCH * VECTOR_WORDS * 4);
  readonly #words: Uint32Array = wordsOf(this.headers);
  readonly #nameWords: Uint32Array = wordsOf(this.#names);

  constructor(native: Native) {
    this.slots = Array.from({ length: BATCH }, (_, i) =>
      this.#data.subarray(i * REPLY_SIZE, (i + 1) * REPLY_SIZE),
    );
    const [data, names, vectors] = [this.#data, this.#names, this.#vectors].map((buffer) =>
      native.address(buffer),
    );
    for (let i = 0; i < BATCH; i++) {
      writeVector(this.#vectors, i, data! + BigInt(i * REPLY_SIZE), REPLY_SIZE);
      const at = i * HEADER_SIZE;
      this.headers.writeBigUInt64LE(names! + BigInt(i * NAME_WORDS * 4), at + NAME * 4);
      this.headers.writeBigUInt64LE(vectors! + BigInt(i * VECTOR_WORDS * 4), at + VECTOR * 4);
      this.headers.writeBigUInt64LE(1n, at + VECTOR_COUNT * 4);
    }
  }

  /** Before each read. */
  ready(): void {
    const words = this.#words;
    for (let at = NAME_LENGTH; at < words.length; at += HEADER_WORDS) words[at] = NAME_WORDS * 4;
  }

  lengthOf(i: number): number {
    return this.#words[i * HEADER_WORDS + LENGTH]!;
  }

  /** Longer than its slot. */
  isCut(i: number): boolean {
    return (this.#words[i * HEADER_WORDS + FLAGS]! & MSG_TRUNC) !== 0;
  }

  /** Whether it came from that address: between choosing a port and connecting it, the kernel takes what anybody sends. */
  isFrom(i: number, address: Uint32Array): boolean {
    const words = this.#nameWords;
    const at = i * NAME_WORDS;
    if (words[at] !== address[0]) return false;
    // Of IPv6, flow label and scope say nothing.
    if ((address[0]! & 0xffff) !== AF_INET6) return words[at + 1] === address[1];
    for (let word = 2; word < 6; word++) if (words[at + word] !== address[word]) return false;
    return true;
  }
}

/**
 * BATCH questions for one connected socket as sendmmsg wants them. Those of one length go to the kernel as one message,
 * which it cuts into datagrams again (UDP_SEGMENT, udp(7)); one that is shorter may end it.
 */
export class Questions {
  readonly headers: Buffer = Buffer.alloc(BATCH * HEADER_SIZE);
  readonly #data: Buffer = Buffer.alloc(BATCH * QUESTION_SIZE);
  readonly #vectors: Buffer = Buffer.alloc(BATCH * VECTOR_WORDS * 4);
  readonly #controls: Buffer = Buffer.alloc(BATCH * SEGMENT_WORDS * 4);
  readonly #words: Uint32Array = wordsOf(this.headers);
  readonly #vectorWords: Uint32Array = wordsOf(this.#vectors);
  readonly #controlWords: Uint32Array = wordsOf(this.#controls);
  readonly #dataPointers: Uint32Array;
  readonly #vectorPointers: Uint32Array;
  readonly #controlPointers: Uint32Array;
  readonly #lengths = new Uint16Array(BATCH);
  readonly #order = new Uint8Array(BATCH);

  constructor(native: Native) {
    this.#dataPointers = pointers(native.address(this.#data), QUESTION_SIZE);
    this.#vectorPointers = pointers(native.address(this.#vectors), VECTOR_WORDS * 4);
    this.#controlPointers = pointers(native.address(this.#controls), SEGMENT_WORDS * 4);
    for (let i = 0; i < BATCH; i++) {
      const at = i * SEGMENT_WORDS * 4;
      this.#controls.writeBigUInt64LE(18n, at);
      this.#controls.writeUInt32LE(SOL_UDP, at + 8);
      this.#controls.writeUInt32LE(UDP_SEGMENT, at + 12);
    }
  }

  /** Question `i`: a copy of `length` octets from `start` on. */
  put(i: number, octets: Buffer, start: number, length: number): void {
    const at = i * QUESTION_SIZE;
    const data = this.#data;
    for (let octet = 0; octet < length; octet++) data[at + octet] = octets[start + octet]!;
    this.#lengths[i] = length;
  }

  /** Lays out the first `count`; returns how many messages they are: a datagram each, or as few as it takes. */
  lay(count: number, grouped: boolean): number {
    if (grouped) this.#sort(count);
    else for (let i = 0; i < count; i++) this.#order[i] = i;
    const lengths = this.#lengths;
    let messages = 0;
    for (let i = 0; i < count; ) {
      const first = i;
      const size = this.#vector(i++);
      if (grouped) {
        while (i < count && lengths[this.#order[i]!] === size) this.#vector(i++);
        if (i < count) this.#vector(i++);
      }
      this.#message(messages++, first, i - first, size);
    }
    return messages;
  }

  /** The longest first, in the order in which they came: mostly they are of few lengths. */
  #sort(count: number): void {
    const order = this.#order;
    const lengths = this.#lengths;
    for (let i = 0; i < count; i++) {
      let to = i;
      for (; to > 0 && lengths[order[to - 1]!]! < lengths[i]!; to--) order[to] = order[to - 1]!;
      order[to] = i;
    }
  }

  /** Points vector `i` to the question that is the `i`th to go; returns its length. */
  #vector(i: number): number {
    const question = this.#order[i]!;
    const words = this.#vectorWords;
    const at = i * VECTOR_WORDS;
    words[at] = this.#dataPointers[2 * question]!;
    words[at + 1] = this.#dataPointers[2 * question + 1]!;
    words[at + 2] = this.#lengths[question]!;
    return this.#lengths[question]!;
  }

  #message(message: number, first: number, count: number, size: number): void {
    const words = this.#words;
    const at = message * HEADER_WORDS;
    words[at + VECTOR] = this.#vectorPointers[2 * first]!;
    words[at + VECTOR + 1] = this.#vectorPointers[2 * first + 1]!;
    words[at + VECTOR_COUNT] = count;
    words[at + CONTROL] = count === 1 ? 0 : this.#controlPointers[2 * message]!;
    words[at + CONTROL + 1] = count === 1 ? 0 : this.#controlPointers[2 * message + 1]!;
    words[at + CONTROL_LENGTH] = count === 1 ? 0 : SEGMENT_WORDS * 4;
    this.#controlWords[message * SEGMENT_WORDS + 4] = size;
  }

  /** The messages from `message` on. */
  from(message: number): Buffer {
    return message === 0 ? this.headers : this.headers.subarray(message * HEADER_SIZE);
  }
}

export function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >>> 2);
}

function writeVector(vectors: Buffer, i: number, pointer: bigint, length: number): void {
  vectors.writeBigUInt64LE(pointer, i * 16);
  vectors.writeBigUInt64LE(BigInt(length), i * 16 + 8);
}

/** Addresses of BATCH entries of `size` octets each, low word first. */
function pointers(base: bigint, size: number): Uint32Array {
  const out = new BigUint64Array(BATCH);
  for (let i = 0; i < BATCH; i++) out[i] = base + BigInt(i * size);
  return new Uint32Array(out.buffer);
}
