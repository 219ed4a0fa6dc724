import { readUint16 } from '../../wire/header.ts';
import { TYPE } from '../../wire/iana.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Sections } from '../answer/answer.ts';

/** From a record's TTL back to its type, and on to its RDATA (RFC 1035 §4.1.3). */
const TO_TYPE = -4;
const TO_RDATA = 6;

/** xorshift32; 0 before its first use. A draw for each answer: with a count, names that are asked in turn would always get the same. */
let state = 0;

/**
 * Turns the addresses of an answer that has been written at `at` of `out`, so that not all clients of a mirror with several
 * go to the first one. The sections stay as they are. Signatures hold in any order (RFC 4034 §6.3).
 */
export function rotateAddresses(
  out: Buffer,
  at: number,
  sections: Sections,
  type: number,
  now: Monotonic,
): void {
  const size = type === TYPE.A ? 4 : type === TYPE.AAAA ? 16 : 0;
  if (size === 0 || sections.answers < 2) return;
  const { octets, start, offsets, answers } = sections;
  let first = sections.ttls;
  const behind = first + answers;
  while (first < behind && readUint16(octets, start + offsets[first]! + TO_TYPE) !== type) first++;
  let end = first;
  while (end < behind && readUint16(octets, start + offsets[end]! + TO_TYPE) === type) end++;
  const count = end - first;
  if (count < 2) return;
  const shift = draw(now) % count;
  for (let i = 0; i < count && shift > 0; i++) {
    const from = start + offsets[first + ((i + shift) % count)]! + TO_RDATA;
    const to = at + offsets[first + i]! + TO_RDATA;
    for (let octet = 0; octet < size; octet++) out[to + octet] = octets[from + octet]!;
  }
}

/** It spreads load and keeps no secret: the time of the first answer, to the microsecond, is seed enough. */
function draw(now: Monotonic): number {
  if (state === 0) state = Math.floor(now * 1000) | 1;
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 8;
}
