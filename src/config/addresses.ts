import { isIPv4, SocketAddress } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Prefix } from '../wire/prefix.ts';
import { TextFault } from './problems.ts';
import { quote } from './units.ts';

/**
 * An IPv4 or IPv6 prefix, or an address, which is the prefix of its own. No bit may be set below the prefix
 * length, and an IPv4-mapped address is an error: clients with one are IPv4 (RFC 4291 §2.5.5.2), so it would
 * never match.
 */
export function parsePrefix(text: string): Prefix | TextFault {
  const slash = text.indexOf('/');
  const host = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(host);
  if (address instanceof TextFault) return address;
  const bits = address.family === 4 ? 32 : 128;
  const length = slash < 0 ? bits : prefixLength(text, slash, address, bits);
  if (length instanceof TextFault) return length;
  if (isMapped(address)) {
    const inner = `${wordsToText({ family: 4, words: [address.words[3]!] })}${length >= 96 && length < 128 ? `/${length - 96}` : ''}`;
    const fix = length >= 96 ? `write ${inner}` : 'write the IPv4 prefix and the IPv6 prefix apart';
    return new TextFault('prefix-mapped', 0, `${text} is IPv4 inside IPv6; such clients are IPv4`, fix);
  }
  const base = address.words.map((word, i) => maskWord(word, length - 32 * i));
  if (base.some((word, i) => word !== address.words[i])) {
    const whole = wordsToText({ family: address.family, words: base });
    return new TextFault(
      'prefix-host-bits',
      0,
      `${text} has bits set below its prefix length`,
      `write ${whole}/${length} for the whole prefix, or ${host} for the one address`,
    );
  }
  return { family: address.family, words: address.words, length };
}

/** An address in network order, 32 bits a word. */
export interface Address {
  readonly family: 4 | 6;
  readonly words: readonly number[];
}

/** An address as RFC 4291 §2.2 or four decimal numbers write it; no zone, no octal, no short form. */
export function parseAddress(text: string): Address | TextFault {
  if (isIPv4(text)) return { family: 4, words: toWords(ipaddr.IPv4.parse(text).toByteArray()) };
  const percent = text.indexOf('%');
  if (percent > 0 && isIPv6(text)) {
    return new TextFault(
      'address-form',
      percent,
      `${quote(text)} names an interface`,
      `write ${text.slice(0, percent)}`,
    );
  }
  if (isIPv6(text)) return { family: 6, words: toWords(ipaddr.IPv6.parse(text).toByteArray()) };
  const plain = text.replace(/^\[(.*)\]$/, '$1').trim();
  const fix =
    plain !== text && (isIPv4(plain) || isIPv6(plain))
      ? `write ${plain}`
      : 'write an address such as 10.20.0.7 or 2001:db8::7';
  return new TextFault('address-form', 0, `${quote(text)} is no IP address`, fix);
}

/** The same answers as of Node's isIPv6, whose regular expression takes 10 ms when it is first used. */
export function isIPv6(text: string): boolean {
  const percent = text.indexOf('%');
  if (percent >= 0 && !/^[-0-9a-zA-Z.:]+$/.test(text.slice(percent + 1))) return false;
  const address = percent >= 0 ? text.slice(0, percent) : text;
  if (!address.includes(':') || !/^[0-9a-fA-F:.]+$/.test(address)) return false;
  try {
    new SocketAddress({ address, family: 'ipv6' });
    return true;
  } catch {
    return false;
  }
}

export function isMapped(address: Address): boolean {
  const [w0, w1, w2] = address.words;
  return address.family === 6 && w0 === 0 && w1 === 0 && w2 === 0xffff;
}

export function isUnspecified(address: Address): boolean {
  return address.words.every((word) => word === 0);
}

export function isMulticast(address: Address): boolean {
  return address.family === 4 ? address.words[0]! >>> 28 === 0xe : address.words[0]! >>> 24 === 0xff;
}

/** fe80::/10 (RFC 4291 §2.5.6). IPv4 has none that needs an interface. */
export function isLinkLocal(address: Address): boolean {
  return address.family === 6 && address.words[0]! >>> 22 === 0x3fa;
}

export function isLoopback(address: Address): boolean {
  if (address.family === 4) return address.words[0]! >>> 24 === 127;
  return address.words.every((word, i) => word === (i === 3 ? 1 : 0));
}

/** RFC 5952 text. */
export function wordsToText(address: Address): string {
  if (address.family === 4) {
    const word = address.words[0]!;
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
  }
  const octets = address.words.flatMap((word) => [
    word >>> 24,
    (word >>> 16) & 255,
    (word >>> 8) & 255,
    word & 255,
  ]);
  return new ipaddr.IPv6(octets).toRFC5952String();
}

/** Octets in network order. */
export function addressOctets(address: Address): Uint8Array {
  return Uint8Array.from(
    address.words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]),
  );
}

function toWords(octets: readonly number[]): number[] {
  const words: number[] = [];
  for (let i = 0; i < octets.length; i += 4) {
    words.push(((octets[i]! << 24) | (octets[i + 1]! << 16) | (octets[i + 2]! << 8) | octets[i + 3]!) >>> 0);
  }
  return words;
}

function prefixLength(text: string, slash: number, address: Address, bits: number): number | TextFault {
  const written = text.slice(slash + 1);
  const length = /^(0|[1-9]\d{0,2})$/.test(written) ? Number(written) : -1;
  if (length >= 0 && length <= bits) return length;
  // People bring netmasks; one that is a prefix has a length.
  const mask =
    address.family === 4 && isIPv4(written) ? ipaddr.IPv4.parse(written).prefixLengthFromSubnetMask() : null;
  const fix = mask === null ? `write a length from 0 to ${bits}` : `write ${text.slice(0, slash)}/${mask}`;
  return new TextFault('prefix-form', slash + 1, `${quote(written)} is no prefix length`, fix);
}

/** The leading `bits` of a word; none at 0 or below, all at 32 or above. */
function maskWord(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : (word & (0xffff_ffff << (32 - bits))) >>> 0;
}
