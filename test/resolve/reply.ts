import dns2 from 'dns2';
import { addressToText } from '../../src/policy/address.ts';
import { WireError } from '../../src/wire/error.ts';
import { messageFlags, readUint16, readUint32 } from '../../src/wire/header.ts';
import { TYPE, typeToText } from '../../src/wire/iana.ts';
import { readMessage, type WireRecord } from '../../src/wire/message.ts';
import { nameToText, skipName } from '../../src/wire/name.ts';
import { expandRdata } from '../../src/wire/rdata.ts';

/** A reply as a test looks at it. */
export interface Reply {
  readonly octets: Buffer;
  /** Of the query that was dropped: -1. OPT's upper bits included. */
  readonly rcode: number;
  readonly flags: number;
  /** `owner ttl type rdata` of each section; OPT is not among `additional`. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly edns: boolean;
  /** OPT's fields, 0 where there is none. */
  readonly udpSize: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** Its options in order, EDE among them. */
  readonly options: readonly { readonly code: number; readonly data: Buffer }[];
  readonly ede: readonly { readonly code: number; readonly text: string }[];
}

export const NO_REPLY: Reply = {
  octets: Buffer.alloc(0),
  rcode: -1,
  flags: 0,
  answer: [],
  authority: [],
  additional: [],
  edns: false,
  udpSize: 0,
  version: 0,
  dnssecOk: false,
  options: [],
  ede: [],
};

/** Reads a reply with our own reader. One without a question is what malformed queries get: read by hand. */
export function readReply(octets: Buffer): Reply {
  const message = readMessage(octets);
  if (message instanceof WireError) {
    if (octets.length < 12 || octets.readUInt16BE(4) !== 0) throw new Error(`unreadable: ${message.code}`);
    // At most one OPT follows the header.
    const extended = octets.length > 12 ? octets[17]! << 4 : 0;
    const rcode = (octets[3]! & 15) | extended;
    return { ...NO_REPLY, octets, rcode, flags: messageFlags(octets), edns: octets.length > 12 };
  }
  const opt = message.records.find(({ type }) => type === TYPE.OPT);
  const text = (section: number): string[] =>
    message.records
      .filter((record) => record.section === section && record !== opt)
      .map((record) => recordText(octets, record));
  const options = opt === undefined ? [] : readOptions(octets, opt);
  const extended = opt === undefined ? 0 : (opt.ttl >>> 24) << 4;
  return {
    octets,
    rcode: (message.flags & 15) | extended,
    flags: message.flags,
    answer: text(1),
    authority: text(2),
    additional: text(3),
    edns: opt !== undefined,
    udpSize: opt?.class ?? 0,
    version: ((opt?.ttl ?? 0) >>> 16) & 0xff,
    dnssecOk: ((opt?.ttl ?? 0) & 0x8000) !== 0,
    options,
    ede: options
      .filter(({ code }) => code === 15)
      .map(({ data }) => ({ code: data.readUInt16BE(0), text: data.toString('utf8', 2) })),
  };
}

function readOptions(octets: Buffer, opt: WireRecord): { code: number; data: Buffer }[] {
  const found: { code: number; data: Buffer }[] = [];
  for (let at = opt.start; at < opt.end; ) {
    const size = octets.readUInt16BE(at + 2);
    found.push({ code: octets.readUInt16BE(at), data: octets.subarray(at + 4, at + 4 + size) });
    at += 4 + size;
  }
  return found;
}

/** The question section as octets. */
export function questionOf(octets: Buffer): Buffer {
  return octets.subarray(12, skipName(octets, octets.length, 12) + 4);
}

function recordText(octets: Buffer, record: WireRecord): string {
  const out = new Uint8Array(0x1_0000 + 512);
  const size = expandRdata(octets, record.type, record.start, record.end, out, 0);
  if (size < 0) throw new Error(`a reply with broken ${typeToText(record.type)} data`);
  const cls = record.class === 1 ? '' : ` CLASS${record.class}`;
  const rdata = rdataText(record.type, Buffer.from(out.subarray(0, size)));
  return `${nameToText(record.owner)} ${record.ttl}${cls} ${typeToText(record.type)} ${rdata}`;
}

function rdataText(type: number, rdata: Buffer): string {
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA:
      return addressToText(rdata);
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.PTR:
    case TYPE.DNAME:
      return nameToText(rdata);
    case TYPE.MX:
      return `${readUint16(rdata, 0)} ${nameToText(rdata.subarray(2))}`;
    case TYPE.SRV:
      return `${[0, 2, 4].map((at) => readUint16(rdata, at)).join(' ')} ${nameToText(rdata.subarray(6))}`;
    case TYPE.SOA:
      return `minimum ${readUint32(rdata, rdata.length - 4)}`;
    case TYPE.TXT:
    case TYPE.HINFO:
      return rdata.toString('latin1').replace(/[^ -~]/g, '|');
    case TYPE.RRSIG:
      return typeToText(readUint16(rdata, 0));
    case TYPE.NSEC:
      return nameToText(rdata.subarray(0, skipName(rdata, rdata.length, 0)));
    default:
      return rdata.toString('hex');
  }
}

/**
 * What dns2, which shares no code with us, reads in the answer section: `owner ttl type data`, for the types that it
 * knows and names without escapes. It writes IPv6 in full, and decides nothing about case.
 */
export function secondReading(octets: Buffer): string[] {
  return dns2.Packet.parse(octets).answers.map((record) => {
    const shown = record as unknown as Record<string, unknown>;
    const data = shown['address'] ?? shown['domain'] ?? shown['target'] ?? shown['exchange'] ?? shown['data'];
    return `${record.name} ${record.ttl} ${typeToText(Number(record.type))} ${String(data)}`;
  });
}
