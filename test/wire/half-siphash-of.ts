/**
 * HalfSipHash as it is defined, of any number of rounds: what the published vectors are of, and what the loops of
 * `src/wire/half-siphash.ts` are compared with. 32 bits of output, signed.
 */
export function halfSipHashOf(
  octets: Uint8Array,
  length: number,
  first: number,
  second: number,
  rounds: number,
  lastRounds: number,
): number {
  let v0 = first;
  let v1 = second;
  let v2 = 0x6c79_6765 ^ first;
  let v3 = 0x7465_6462 ^ second;
  const words = length >>> 2;
  // Whole words, what is left over with the length, and the end.
  for (let step = 0; step <= words + 1; step++) {
    const word = step > words ? 0 : step < words ? whole(octets, step * 4) : rest(octets, length);
    v3 ^= word;
    if (step > words) v2 ^= 0xff;
    for (let left = step > words ? lastRounds : rounds; left > 0; left--) {
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
    v0 ^= word;
  }
  return v1 ^ v3;
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
