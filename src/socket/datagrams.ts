import { type Filling, fillReply } from '../wire/filling.ts';
import type { AddressWords } from '../wire/ip-address.ts';
import type { Native, OneDatagram } from './native.ts';
import { ADDRESS_SIZE } from './socket-address.ts';

const IPPROTO_IPV6 = 41;

/**
 * Datagrams that one system call takes. The more there are, the more of the replies to one client leave as one message; and the
 * longer the first of them waits. At most 254: slots are numbered in an octet (segments.ts).
 */
export const BATCH = 96;
/** Room for one datagram: more than any reply over UDP, and than any query that makes sense. */
export const SLOT = 4096;
/** Room for one message's control data: a packet-info message of IPv6 takes 40 octets. */
export const CONTROL_SIZE = 64;
/** Room for the way back to whoever sent a datagram: two lengths, its address, the control data. */
export const WAY_BACK = 2 + ADDRESS_SIZE + CONTROL_SIZE;
/** struct mmsghdr, and within it the fields of struct msghdr. */
export const HEADER_SIZE = 64;
export const NAME = 0;
export const NAME_LENGTH = 8;
export const VECTOR = 16;
export const VECTOR_COUNT = 24;
export const CONTROL = 32;
export const CONTROL_LENGTH = 40;
const MESSAGE_LENGTH = 56;

/** BATCH datagrams with their addresses and control data, laid out for recvmmsg and sendmmsg. */
export class DatagramBatch {
  /** What the system call is given. */
  readonly headers = Buffer.alloc(BATCH * HEADER_SIZE);
  readonly slots: readonly Buffer[];
  /** Where the datagram of the first slot stands. */
  readonly first: OneDatagram;
  /** Addresses, ADDRESS_SIZE octets each; control data, CONTROL_SIZE each. */
  readonly addresses = Buffer.alloc(BATCH * ADDRESS_SIZE);
  readonly controls = Buffer.alloc(BATCH * CONTROL_SIZE);
  /** `headers` as 32-bit words: 16 a datagram. */
  readonly words: Uint32Array;
  readonly #data = Buffer.alloc(BATCH * SLOT);
  readonly #vectors = Buffer.alloc(BATCH * 16);
  /** Addresses and control data as 32-bit words. */
  readonly addressWords: Uint32Array;
  readonly controlWords: Uint32Array;
  /** How the reply in a slot can be filled up: three numbers a slot, `most` first. */
  readonly #fillings = new Uint16Array(BATCH * 3);
  /** struct iovec as 32-bit words: 4 a datagram. */
  readonly vectorWords: Uint32Array;

