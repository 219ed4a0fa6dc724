/**
 * SipHash-2-4 (Aumasson and Bernstein, https://github.com/veorq/SipHash), the keyed hash of server cookies (RFC 9018 §4.4).
 * 64-bit words are pairs of 32-bit ones; nothing is allocated.
 */
export class SipHash {
  /** The output of the last `run`: bits 0 to 31 and 32 to 63, signed. */
  low = 0;
  high = 0;
  readonly #key = new Int32Array(4);
  readonly #rounds: number;
  readonly #last: number;

  /**
   * `key`: 16 octets. `rounds` of each block, and `last` of the end: 2 and 4 are what cookies want. SipHash-1-3 is the usual
   * choice for tables, whose hashes nobody sees.
   */
  constructor(key: Uint8Array, rounds = 2, last = 4) {
    this.#rounds = rounds;
    this.#last = last;
    for (let i = 0; i < 4; i++) this.#key[i] = little(key, 4 * i);
  }

  /**
   * Hashes the first `length` octets. One loop over eight variables, which stand in registers: of a miss, hashing in an array
   * was a twelfth.
   */
  run(octets: Uint8Array, length: number): void {
    const key = this.#key;
    let l0 = key[0]! ^ 0x70736575;
    let h0 = key[1]! ^ 0x736f6d65;
    let l1 = key[2]! ^ 0x6e646f6d;
    let h1 = key[3]! ^ 0x646f7261;
    let l2 = key[0]! ^ 0x6e657261;
    let h2 = key[1]! ^ 0x6c796765;
    let l3 = key[2]! ^ 0x79746573;
    let h3 = key[3]! ^ 0x74656462;
    const rounds = this.#rounds;
    const last = this.#last;
    const blocks = length >>> 3;
    // Whole blocks, what is left over with the length in the last octet, and the end.
    for (let block = 0; block <= blocks + 1; block++) {
      const isEnd = block > blocks;
      const low = isEnd ? 0 : block < blocks ? little(octets, block * 8) : rest(octets, block * 8, length);
      const high = isEnd
        ? 0
        : block < blocks
          ? little(octets, block * 8 + 4)
          : rest(octets, block * 8 + 4, length) | (length << 24);
      l3 ^= low;
      h3 ^= high;
      if (isEnd) l2 ^= 0xff;
      for (let round = isEnd ? last : rounds; round > 0; round--) {
        // v0 += v1, v1 <<<= 13, v1 ^= v0, v0 <<<= 32
        let sum = (l0 + l1) | 0;
        h0 = (h0 + h1 + (sum >>> 0 < l0 >>> 0 ? 1 : 0)) | 0;
        l0 = sum;
        let turned = ((l1 << 13) | (h1 >>> 19)) ^ l0;
        h1 = ((h1 << 13) | (l1 >>> 19)) ^ h0;
        l1 = turned;
        turned = l0;
        l0 = h0;
        h0 = turned;
        // v2 += v3, v3 <<<= 16, v3 ^= v2
        sum = (l2 + l3) | 0;
        h2 = (h2 + h3 + (sum >>> 0 < l2 >>> 0 ? 1 : 0)) | 0;
        l2 = sum;
        turned = ((l3 << 16) | (h3 >>> 16)) ^ l2;
        h3 = ((h3 << 16) | (l3 >>> 16)) ^ h2;
        l3 = turned;
        // v0 += v3, v3 <<<= 21, v3 ^= v0
        sum = (l0 + l3) | 0;
        h0 = (h0 + h3 + (sum >>> 0 < l0 >>> 0 ? 1 : 0)) | 0;
        l0 = sum;
        turned = ((l3 << 21) | (h3 >>> 11)) ^ l0;
        h3 = ((h3 << 21) | (l3 >>> 11)) ^ h0;
        l3 = turned;
        // v2 += v1, v1 <<<= 17, v1 ^= v2, v2 <<<= 32
        sum = (l2 + l1) | 0;
        h2 = (h2 + h1 + (sum >>> 0 < l2 >>> 0 ? 1 : 0)) | 0;
        l2 = sum;
        turned = ((l1 << 17) | (h1 >>> 15)) ^ l2;
        h1 = ((h1 << 17) | (l1 >>> 15)) ^ h2;
        l1 = turned;
        turned = l2;
        l2 = h2;
        h2 = turned;
      }
      l0 ^= low;
      h0 ^= high;
    }
    this.low = l0 ^ l1 ^ l2 ^ l3;
    this.high = h0 ^ h1 ^ h2 ^ h3;
  }
}

/** Up to four octets from `at` to `length`, as a word. */
function rest(octets: Uint8Array, at: number, length: number): number {
  let word = 0;
  const end = Math.min(at + 4, length);
  for (let i = at; i < end; i++) word |= octets[i]! << (8 * (i - at));
  return word;
}

function little(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}
