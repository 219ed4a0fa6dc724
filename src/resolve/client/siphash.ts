/**
 * SipHash-2-4 (Aumasson and Bernstein, https://github.com/veorq/SipHash), the keyed hash of server cookies (RFC 9018 §4.4).
 * 64-bit words are pairs of 32-bit ones; nothing is allocated.
 */
export class SipHash {
  /** The output of the last `run`: bits 0 to 31 and 32 to 63, signed. */
  low = 0;
  high = 0;
  readonly #key = new Int32Array(4);
  /** v0 to v3, low word first. */
  readonly #v = new Int32Array(8);

  /** `key`: 16 octets. */
  constructor(key: Uint8Array) {
    for (let i = 0; i < 4; i++) this.#key[i] = little(key, 4 * i);
  }

  /** Hashes the first `length` octets. */
  run(octets: Uint8Array, length: number): void {
    const v = this.#v;
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = this.#key;
    v[0] = k0 ^ 0x70736575;
    v[1] = k1 ^ 0x736f6d65;
    v[2] = k2 ^ 0x6e646f6d;
    v[3] = k3 ^ 0x646f7261;
    v[4] = k0 ^ 0x6e657261;
    v[5] = k1 ^ 0x6c796765;
    v[6] = k2 ^ 0x79746573;
    v[7] = k3 ^ 0x74656462;
    const whole = length & ~7;
    for (let at = 0; at < whole; at += 8) this.#absorb(little(octets, at), little(octets, at + 4));
    // What is left over, and the length in the last octet.
    let low = 0;
    let high = length << 24;
    for (let i = whole; i < length; i++) {
      if (i - whole < 4) low |= octets[i]! << (8 * (i - whole));
      else high |= octets[i]! << (8 * (i - whole - 4));
    }
    this.#absorb(low, high);
    v[4]! ^= 0xff;
    for (let i = 0; i < 4; i++) this.#round();
    this.low = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
    this.high = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
  }

  #absorb(low: number, high: number): void {
    const v = this.#v;
    v[6]! ^= low;
    v[7]! ^= high;
    this.#round();
    this.#round();
    v[0]! ^= low;
    v[1]! ^= high;
  }

  #round(): void {
    const v = this.#v;
    add(v, 0, 2);
    rotate(v, 2, 13, 0);
    swap(v, 0);
    add(v, 4, 6);
    rotate(v, 6, 16, 4);
    add(v, 0, 6);
    rotate(v, 6, 21, 0);
    add(v, 4, 2);
    rotate(v, 2, 17, 4);
    swap(v, 4);
  }
}

/** v[a] += v[b] */
function add(v: Int32Array, a: number, b: number): void {
  const low = (v[a]! >>> 0) + (v[b]! >>> 0);
  v[a] = low;
  v[a + 1] = v[a + 1]! + v[b + 1]! + (low > 0xffff_ffff ? 1 : 0);
}

/** v[a] = v[a] rotated left by `by` (below 32), xor v[b] */
function rotate(v: Int32Array, a: number, by: number, b: number): void {
  const low = v[a]!;
  const high = v[a + 1]!;
  v[a] = ((low << by) | (high >>> (32 - by))) ^ v[b]!;
  v[a + 1] = ((high << by) | (low >>> (32 - by))) ^ v[b + 1]!;
}

/** v[a] rotated by 32. */
function swap(v: Int32Array, a: number): void {
  const low = v[a]!;
  v[a] = v[a + 1]!;
  v[a + 1] = low;
}

function little(octets: Uint8Array, at: number): number {
  return octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
}
