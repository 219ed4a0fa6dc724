/**
 * HalfSipHash-1-3 (https://github.com/veorq/SipHash) in two steps: whoever asks is hashed once and kept, and each question goes
 * on from there. A client that finds two questions with one hash would hide one behind the other, so the hash has a key.
 */
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

/** What `QuestionHash.of` gives: two words that say nothing of each other. */
export class QuestionHash {
  place = 0;
  print = 0;

  /** Of a question of whoever `state` stands for. `what`: type, verdict and flags. `name`: from `start` to `end`. */
  of(state: Readonly<HashState>, what: number, name: Uint8Array, start: number, end: number): void {
    let { v0, v1, v2, v3 } = state;
    let word = what;
    // First what, then whole words, then the rest with the length, and the end.
    for (let at = start - 4; ; ) {
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
      at += 4;
      if (at > end) break;
      if (at + 4 <= end) {
        word = name[at]! | (name[at + 1]! << 8) | (name[at + 2]! << 16) | (name[at + 3]! << 24);
        continue;
      }
      word = (end - start) << 24;
      for (let i = at; i < end; i++) word |= name[i]! << (8 * (i - at));
      // The next step ends the loop.
      if (at + 4 > end) at = end + 1 - 4;
    }
    v2 ^= 0xff;
    for (let i = 0; i < 3; i++) {
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
    }
    this.print = v1 ^ v3;
    this.place = v0 ^ v2;
  }
}
