import { readUint16 } from '../../wire/header.ts';
import { TYPE } from '../../wire/iana.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { Form } from '../answer/answer.ts';

/** From a record's TTL back to its type, and on to its RDATA (RFC 1035 §4.1.3). */
const TO_TYPE = -4;
const TO_RDATA = 6;

/** xorshift32; 0 before its first use. A draw for each answer: with a count, names that are asked in turn would always get the same. */
let state = 0;

/**
 * Turns the addresses of an answer that has been written at `at` of `out`, so that not all clients of a mirror with several
 * go to the first one. The form is as it was. Signatures hold in any order (RFC 4034 §6.3).
 */
export function rotateAddresses(out: Buffer, at: number, form: Form, type: number, now: Milliseconds): void {
  const size = type === TYPE.A ? 4 : type === TYPE.AAAA ? 16 : 0;
  if (size === 0 || form.answers < 2) return;
  const { octets, ttls } = form;
  let first = 0;
  while (first < form.answers && readUint16(octets, ttls[first]! + TO_TYPE) !== type) first++;
  let end = first;
  while (end < form.answers && readUint16(octets, ttls[end]! + TO_TYPE) === type) end++;
  const count = end - first;
  if (count < 2) return;
  const shift = draw(now) % count;
  for (let i = 0; i < count && shift > 0; i++) {
    const from = ttls[first + ((i + shift) % count)]! + TO_RDATA;
    const to = at + ttls[first + i]! + TO_RDATA;
    for (let octet = 0; octet < size; octet++) out[to + octet] = octets[from + octet]!;
  }
}

/** It spreads load and keeps no secret: the time of the first answer, to the microsecond, is seed enough. */
function draw(now: Milliseconds): number {
  if (state === 0) state = Math.floor(now * 1000) | 1;
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 8;
}
