import { randomFillSync } from 'node:crypto';
import type { EpochMilliseconds } from '../wire/quantity.ts';

/** Crockford's base 32. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const DRAWN = 10 * 64;

const random = new Uint8Array(DRAWN);
let used = DRAWN;

/** A ULID of a time in milliseconds since 1970: 48 bits of it, and 80 bits of chance (https://github.com/ulid/spec). */
export function ulid(time: EpochMilliseconds): string {
  let text = '';
  for (let left = Math.max(0, Math.floor(time)), i = 0; i < 10; i++) {
    text = DIGITS[left % 32]! + text;
    left = Math.floor(left / 32);
  }
  if (used === DRAWN) {
    randomFillSync(random);
    used = 0;
  }
  for (let half = 0; half < 2; half++) {
    // Five octets are eight digits.
    let bits = 0;
    for (let i = 0; i < 5; i++) bits = bits * 256 + random[used++]!;
    let digits = '';
    for (let i = 0; i < 8; i++) {
      digits = DIGITS[bits % 32]! + digits;
      bits = Math.floor(bits / 32);
    }
    text += digits;
  }
  return text;
}
