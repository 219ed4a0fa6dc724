import { HEADER_SIZE, readUint16, readUint32 } from '../../wire/header.ts';
import { TYPE } from '../../wire/iana.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import { nameToText, readName } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { MOST_ADDRESSES } from './grant-line.ts';

/** Keys of SVCB parameters (RFC 9460 §14.3.2). */
const IPV4_HINT = 4;
const IPV6_HINT = 6;

/**
 * The addresses of a reply as it will leave: of A and AAAA records, and the hints of HTTPS and SVCB, wherever they stand and
 * whatever they came from. Those that no packet leaves the machine for (loopback, unspecified) are left out, and an
 * IPv4-mapped one is its IPv4 address, for that is what a connection to it sends.
 */
export class ReplyAddresses {
  count = 0;
  /** There are more than MOST_ADDRESSES. */
  over = false;
  /** The longest TTL of a record that holds any. */
  ttl: Seconds = 0;
  readonly #families = new Uint8Array(MOST_ADDRESSES);
  /** Four signed words for each, which V8 makes no objects of; IPv4 is the first alone. */
  readonly #words = new Int32Array(4 * MOST_ADDRESSES);
  /** How many of each family there are. */
  four = 0;
  six = 0;
  /** A hash of the addresses, whatever their order. */
  mark = 0;

  /** Reads a reply of ours, `length` octets: it is well formed. */
  read(reply: Uint8Array, length: number): void {
    this.count = 0;
    this.over = false;
    this.ttl = 0;
    this.four = 0;
    this.six = 0;
    this.mark = 0;
    let left = readUint16(reply, 6) + readUint16(reply, 8) + readUint16(reply, 10);
    let at = HEADER_SIZE;
    if (readUint16(reply, 4) > 0) at = behindName(reply, at) + 4;
    for (; left > 0; left--) {
      at = behindName(reply, at);
      if (at + 10 > length) return;
      const type = readUint16(reply, at);
      const data = at + 10;
      const end = data + readUint16(reply, at + 8);
      if (end > length) return;
      if (type === TYPE.A || type === TYPE.AAAA || type === TYPE.HTTPS || type === TYPE.SVCB) {
        const before = this.count;
        if (type === TYPE.A) this.#add(reply, data, 4);
        else if (type === TYPE.AAAA) this.#add(reply, data, 16);
        else this.#hints(reply, data, end);
        if (this.count > before) this.ttl = Math.max(this.ttl, readUint32(reply, at + 4));
      }
      at = end;
    }
  }

  /** Reads the address number `i` into `out`, in signed words. */
  get(i: number, out: AddressWords): void {
    const words = this.#words;
    out.family = this.#families[i]! as 4 | 6;
    out.w0 = words[4 * i]!;
    out.w1 = words[4 * i + 1]!;
    out.w2 = words[4 * i + 2]!;
    out.w3 = words[4 * i + 3]!;
  }

  #hints(reply: Uint8Array, data: number, end: number): void {
    let at = behindName(reply, data + 2);
    while (at + 4 <= end) {
      const key = readUint16(reply, at);
      const stop = Math.min(end, at + 4 + readUint16(reply, at + 2));
      at += 4;
      const size = key === IPV4_HINT ? 4 : key === IPV6_HINT ? 16 : 0;
      if (size > 0) for (; at + size <= stop; at += size) this.#add(reply, at, size);
      at = stop;
    }
  }

  #add(octets: Uint8Array, at: number, size: number): void {
    let w0 = readUint32(octets, at);
    let w1 = 0;
    let w2 = 0;
    let w3 = 0;
    let family = 4;
    if (size === 16) {
      w1 = readUint32(octets, at + 4);
      w2 = readUint32(octets, at + 8);
      w3 = readUint32(octets, at + 12);
      if (w0 === 0 && w1 === 0 && w2 === 0xffff) {
        w0 = w3;
        w2 = 0;
        w3 = 0;
      } else if (w0 === 0 && w1 === 0 && w2 === 0 && w3 <= 1) return;
      else family = 6;
    }
    if (family === 4 && (w0 === 0 || w0 >>> 24 === 127)) return;
    if (this.count === MOST_ADDRESSES) {
      this.over = true;
      return;
    }
    if (family === 4) this.four++;
    else this.six++;
    const place = 4 * this.count;
    this.#families[this.count++] = family;
    this.#words[place] = w0;
    this.#words[place + 1] = w1;
    this.#words[place + 2] = w2;
    this.#words[place + 3] = w3;
    let mark = Math.imul(w0 ^ family, 0x9e37_79b1);
    if (family === 6) {
      mark = Math.imul(mark ^ (mark >>> 15) ^ w1, 0x85eb_ca6b);
      mark = Math.imul(mark ^ (mark >>> 13) ^ w2, 0xc2b2_ae35);
      mark = Math.imul(mark ^ (mark >>> 16) ^ w3, 0x27d4_eb2f);
    }
    this.mark = (this.mark + (mark ^ (mark >>> 15))) | 0;
  }
}

/** Targets of the CNAME records of a reply of ours, as text, in their order. */
export function chainOf(reply: Uint8Array, length: number): string[] {
  const chain: string[] = [];
  let at = HEADER_SIZE;
  if (readUint16(reply, 4) > 0) at = behindName(reply, at) + 4;
  for (let left = readUint16(reply, 6); left > 0; left--) {
    at = behindName(reply, at);
    if (at + 10 > length) break;
    const data = at + 10;
    if (readUint16(reply, at) === TYPE.CNAME) {
      const size = readName(reply, length, data, target, 0);
      if (size > 0) chain.push(nameToText(target.slice(0, size)));
    }
    at = data + readUint16(reply, at + 8);
  }
  return chain;
}

const target = new Uint8Array(256);

function behindName(octets: Uint8Array, from: number): number {
  let at = from;
  for (let length = octets[at]!; length !== 0; length = octets[at]!) {
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
  }
  return at + 1;
}