  constructor(native: Native) {
    this.words = new Uint32Array(this.headers.buffer, this.headers.byteOffset, this.headers.length / 4);
    this.addressWords = new Uint32Array(
      this.addresses.buffer,
      this.addresses.byteOffset,
      this.addresses.length / 4,
    );
    this.controlWords = new Uint32Array(
      this.controls.buffer,
      this.controls.byteOffset,
      this.controls.length / 4,
    );
    this.vectorWords = new Uint32Array(
      this.#vectors.buffer,
      this.#vectors.byteOffset,
      this.#vectors.length / 4,
    );
    const data = native.address(this.#data);
    const vectors = native.address(this.#vectors);
    const addresses = native.address(this.addresses);
    const controls = native.address(this.controls);
    this.first = {
      data: Number(data),
      address: Number(addresses),
      addressLength: Number(native.address(this.headers)) + NAME_LENGTH,
    };
    const slots: Buffer[] = [];
    for (let i = 0; i < BATCH; i++) {
      slots.push(this.#data.subarray(i * SLOT, (i + 1) * SLOT));
      this.#vectors.writeBigUInt64LE(data + BigInt(i * SLOT), i * 16);
      this.#vectors.writeBigUInt64LE(BigInt(SLOT), i * 16 + 8);
      const at = i * HEADER_SIZE;
      this.headers.writeBigUInt64LE(addresses + BigInt(i * ADDRESS_SIZE), at + NAME);
      this.headers.writeBigUInt64LE(vectors + BigInt(i * 16), at + VECTOR);
      this.headers.writeBigUInt64LE(1n, at + VECTOR_COUNT);
      this.headers.writeBigUInt64LE(controls + BigInt(i * CONTROL_SIZE), at + CONTROL);
    }
    this.slots = slots;
  }

  /** Makes the first `count` slots ready to receive into. */
  ready(count: number, wildcard: boolean): void {
    const words = this.words;
    for (let i = 0, at = 0; i < count; i++, at += HEADER_SIZE / 4) {
      words[at + NAME_LENGTH / 4] = ADDRESS_SIZE;
      words[at + CONTROL_LENGTH / 4] = wildcard ? CONTROL_SIZE : 0;
    }
  }

  /** The first slot holds a datagram of so many octets, which was received by itself. */
  holdsOne(length: number): void {
    this.words[MESSAGE_LENGTH / 4] = length;
  }

  /** Octets of the address, and of the control data, that the first slot is sent with. */
  get firstAddressLength(): number {
    return this.words[NAME_LENGTH / 4]!;
  }

  get firstControlLength(): number {
    return this.words[CONTROL_LENGTH / 4]!;
  }

  /** Octets in slot `i` after receiving. */
  lengthOf(i: number): number {
    return this.words[(i * HEADER_SIZE + MESSAGE_LENGTH) / 4]!;
  }

  /** Octets that slot `i` sends. */
  sends(i: number): number {
    return this.vectorWords[i * 4 + 2]!;
  }

  /** How the reply in slot `i` can be filled up. */
  filling(i: number, { most, opt, option }: Readonly<Filling>): void {
    const at = i * 3;
    this.#fillings[at] = most;
    this.#fillings[at + 1] = opt;
    this.#fillings[at + 2] = option;
  }

  /** Fills the reply in slot `i` up to `wanted` octets; false where it cannot have as many. */
  fill(i: number, wanted: number): boolean {
    const fillings = this.#fillings;
    if (fillings[i * 3]! < wanted) return false;
    fillReply(this.slots[i]!, this.sends(i), wanted, fillings[i * 3 + 1]!, fillings[i * 3 + 2]!);
    this.vectorWords[i * 4 + 2] = wanted;
    return true;
  }

  /** Sets what slot `i` sends: its length, and where from and to, copied from slot `j` of the batch it answers. */
  answer(i: number, length: number, asked: DatagramBatch, j: number): void {
    const from = (j * HEADER_SIZE) / 4;
    const nameLength = asked.words[from + NAME_LENGTH / 4]!;
    const controlLength = Math.min(asked.words[from + CONTROL_LENGTH / 4]!, CONTROL_SIZE);
    const { addressWords, controlWords } = this;
    copyWords(
      asked.addressWords,
      (j * ADDRESS_SIZE) / 4,
      addressWords,
      (i * ADDRESS_SIZE) / 4,
      nameLength / 4,
    );
    copyWords(
      asked.controlWords,
      (j * CONTROL_SIZE) / 4,
      controlWords,
      (i * CONTROL_SIZE) / 4,
      controlLength / 4,
    );
    this.#set(i, length, nameLength, controlLength);
  }

  /** The address that slot `i` came to, from its control message on a wildcard socket; false without one. */
  askedAt(i: number, out: AddressWords): boolean {
    if (this.words[(i * HEADER_SIZE + CONTROL_LENGTH) / 4]! === 0) return false;
    const { controls } = this;
    const at = i * CONTROL_SIZE;
    const six = controls.readInt32LE(at + 8) === IPPROTO_IPV6;
    out.family = six ? 6 : 4;
    // in6_pktinfo begins with the address; in_pktinfo has the interface and our own address in front of it.
    const address = at + (six ? 16 : 24);
    out.w0 = controls.readUInt32BE(address);
    out.w1 = six ? controls.readUInt32BE(address + 4) : 0;
    out.w2 = six ? controls.readUInt32BE(address + 8) : 0;
    out.w3 = six ? controls.readUInt32BE(address + 12) : 0;
    return true;
  }

  /** The way back to who sent slot `i`, as octets for `answerTo`. */
  wayBack(i: number, out: Buffer): void {
    const at = (i * HEADER_SIZE) / 4;
    const nameLength = this.words[at + NAME_LENGTH / 4]!;
    const controlLength = Math.min(this.words[at + CONTROL_LENGTH / 4]!, CONTROL_SIZE);
    out[0] = nameLength;
    out[1] = controlLength;
    copy(this.addresses, i * ADDRESS_SIZE, out, 2, nameLength);
    copy(this.controls, i * CONTROL_SIZE, out, 2 + nameLength, controlLength);
  }

  answerTo(i: number, length: number, wayBack: Buffer): void {
    const nameLength = wayBack[0]!;
    const controlLength = wayBack[1]!;
    copy(wayBack, 2, this.addresses, i * ADDRESS_SIZE, nameLength);
    copy(wayBack, 2 + nameLength, this.controls, i * CONTROL_SIZE, controlLength);
    this.#set(i, length, nameLength, controlLength);
  }

  #set(i: number, length: number, nameLength: number, controlLength: number): void {
    const at = (i * HEADER_SIZE) / 4;
    this.words[at + NAME_LENGTH / 4] = nameLength;
    this.words[at + CONTROL_LENGTH / 4] = controlLength;
    this.vectorWords[i * 4 + 2] = length;
  }
}

/** Loops beat Buffer.copy below some hundred octets. */
function copy(from: Buffer, at: number, to: Buffer, out: number, length: number): void {
  for (let i = 0; i < length; i++) to[out + i] = from[at + i]!;
}

/** The kernel's structures are made of whole words. */
export function copyWords(from: Uint32Array, at: number, to: Uint32Array, out: number, count: number): void {
  for (let i = 0; i < count; i++) to[out + i] = from[at + i]!;
}
