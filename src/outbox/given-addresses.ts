import { HEADER_SIZE } from '../wire/header.ts';
import { TYPE } from '../wire/iana.ts';
import { skipName } from '../wire/name.ts';
import { ADDRESS_SIZE } from './slot.ts';

/** Octets of a record between its name and its data: type, class, TTL, length (RFC 1035 §3.2.1). */
const FIXED = 10;

/**
 * Copies the addresses that a reply's answer gives to `out`, ADDRESS_SIZE octets each: 4 or 6, then the address, which fills
 * what it needs. Gives how many there are, `most` at most. The reply is our own; where it ends early, so does this.
 */
export function copyAddresses(
  reply: Uint8Array,
  length: number,
  out: Uint8Array,
  at: number,
  most: number,
): number {
  if (length < HEADER_SIZE) return 0;
  const answers = (reply[6]! << 8) | reply[7]!;
  let from = skipName(reply, length, HEADER_SIZE);
  if (from < 0) return 0;
  from += 4;
  let count = 0;
  for (let i = 0; i < answers && count < most; i++) {
    from = skipName(reply, length, from);
    if (from < 0 || from + FIXED > length) break;
    const type = (reply[from]! << 8) | reply[from + 1]!;
    const size = (reply[from + 8]! << 8) | reply[from + 9]!;
    from += FIXED;
    if (from + size > length) break;
    if ((type === TYPE.A && size === 4) || (type === TYPE.AAAA && size === 16)) {
      const to = at + count * ADDRESS_SIZE;
      out[to] = size === 4 ? 4 : 6;
      for (let octet = 0; octet < size; octet++) out[to + 1 + octet] = reply[from + octet]!;
      count++;
    }
    from += size;
  }
  return count;
}
