import type { Letters } from './letters.ts';

/** A text of so many letters has as many variants, itself and its skeleton. */
const MOST = 130;
/** What tells a skeleton from a text. */
const SKELETON = 0x5bd1_e995;

/**
 * Hashes of what a label stands under: itself, its skeleton, and itself without each of its letters. The hash is a polynomial
 * with a random base, so that what is left without a letter costs one multiplication.
 */
export class Variants {
  /** Those of the last `of`. */
  readonly hashes = new Uint32Array(MOST);
  readonly #powers = new Int32Array(MOST);
  readonly #salt: number;

  constructor(salt: number) {
    this.#salt = salt | 0;
    const base = Math.imul(salt ^ (salt >>> 15), 0x2c1b_3c6d) | 1;
    this.#powers[0] = 1;
    for (let i = 1; i < MOST; i++) this.#powers[i] = Math.imul(this.#powers[i - 1]!, base);
  }

  /** Writes the hashes, and gives how many. `suffix`: a number of the public suffix. */
  of({ codes, length }: Letters, skeleton: Letters, suffix: number): number {
    const { hashes } = this;
    const powers = this.#powers;
    const seed = this.#salt ^ Math.imul(suffix + 1, 0x85eb_ca6b);
    const whole = this.#polynomial(codes, length);
    hashes[0] = mixed(whole ^ seed ^ length);
    hashes[1] = mixed(this.#polynomial(skeleton.codes, skeleton.length) ^ seed ^ SKELETON);
    let count = 2;
    let before = 0;
    for (let i = 0; i < length; i++) {
      const power = powers[length - 1 - i]!;
      const after = (Math.imul(before, powers[1]!) + codes[i]! + 1) | 0;
      // Of two equal neighbours it is the same whichever is missing.
      if (i === 0 || codes[i] !== codes[i - 1])
        hashes[count++] = mixed((whole + Math.imul(before - after, power)) ^ seed ^ (length - 1));
      before = after;
    }
    return count;
  }

  #polynomial(codes: Int32Array, length: number): number {
    const base = this.#powers[1]!;
    let sum = 0;
    for (let i = 0; i < length; i++) sum = (Math.imul(sum, base) + codes[i]! + 1) | 0;
    return sum;
  }
}

function mixed(value: number): number {
  const hash = Math.imul(value ^ (value >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
