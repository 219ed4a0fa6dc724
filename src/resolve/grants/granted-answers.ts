import type { Monotonic, Times } from '../../wire/quantity.ts';
import type { Query } from '../../wire/question.ts';
import type { GrantPlace } from './granted-client.ts';
import type { ReplyAddresses } from './reply-addresses.ts';

/** Answers that are remembered; a power of two. One that falls on another's place is found in the book, which takes longer. */
const PLACES = 2 ** 15;

/**
 * Which answers a client may have without a look into the book: of each the hash of client, name, type and addresses, and until
 * when the kernel has all its grants. Two answers with one hash would let one leave that opens nothing, never open something.
 */
export class GrantedAnswers {
  readonly #marks = new Int32Array(2 * PLACES);
  readonly #untils: Times<Monotonic> = new Float64Array(PLACES);
  readonly #salt: number;
  #place = 0;
  #first = 0;
  #second = 0;

  /** `salt`: 32 bits that nobody outside knows. */
  constructor(salt: number) {
    this.#salt = salt;
  }

  /** Until when the kernel has what this answer opens; 0 where that is not known. `version`: of the book. */
  find(client: GrantPlace, query: Query, addresses: ReplyAddresses, version: number): Monotonic {
    const { name, nameLength } = query;
    let a = Math.imul(client.w0 ^ this.#salt, 0x9e37_79b1) ^ client.family;
    let b = Math.imul(version ^ a, 0x85eb_ca6b) ^ query.type;
    if (client.family === 6) {
      a = Math.imul(a ^ (a >>> 15) ^ client.w1, 0xc2b2_ae35);
      b = Math.imul(b ^ (b >>> 13) ^ client.w2, 0x27d4_eb2f);
      a = Math.imul(a ^ (a >>> 16) ^ client.w3, 0x9e37_79b1);
    }
    for (let at = 0; at < nameLength; at += 4) {
      const word =
        at + 4 <= nameLength
          ? name[at]! | (name[at + 1]! << 8) | (name[at + 2]! << 16) | (name[at + 3]! << 24)
          : rest(name, at, nameLength);
      a = Math.imul(a ^ word, 0x9e37_79b1) ^ (a >>> 15);
      b = ((b << 5) - b + a) | 0;
    }
    a ^= addresses.mark;
    this.#first = a ^ (a >>> 15);
    // 0 marks what was never written.
    this.#second = b | 1;
    this.#place = (this.#first ^ (b >>> 7)) & (PLACES - 1);
    const marks = this.#marks;
    const at = 2 * this.#place;
    return marks[at] === this.#first && marks[at + 1] === this.#second ? this.#untils[this.#place]! : 0;
  }

  /** Remembers what `find` looked for last. */
  keep(until: Monotonic): void {
    const at = 2 * this.#place;
    this.#marks[at] = this.#first;
    this.#marks[at + 1] = this.#second;
    this.#untils[this.#place] = until;
  }
}

/** The last octets of a name, fewer than four. */
function rest(name: Uint8Array, from: number, length: number): number {
  let word = 0;
  for (let at = from; at < length; at++) word = (word << 8) | name[at]!;
  return word;
}
