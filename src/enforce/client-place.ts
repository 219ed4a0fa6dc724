import { isIP } from 'node:net';
import { addressText, readAddress } from '../socket/address-words.ts';
import { type AddressWords, isMapped } from '../wire/ip-address.ts';
import { SETS } from './table-skeleton.ts';

/** An address as the sets hold it: 4 or 16 octets. */
export interface Place {
  readonly family: 4 | 6;
  readonly octets: Buffer;
}

/** A client: one address, or a prefix. */
export interface ClientPlace extends Place {
  /** Bits of the prefix; 32 or 128 for one address. */
  readonly length: number;
  /** In the one form that an address has. */
  readonly text: string;
}

/** Reads an address as text; null where it is none. */
export function placeOf(text: string): Place | null {
  if (isIP(text) === 0 || text.includes('%')) return null;
  readAddress(text, words);
  const four = words.family === 4 || isMapped(words);
  const octets = Buffer.alloc(four ? 4 : 16);
  if (four) octets.writeUInt32BE(words.family === 4 ? words.w0 : words.w3);
  else
    for (const [i, word] of [words.w0, words.w1, words.w2, words.w3].entries())
      octets.writeUInt32BE(word, 4 * i);
  return { family: four ? 4 : 6, octets };
}

const words: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };

/** Reads an address or a prefix; null where it is neither. Bits below the length count as 0. */
export function clientPlaceOf(text: string): ClientPlace | null {
  const [host = '', bits, ...more] = text.split('/');
  const place = placeOf(host);
  if (place === null || more.length > 0) return null;
  const most = place.family === 4 ? 32 : 128;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return null;
  const length = bits === undefined ? most : Number(bits);
  if (length > most) return null;
  const octets = Buffer.from(place.octets);
  for (let bit = length; bit < most; bit++) octets[bit >> 3]! &= ~(0x80 >> (bit & 7));
  const name = textOfPlace(octets);
  return { family: place.family, octets, length, text: length === most ? name : `${name}/${length}` };
}

export function textOfPlace(octets: Uint8Array): string {
  const buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  const word = (at: number): number => (octets.length > at ? buffer.readUInt32BE(at) : 0);
  const family = octets.length === 4 ? 4 : 6;
  return addressText({ family, w0: word(0), w1: word(4), w2: word(8), w3: word(12) });
}

/** Whether a prefix holds an address. */
export function holds({ family, octets, length }: ClientPlace, address: Uint8Array): boolean {
  if ((address.length === 4 ? 4 : 6) !== family) return false;
  for (let bit = 0; bit < length; bit += 8) {
    const mask = length - bit >= 8 ? 0xff : (0xff << (8 - (length - bit))) & 0xff;
    if (((octets[bit >> 3]! ^ address[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}

export function isPrefix({ family, length }: ClientPlace): boolean {
  return length !== (family === 4 ? 32 : 128);
}

const PROTOCOLS = { tcp: 6, udp: 17 } as const;

/** Ports that one line may name, its ranges written out. */
const MOST_PORTS = 64;

/** `tcp/443` and `tcp/8000-8010` written out as protocol and port; null where one of them is wrong. */
export function portsOf(
  texts: readonly string[],
): { readonly protocol: number; readonly port: number }[] | null {
  const ports: { protocol: number; port: number }[] = [];
  for (const text of texts) {
    const read = /^(tcp|udp)\/(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
    if (read === null) return null;
    const first = Number(read[2]);
    const last = read[3] === undefined ? first : Number(read[3]);
    if (first < 1 || last > 65_535 || last < first) return null;
    if (ports.length + last - first >= MOST_PORTS) return null;
    for (let port = first; port <= last; port++)
      ports.push({ protocol: PROTOCOLS[read[1] as 'tcp' | 'udp'], port });
  }
  return ports;
}

/** The key of a grant: source, destination, protocol, port, each filled up to four octets. */
export function grantKey(client: Place, address: Place, protocol: number, port: number): Buffer {
  const size = client.octets.length;
  const key = Buffer.alloc(2 * size + 8);
  key.set(client.octets);
  key.set(address.octets, size);
  key[2 * size] = protocol;
  key.writeUInt16BE(port, 2 * size + 4);
  return key;
}

/** A grant's key as nft(8) writes it. */
export function grantText(key: Buffer): string {
  const size = (key.length - 8) / 2;
  const client = textOfPlace(key.subarray(0, size));
  const address = textOfPlace(key.subarray(size, 2 * size));
  return `${client} . ${address} . ${key[2 * size]} . ${key.readUInt16BE(2 * size + 4)}`;
}

/** The client of a grant's key, as text. */
export function clientOfKey(family: 4 | 6, key: Uint8Array): string {
  return textOfPlace(key.subarray(0, family === 4 ? 4 : 16));
}

export function setOf(family: 4 | 6, kind: keyof (typeof SETS)[4]): string {
  return SETS[family][kind];
}
