/** Constants of the DNS parameters registry, https://www.iana.org/assignments/dns-parameters/. */

import type { Quantity } from './quantity.ts';

export const TYPE = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  SIG: 24,
  KEY: 25,
  PX: 26,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AVC: 258,
  AMTRELAY: 260,
  TA: 32768,
  DLV: 32769,
} as const;

export const CLASS = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 } as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  BADVERS: 16,
} as const;

export type Rcode = (typeof RCODE)[keyof typeof RCODE];

/** EDNS options (RFC 6891 §9). */
export const OPTION = {
  ECS: 8,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
} as const;

/** Extended DNS Errors (RFC 8914 §5.2). */
export const EDE = {
  OTHER: 0,
  STALE_ANSWER: 3,
  CACHED_ERROR: 13,
  NOT_READY: 14,
  BLOCKED: 15,
  STALE_NXDOMAIN: 19,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const;

/** An INFO-CODE. An upstream's own may be none of those above. */
export type Ede = Quantity<'ede'>;

const names = new Map<number, string>();
const types = new Map<string, number>();
for (const [name, type] of Object.entries(TYPE)) {
  names.set(type, name);
  types.set(name, type);
}

/** The mnemonic of a type, or `TYPEn` (RFC 3597 §5). */
export function typeToText(type: number): string {
  return names.get(type) ?? `TYPE${type}`;
}

/** The type that a mnemonic or `TYPEn` (any case) stands for, or null. */
/** What a validator asks for to check a zone's keys: DS or DNSKEY (RFC 4034). */
export function isTrustType(type: number): boolean {
  return type === TYPE.DS || type === TYPE.DNSKEY;
}

export function typeFromText(text: string): number | null {
  const upper = text.toUpperCase();
  const known = types.get(upper);
  if (known !== undefined) return known;
  const digits = /^TYPE(0|[1-9]\d{0,4})$/.exec(upper)?.[1];
  if (digits === undefined) return null;
  const type = Number(digits);
  return type <= 0xffff ? type : null;
}

/** Types that ask about transport or whole zones and are never data (RFC 6895 §3.1). */
export function isMetaType(type: number): boolean {
  return type === 0 || type === TYPE.OPT || (type >= 128 && type <= 255);
}
