import { type IpAddress, isMapped } from '../../wire/ip-address.ts';
/** Writes `192.0.2.1`, or the /64 of an IPv6 address (`2001:db8:0:1::/64`), from `at` on; returns how many octets. No text is made. */
export function writeMachine(client: IpAddress, out: Uint8Array, at: number): number {
  if (client.family === 4 || isMapped(client))
    return writeFour(client.family === 4 ? client.w0 : client.w3, out, at) - at;
  let end = writeHex(client.w0 >>> 16, out, at);
  for (let group = 1; group < 4; group++) {
    out[end++] = COLON;
    end = writeHex(groupOf(client, group), out, end);
  }
  for (let i = 0; i < REST.length; i++) out[end++] = REST[i]!;
  return end - at;
}

/**
 * Writes an IPv6 address in its one form (RFC 5952 §4: lower case, no leading zeros, the longest run of zero groups left out),
 * as `addressToText` does, from `at` on; returns how many octets.
 */
export function writeSix(client: IpAddress, out: Uint8Array, at: number): number {
  let start = -1;
  let length = 1;
  for (let group = 0; group < 8; group++) {
    let zeros = 0;
    while (group + zeros < 8 && groupOf(client, group + zeros) === 0) zeros++;
    if (zeros > length) {
      start = group;
      length = zeros;
    }
    group += zeros;
  }
  let end = at;
  for (let group = 0; group < 8; group++) {
    if (group === start) {
      out[end++] = COLON;
      if (start + length === 8) out[end++] = COLON;
      group += length - 1;
      continue;
    }
    if (group > 0) out[end++] = COLON;
    end = writeHex(groupOf(client, group), out, end);
  }
  return end - at;
}

const COLON = 0x3a;
const REST = Uint8Array.from('::/64', (each) => each.charCodeAt(0));

function groupOf({ w0, w1, w2, w3 }: IpAddress, group: number): number {
  const word = group < 2 ? w0 : group < 4 ? w1 : group < 6 ? w2 : w3;
  return (group & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function writeFour(word: number, out: Uint8Array, at: number): number {
  let end = writeDecimal(word >>> 24, out, at);
  for (let shift = 16; shift >= 0; shift -= 8) {
    out[end++] = 0x2e;
    end = writeDecimal((word >>> shift) & 0xff, out, end);
  }
  return end;
}

function writeDecimal(octet: number, out: Uint8Array, at: number): number {
  let end = at;
  if (octet >= 100) out[end++] = 0x30 + Math.floor(octet / 100);
  if (octet >= 10) out[end++] = 0x30 + (Math.floor(octet / 10) % 10);
  out[end++] = 0x30 + (octet % 10);
  return end;
}

function writeHex(group: number, out: Uint8Array, at: number): number {
  let end = at;
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = (group >>> shift) & 15;
    if (end === at && digit === 0 && shift > 0) continue;
    out[end++] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return end;
}
