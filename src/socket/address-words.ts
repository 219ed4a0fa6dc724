import { SocketAddress } from 'node:net';
import { type AddressWords, type IpAddress, isMapped } from '../wire/ip-address.ts';

const COLON = 0x3a;
const DOT = 0x2e;
const PERCENT = 0x25;
const groups = new Uint16Array(8);

/**
 * Reads the address text of a socket into `out`. The text is the kernel's own (`inet_ntop`, with a zone id after
 * `%` on link-local addresses, which is not part of the address), so it is well formed.
 *
 * Own code because it runs for every datagram: 25 ns for IPv4 and 70 ns for IPv6, where ipaddr.js takes 500 and
 * 1,900, and a hit in a Map of parsed addresses 50. So nothing is kept, and nothing that clients choose grows.
 */
export function readAddress(text: string, out: AddressWords): void {
  let colon = false;
  for (let i = 0; i < text.length && !colon; i++) colon = text.charCodeAt(i) === COLON;
  if (!colon) {
    out.family = 4;
    out.w0 = readDotted(text, 0, text.length);
    out.w1 = 0;
    out.w2 = 0;
    out.w3 = 0;
    return;
  }
  readGroups(text);
  out.family = 6;
  out.w0 = groups[0]! * 0x10000 + groups[1]!;
  out.w1 = groups[2]! * 0x10000 + groups[3]!;
  out.w2 = groups[4]! * 0x10000 + groups[5]!;
  out.w3 = groups[6]! * 0x10000 + groups[7]!;
}

/** The words as text, an IPv6 address in the short form. */
export function addressText({ family, w0, w1, w2, w3 }: IpAddress): string {
  if (family === 4) return [w0 >>> 24, (w0 >>> 16) & 255, (w0 >>> 8) & 255, w0 & 255].join('.');
  const parts = [w0, w1, w2, w3].flatMap((word) => [word >>> 16, word & 0xffff]);
  return new SocketAddress({ address: parts.map((part) => part.toString(16)).join(':'), family: 'ipv6' })
    .address;
}

/** Whose connections count together. A machine with IPv6 has a whole /64 to dial from (RFC 7421). */
export function clientKey(address: IpAddress): string {
  if (address.family === 4) return `4:${address.w0}`;
  return isMapped(address) ? `4:${address.w3}` : `6:${address.w0}:${address.w1}`;
}

/** RFC 4291 §2.2: up to eight groups, one `::`, the last two groups perhaps as a dotted quad. */
function readGroups(text: string): void {
  groups.fill(0);
  let count = 0;
  let gap = -1;
  let value = 0;
  let start = 0;
  let end = text.length;
  for (let i = 0; i <= end; i++) {
    const char = i < end ? text.charCodeAt(i) : COLON;
    if (char === COLON) {
      if (i > start) groups[count++ & 7] = value;
      else if (i > 0 && i < end) gap = count;
      value = 0;
      start = i + 1;
    } else if (char === DOT) {
      let stop = start;
      while (stop < end && text.charCodeAt(stop) !== PERCENT) stop++;
      const quad = readDotted(text, start, stop);
      groups[count++ & 7] = quad >>> 16;
      groups[count++ & 7] = quad & 0xffff;
      break;
    } else if (char === PERCENT) {
      // Read on as if the text ended here.
      end = i--;
    } else {
      value = (value << 4) | (char <= 0x39 ? char - 0x30 : (char | 0x20) - 0x57);
    }
  }
  if (gap < 0) return;
  const shift = 8 - count;
  groups.copyWithin(gap + shift, gap, count);
  groups.fill(0, gap, gap + shift);
}

function readDotted(text: string, from: number, to: number): number {
  let word = 0;
  let octet = 0;
  for (let i = from; i < to; i++) {
    const char = text.charCodeAt(i);
    if (char === DOT) {
      word = (word << 8) | octet;
      octet = 0;
    } else {
      octet = octet * 10 + char - 0x30;
    }
  }
  return ((word << 8) | octet) >>> 0;
}
