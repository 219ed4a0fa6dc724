import type { Span } from './letters.ts';
import { endsPair, lookOf } from './skeleton.ts';

/** Bits for each key: of 32 tests of what is no key, 31 or more say so. */
const BITS_A_KEY = 32;
/** What tells the end of a label from its beginning. */
const END = 0x27d4_eb2f;
const ACE = 0x786e_2d2d;

/** A domain that names are compared with: its letters, what it looks like, and the number of its public suffix. */
export interface Comparable {
  readonly letters: Span;
  readonly skeleton: Span;
  readonly suffix: number;
}

/**
 * Says of nearly every label, in some ten nanoseconds, that it comes near no domain. It never says so of one that does. One edit
 * or swap touches the first half of a label or its last half, never both: so one of the two stands in the other label too. That
 * holds as much of what each letter looks like.
 */
export class NearFilter {
  readonly #bits: Uint32Array;
  readonly #salt: number;
  readonly #base: number;

  /** `bits`: as `filterBits` made them with this salt. */
  constructor(bits: Uint32Array, salt: number) {
    this.#bits = bits;
    this.#salt = salt | 0;
    this.#base = baseOf(salt);
  }

  /**
   * Whether a label may be near a domain under the suffix of this number. `octets`: in lower case; the label has `size` octets
   * from `start` on, one at least.
   */
  mayBeNear(octets: Uint8Array, start: number, size: number, suffix: number): boolean {
    if (size > 4 && wordAt(octets, start) === ACE) return true;
    const base = this.#base;
    const half = halfOf(size);
    const last = size - half;
    let first = 0;
    let end = 0;
    let all = 0;
    let before = 0;
    let beforeEnd = lookOf(octets[start + last - 1]! & 0x7f);
    // Both halves at once: neither product waits for the other.
    for (let i = 0; i < half; i++) {
      const octet = octets[start + i]!;
      const other = octets[start + last + i]!;
      all |= octet | other;
      const code = lookOf(octet & 0x7f);
      const otherCode = lookOf(other & 0x7f);
      if (endsPair(before, code) || endsPair(beforeEnd, otherCode)) return true;
      before = code;
      beforeEnd = otherCode;
      first = (Math.imul(first, base) + code + 1) | 0;
      end = (Math.imul(end, base) + otherCode + 1) | 0;
    }
    for (let i = half; i < last; i++) {
      const octet = octets[start + i]!;
      all |= octet;
      const code = lookOf(octet & 0x7f);
      if (endsPair(before, code)) return true;
      before = code;
    }
    // What is no ASCII may look like several letters.
    if (all >= 0x80) return true;
    const seed = seedOf(this.#salt, suffix, size);
    return this.#has(mixed(first ^ seed)) || this.#has(mixed(end ^ seed ^ END));
  }

  #has(hash: number): boolean {
    const at = hash & (this.#bits.length * 32 - 1);
    return (this.#bits[at >>> 5]! & (1 << (at & 31))) !== 0;
  }
}

/** Makes the bits of a filter. A label that is compared has one letter less, as many, or one more than the domain's. */
export function filterBits(domains: readonly Comparable[], salt: number): Uint32Array {
  const hashes: number[] = [];
  const base = baseOf(salt);
  for (const { letters, skeleton, suffix } of domains) {
    for (let size = Math.max(1, letters.length - 1); size <= letters.length + 1; size++) {
      const half = halfOf(size);
      const seed = seedOf(salt | 0, suffix, size);
      hashes.push(mixed(halfHash(letters, 0, half, base) ^ seed));
      hashes.push(mixed(halfHash(letters, letters.length - half, letters.length, base) ^ seed ^ END));
    }
    // Whoever has no pairs and looks the same has the letters of the skeleton.
    const half = halfOf(skeleton.length);
    hashes.push(mixed(halfHash(skeleton, 0, half, base) ^ seedOf(salt | 0, suffix, skeleton.length)));
  }
  let size = 32;
  while (size < BITS_A_KEY * hashes.length) size *= 2;
  const bits = new Uint32Array(size / 32);
  for (const hash of hashes) {
    const at = hash & (size - 1);
    bits[at >>> 5]! |= 1 << (at & 31);
  }
  return bits;
}

/** Letters of a half: no edit touches both halves, and no swap does. */
function halfOf(size: number): number {
  return size < 1 ? 0 : (size - 1) >> 1;
}

function halfHash({ codes, at }: Span, from: number, to: number, base: number): number {
  let hash = 0;
  for (let i = from; i < to; i++) hash = (Math.imul(hash, base) + lookOf(codes[at + i]!) + 1) | 0;
  return hash;
}

function baseOf(salt: number): number {
  return Math.imul(salt ^ (salt >>> 15), 0x2c1b_3c6d) | 1;
}

function seedOf(salt: number, suffix: number, size: number): number {
  return salt ^ Math.imul(suffix + 1, 0x85eb_ca6b) ^ Math.imul(size, 0x9e37_79b1);
}

function mixed(value: number): number {
  const hash = Math.imul(value ^ (value >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function wordAt(octets: Uint8Array, at: number): number {
  return (octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!;
}
