import type { AddressWords } from '../../wire/ip-address.ts';

/** Octets of a whole header that are taken at most. HAProxy asks for 536 at least (PROXY protocol §2.2); certificates in TLVs are not wanted. */
export const MAX_PROXY_HEADER = 2_048;

/** Octets that are there before the length is known. */
const PROXY_FIXED = 16;

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const CRC32C = 0x03;

/** What a PROXY protocol v2 header says. */
export type ProxyHeader =
  /** So far it could be one: more octets are wanted. */
  | { readonly kind: 'partial' }
  /** `octets` of it. `source` is who dialled the balancer; null where the balancer speaks for itself (LOCAL). */
  | {
      readonly kind: 'whole';
      readonly octets: number;
      readonly source: Readonly<AddressWords> | null;
      /** Of the source; 0 without one. */
      readonly port: number;
    }
  | { readonly kind: 'bad'; readonly reason: string };

/**
 * Reads a header of version 2 (haproxy.org, proxy-protocol.txt §2.2) from the first `octets.length` octets of a stream.
 * TCP over IPv4 and IPv6 alone: a stream has no other clients. A CRC32c is checked where it is there, other TLVs are
 * passed over. Version 1, whose text ends where a client may write it too, is refused.
 */
export function readProxyHeader(octets: Buffer): ProxyHeader {
  const known = Math.min(octets.length, SIGNATURE.length);
  if (octets.compare(SIGNATURE, 0, known, 0, known) !== 0) return bad('no PROXY v2 signature');
  if (octets.length < PROXY_FIXED) return { kind: 'partial' };
  const command = octets[12]!;
  if (command !== LOCAL && command !== PROXY) return bad('an unknown version or command');
  const end = PROXY_FIXED + octets.readUInt16BE(14);
  if (end > MAX_PROXY_HEADER) return bad('a header that is too long');
  if (octets.length < end) return { kind: 'partial' };
  const header = octets.subarray(0, end);
  if (command === LOCAL) return { kind: 'whole', octets: end, source: null, port: 0 };
  const family = header[13]!;
  if (family !== TCP4 && family !== TCP6) return bad('a family or protocol that is not TCP over IP');
  const behind = PROXY_FIXED + (family === TCP4 ? 12 : 36);
  if (behind > end) return bad('a header without its addresses');
  const fault = readTlvs(header, behind);
  if (fault !== null) return bad(fault);
  const port = header.readUInt16BE(behind - 4);
  return { kind: 'whole', octets: end, source: sourceOf(header, family === TCP4), port };
}

function sourceOf(header: Buffer, four: boolean): AddressWords {
  const word = (index: number): number => header.readUInt32BE(PROXY_FIXED + 4 * index);
  if (four) return { family: 4, w0: word(0), w1: 0, w2: 0, w3: 0 };
  return { family: 6, w0: word(0), w1: word(1), w2: word(2), w3: word(3) };
}

/** §2.2.2 on; returns what is wrong, or null. */
function readTlvs(header: Buffer, start: number): string | null {
  let checked = false;
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return 'a TLV that is cut';
    const size = header.readUInt16BE(at + 1);
    const value = at + 3;
    if (value + size > header.length) return 'a TLV that is cut';
    if (header[at] === CRC32C) {
      if (size !== 4 || checked) return 'a CRC32c of another size, or two';
      checked = true;
      if (header.readUInt32BE(value) !== crc32c(header, value)) return 'a wrong CRC32c';
    }
    at = value + size;
  }
  return null;
}

/** Of the header with the four octets at `own` taken as zeros (§2.2.4; RFC 3309, polynomial 0x1EDC6F41, reflected). */
function crc32c(header: Buffer, own: number): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < header.length; i++) {
    crc ^= i >= own && i < own + 4 ? 0 : header[i]!;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

function bad(reason: string): ProxyHeader {
  return { kind: 'bad', reason };
}
