import type { Prefix } from '../wire/prefix.ts';
import type { RestrictedRanges } from './input.ts';

/**
 * How far an address reaches. `private`: RFC 1918, RFC 6598 and ULA, given where the rule says `private: true`.
 * `special`: loopback, unspecified, link-local, multicast, reserved and cloud metadata, given only where the
 * rule lists a range that holds it.
 */
export const REACH = { PUBLIC: 0, PRIVATE: 1, SPECIAL: 2 } as const;

/** The reach of the address of `size` octets at `at`. One that carries an IPv4 address is judged by that. */
export function reachOf(octets: Uint8Array, at: number, size: 4 | 16): number {
  if (size === 4) return reachOf4(wordAt(octets, at));
  const w0 = wordAt(octets, at);
  const w1 = wordAt(octets, at + 4);
  const w2 = wordAt(octets, at + 8);
  const w3 = wordAt(octets, at + 12);
  if (isOwn(w0, w1, w2, w3)) return REACH.SPECIAL;
  const inside = carried(w0, w1, w2, w3);
  if (inside >= 0) return reachOf4(inside);
  if (w0 === 0xfd00_0ec2 && w1 === 0 && w2 === 0 && w3 === 0x254) return REACH.SPECIAL;
  const top = w0 >>> 24;
  if (top === 0xfc || top === 0xfd) return REACH.PRIVATE;
  // fe80::/10 link-local, fec0::/10 site-local (RFC 3879), ff00::/8 multicast.
  return top === 0xff || w0 >>> 23 === 0x1fd ? REACH.SPECIAL : REACH.PUBLIC;
}

/**
 * The IPv4 address inside an IPv6 one, or -1: mapped and compatible (RFC 4291 §2.5.5), 6to4 (RFC 3056),
 * NAT64's well-known prefix (RFC 6052 §2.1) and its local-use one (RFC 8215) with the address in the last 32 bits.
 */
function carried(w0: number, w1: number, w2: number, w3: number): number {
  if (isOwn(w0, w1, w2, w3)) return -1;
  if (w0 === 0 && w1 === 0 && (w2 === 0xffff || w2 === 0)) return w3;
  if (w0 >>> 16 === 0x2002) return ((w0 << 16) | (w1 >>> 16)) >>> 0;
  if (w0 === 0x0064_ff9b && ((w1 === 0 && w2 === 0) || w1 >>> 16 === 1)) return w3;
  return -1;
}

/** `::` and `::1` look like compatible addresses, and carry none (RFC 4291 §2.5.2 and §2.5.3). */
function isOwn(w0: number, w1: number, w2: number, w3: number): boolean {
  return w0 === 0 && w1 === 0 && w2 === 0 && w3 <= 1;
}

function reachOf4(w: number): number {
  if (w === 0xa9fe_a9fe || w === 0x6464_64c8 || w === 0xa83f_8110 || w === 0xc000_00c0) return REACH.SPECIAL;
  for (let i = 0; i < RANGES_4.length; i += 3)
    if (w >>> (32 - RANGES_4[i + 1]!) === RANGES_4[i]!) return RANGES_4[i + 2]!;
  return REACH.PUBLIC;
}

/**
 * Leading bits, how many, reach: the IANA IPv4 special-purpose registry. Cloud metadata stand in `reachOf4`: 169.254.169.254 is
 * link-local besides; 100.100.100.200, 168.63.129.16 and 192.0.0.192 are not.
 */
const RANGES_4 = Uint16Array.from(
  [
    [10, 8, REACH.PRIVATE],
    [0xac1, 12, REACH.PRIVATE],
    [0xc0a8, 16, REACH.PRIVATE],
    [0x191, 10, REACH.PRIVATE],
    [0, 8, REACH.SPECIAL],
    [127, 8, REACH.SPECIAL],
    [0xa9fe, 16, REACH.SPECIAL],
    // Multicast, and above it the reserved block with limited broadcast.
    [7, 3, REACH.SPECIAL],
  ].flat(),
);

/** Whether an answer with these ranges may hold the address of `size` octets at `at`. */
export function mayHold(ranges: RestrictedRanges, octets: Uint8Array, at: number, size: 4 | 16): boolean {
  const reach = reachOf(octets, at, size);
  if (reach === REACH.PUBLIC) return true;
  if (ranges === true) return reach === REACH.PRIVATE;
  if (ranges === false) return false;
  for (const prefix of ranges) if (prefixHolds(prefix, octets, at, size)) return true;
  return false;
}

function prefixHolds(prefix: Prefix, octets: Uint8Array, at: number, size: 4 | 16): boolean {
  if (size === 4) return prefix.family === 4 && inPrefix(prefix, wordAt(octets, at), 0, 0, 0);
  const w0 = wordAt(octets, at);
  const w1 = wordAt(octets, at + 4);
  const w2 = wordAt(octets, at + 8);
  const w3 = wordAt(octets, at + 12);
  if (prefix.family === 6) return inPrefix(prefix, w0, w1, w2, w3);
  const inside = carried(w0, w1, w2, w3);
  return inside >= 0 && inPrefix(prefix, inside, 0, 0, 0);
}

/** Whether the address lies in the prefix; both of one family. IPv4 uses `w0` alone. */
export function inPrefix(prefix: Prefix, w0: number, w1: number, w2: number, w3: number): boolean {
  let left = prefix.length;
  const words = prefix.words;
  for (let i = 0; left > 0; i++, left -= 32) {
    const word = i === 0 ? w0 : i === 1 ? w1 : i === 2 ? w2 : w3;
    const shift = left >= 32 ? 0 : 32 - left;
    if (word >>> shift !== words[i]! >>> shift) return false;
  }
  return true;
}

function wordAt(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0;
}

/** Text of an address of 4 or 16 octets; IPv6 without the `::` short form's full rules (RFC 5952) but for zero runs. */
export function addressToText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((octets[2 * i]! << 8) | octets[2 * i + 1]!).toString(16),
  );
  const text = groups.join(':');
  let longest = '';
  for (const run of text.match(/\b0(?::0)+\b/g) ?? []) if (run.length > longest.length) longest = run;
  if (longest === '') return text;
  const at = `:${text}:`.indexOf(`:${longest}:`);
  return `${text.slice(0, Math.max(0, at - 1))}::${text.slice(at + longest.length + 1)}`;
}
