/**
 * HalfSipHash (Aumasson and Bernstein, https://github.com/veorq/SipHash): SipHash over words of 32 bits, which JavaScript has.
 * Which inputs collide depends on the key, so that no client can aim at a place of a table. 1-3 (rounds of each word, and at an
 * end) is what Linux hashes its tables with where words have 32 bits; nobody sees the output.
 *
 * The round stands in each of the loops that run for every query. One loop for all of them, with its registers in an array and its
 * ends as parameters, took 1.3 to 1.6 times as long (24 to 60 octets).
 */

/** Rounds in front of each end of the output. */
const LAST_ROUNDS = 3;
/** A name has 255 octets at most. */
const MAX_NAME_WORDS = 64;

/** A keyed hash of 32 bits, signed. `secret`: two random words. */
export function saltedHash(secret: Readonly<Uint32Array>): (octets: Uint8Array, length: number) => number {
  const first = secret[0]! | 0;
  const second = secret[1]! | 0;
  return (octets, length) => halfSipHash(octets, length, first, second);
}

/** HalfSipHash-1-3 with 32 bits of output, signed. One loop without another in it: that alone halved its time. */
export function halfSipHash(octets: Uint8Array, length: number, first: number, second: number): number {
  let v0 = first;
  let v1 = second;
  let v2 = 0x6c79_6765 ^ first;
  let v3 = 0x7465_6462 ^ second;
  const words = length >>> 2;
  // One round each: whole words, what is left over with the length, and the end.
  for (let at = 0; at <= words + LAST_ROUNDS; at++) {
    const word = at < words ? whole(octets, at * 4) : at === words ? rest(octets, length) : 0;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    if (at === words) v2 ^= 0xff;
  }
  return v1 ^ v3;
}

/** HalfSipHash-1-3 with 64 bits of output. SipHash-1-3, in pairs of words, takes three times as long. */
export class KeyedHash {
  /** The output of the last `run`, as signed words. */
  low = 0;
  high = 0;
  readonly #first: number;
  readonly #second: number;

  /** `key`: the first 8 of its octets count. */
  constructor(key: Uint8Array) {
    this.#first = whole(key, 0);
    this.#second = whole(key, 4);
  }

  /** Hashes the first `length` octets. One loop without another in it: that alone halved its time. */
  run(octets: Uint8Array, length: number): void {
    let v0 = this.#first;
    let v1 = this.#second ^ 0xee;
    let v2 = 0x6c79_6765 ^ this.#first;
    let v3 = 0x7465_6462 ^ this.#second;
    const words = length >>> 2;
    // One round each: whole words, what is left over with the length, and the two ends.
    for (let at = 0; at <= words + 2 * LAST_ROUNDS; at++) {
      const word = at < words ? whole(octets, at * 4) : at === words ? rest(octets, length) : 0;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (at === words) v2 ^= 0xee;
      else if (at === words + LAST_ROUNDS) {
        this.low = v1 ^ v3;
        v1 ^= 0xdd;
      }
    }
    this.high = v1 ^ v3;
  }
}

/** The four registers of a key, or of a key that has taken something in. */
export interface HashState {
  v0: number;
  v1: number;
  v2: number;
  v3: number;
}

export const START: Readonly<HashState> = { v0: 0, v1: 0, v2: 0, v3: 0 };

/** The state in which a key begins. `first` and `second`: random words. */
export function keyed(first: number, second: number): HashState {
  return { v0: first | 0, v1: second | 0, v2: 0x6c79_6765 ^ first, v3: 0x7465_6462 ^ second };
}

/** The state after some octets, whose number is in it. */
export function absorbed(state: Readonly<HashState>, octets: Uint8Array): HashState {
  const next = { ...state };
  const padded = Buffer.alloc(4 * Math.ceil((octets.length + 1) / 4));
  padded.set(octets);
  padded[padded.length - 1] = octets.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) absorb(next, padded.readInt32LE(at));
  return next;
}

function absorb(state: HashState, word: number): void {
  state.v3 ^= word;
  round(state);
  state.v0 ^= word;
}

function round(state: HashState): void {
  let { v0, v1, v2, v3 } = state;
  v0 = (v0 + v1) | 0;
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
  v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0;
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
  v0 = (v0 + v3) | 0;
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
  v2 = (v2 + v1) | 0;
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
  v2 = (v2 << 16) | (v2 >>> 16);
  state.v0 = v0;
  state.v1 = v1;
  state.v2 = v2;
  state.v3 = v3;
}

/** HalfSipHash-1-3 of a word and some octets, from a state that stands for whoever asks: it is hashed once and kept. */
export class QuestionHash {
  /** The output of the last call: two words that say nothing of each other. */
  place = 0;
  print = 0;
  readonly #words = new Uint32Array(MAX_NAME_WORDS);
  readonly #octets = new Uint8Array(this.#words.buffer);

  /** Of a question of whoever `state` stands for. `what`: type, verdict and flags. `name`: from `start` to `end`. */
  of(state: Readonly<HashState>, what: number, name: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) this.#octets[i - start] = name[i]!;
    this.ofWords(state, what, this.#words, end - start);
  }

  /**
   * The same of a name that begins with the first of `words` and has `length` octets; those behind it do not count. Read by words
   * it takes three quarters of the time.
   */
  ofWords(state: Readonly<HashState>, what: number, words: Uint32Array, length: number): void {
    let { v0, v1, v2, v3 } = state;
    const count = length >>> 2;
    // One round each: first what, then whole words, then the rest with the length, and the end.
    for (let at = -1; at <= count + LAST_ROUNDS; at++) {
      let word = 0;
      if (at < 0) word = what;
      else if (at < count) word = words[at]! | 0;
      else if (at === count) word = (length << 24) | (words[at]! & ((1 << (8 * (length & 3))) - 1));
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (at === count) v2 ^= 0xff;
    }
    this.print = v1 ^ v3;
    this.place = v0 ^ v2;
  }
}

/**
 * HalfSipHash-2-4 with 64 bits of output, for input of three words.
 */
export class WordHash {
  /** The output of the last `run`: its first and second word, signed. */
  first = 0;
  second = 0;
  readonly #key0: number;
  readonly #key1: number;
  readonly #state: HashState = { ...START };

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** Octets 0 to 3 of the input are `a`, little-endian; then `b`, then `c`. */
  run(a: number, b: number, c: number): void {
    const state = this.#state;
    state.v0 = this.#key0;
    state.v1 = this.#key1 ^ 0xee;
    state.v2 = 0x6c79_6765 ^ this.#key0;
    state.v3 = 0x7465_6462 ^ this.#key1;
    absorbTwice(state, a);
    absorbTwice(state, b);
    absorbTwice(state, c);
    // The length in octets in the last word's top octet, as the definition has it.
    absorbTwice(state, 12 << 24);
    state.v2 ^= 0xee;
    for (let i = 0; i < 4; i++) round(state);
    this.first = state.v1 ^ state.v3;
    state.v1 ^= 0xdd;
    for (let i = 0; i < 4; i++) round(state);
    this.second = state.v1 ^ state.v3;
  }
}

function absorbTwice(state: HashState, word: number): void {
  state.v3 ^= word;
  round(state);
  round(state);
  state.v0 ^= word;
}

function whole(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}

/** The octets behind the last whole word, and the length in the last octet. */
function rest(octets: Uint8Array, length: number): number {
  let word = length << 24;
  for (let at = length & ~3; at < length; at++) word |= octets[at]! << (8 * (at & 3));
  return word;
}
