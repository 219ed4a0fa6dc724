import { WireError } from '../../wire/error.ts';
import { writeUint16 } from '../../wire/header.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import { nameFromText } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';

/** The zone apex of discovery: `_dns.resolver.arpa` (RFC 9462 §4). */
export const DISCOVERY = wire('_dns.resolver.arpa');

/** Seconds. Where we listen may change with a restart. */
export const DESIGNATION_TTL: Seconds = 300;

/** A DNS over TLS listener that a client may be told of, and for which addresses of ours its certificate speaks. */
export interface Designation {
  /** IP SANs of the certificate: only who asked at one of them is told, for only there it can be verified (RFC 9462 §4.2). */
  readonly addresses: readonly AddressWords[];
  /** A DNS SAN of the certificate, as text: the TargetName. */
  readonly target: string;
  readonly port: number;
  /** Where it listens, or null for every address: then it is the one that was asked. */
  readonly host: AddressWords | null;
}

/** RDATA of the SVCB records (RFC 9460 §2.2, RFC 9461) that answer at the address that was asked, most preferred first. */
export function designated(all: readonly Designation[], asked: AddressWords): Uint8Array[] {
  return all
    .filter(({ addresses }) => addresses.some((address) => sameAddress(address, asked)))
    .map((one, index) => svcb(index + 1, one, one.host ?? asked));
}

const ALPN = 1;
const PORT = 3;
const IPV4_HINT = 4;
const IPV6_HINT = 6;

/** Priority, TargetName without compression, and parameters in ascending order of their keys. */
function svcb(priority: number, { target, port }: Designation, hint: AddressWords): Uint8Array {
  const parameters = [
    parameter(ALPN, Buffer.from('\x03dot', 'latin1')),
    parameter(PORT, Buffer.from([port >>> 8, port & 0xff])),
    parameter(hint.family === 4 ? IPV4_HINT : IPV6_HINT, octetsOf(hint)),
  ];
  return Buffer.concat([Buffer.from([priority >>> 8, priority & 0xff]), wire(target), ...parameters]);
}

function parameter(key: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  writeUint16(head, 0, key);
  writeUint16(head, 2, value.length);
  return Buffer.concat([head, value]);
}

function octetsOf({ family, w0, w1, w2, w3 }: AddressWords): Buffer {
  const words = family === 4 ? [w0] : [w0, w1, w2, w3];
  const out = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) out.writeUInt32BE(word, 4 * i);
  return out;
}

function sameAddress(a: AddressWords, b: AddressWords): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

function wire(text: string): Uint8Array {
  const name = nameFromText(text);
  if (name instanceof WireError) throw new Error(`${text} is no name`);
  return name;
}
