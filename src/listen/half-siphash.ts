/**
 * HalfSipHash-2-4 with 64 bits of output, for input of three 32-bit words: a keyed hash for tables that strangers
 * fill, as which inputs collide depends on the key (Aumasson and Bernstein, https://github.com/veorq/SipHash).
 */
export class HalfSipHash {
  /** The output of the last `run`: its first and second word, signed. */
  first = 0;
  second = 0;
  readonly #key0: number;
  readonly #key1: number;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** Octets 0 to 3 of the input are `a`, little-endian; then `b`, then `c`. */
  run(a: number, b: number, c: number): void {
    this.#v0 = this.#key0;
    this.#v1 = this.#key1 ^ 0xee;
    this.#v2 = 0x6c796765 ^ this.#key0;
    this.#v3 = 0x74656462 ^ this.#key1;
    this.#absorb(a);
    this.#absorb(b);
    this.#absorb(c);
    // The length in octets in the last word's top octet, as the definition has it.
    this.#absorb(12 << 24);
    this.#v2 ^= 0xee;
    for (let i = 0; i < 4; i++) this.#round();
    this.first = this.#v1 ^ this.#v3;
    this.#v1 ^= 0xdd;
    for (let i = 0; i < 4; i++) this.#round();
    this.second = this.#v1 ^ this.#v3;
  }

  #absorb(word: number): void {
    this.#v3 ^= word;
    this.#round();
    this.#round();
    this.#v0 ^= word;
  }

  #round(): void {
    let v0 = (this.#v0 + this.#v1) | 0;
    let v1 = rotate(this.#v1, 5) ^ v0;
    v0 = rotate(v0, 16);
    let v2 = (this.#v2 + this.#v3) | 0;
    let v3 = rotate(this.#v3, 8) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = rotate(v3, 7) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = rotate(v1, 13) ^ v2;
    v2 = rotate(v2, 16);
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
