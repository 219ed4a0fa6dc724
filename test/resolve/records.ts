import { parseRdata } from '../../src/config/policy/records.ts';
import { TextFault } from '../../src/config/problems.ts';
import { WireError } from '../../src/wire/error.ts';
import { FLAG, writeUint16, writeUint32 } from '../../src/wire/header.ts';
import { TYPE, typeFromText } from '../../src/wire/iana.ts';
import { nameFromText } from '../../src/wire/name.ts';

/** `owner ttl type rdata`, as in a zone file, the owner with or without its final dot; or a whole record as octets. */
export type RecordText = string | Buffer;

/** What a scripted upstream says. */
export interface Script {
  readonly rcode?: number;
  readonly answer?: readonly RecordText[];
  readonly authority?: readonly RecordText[];
  readonly additional?: readonly RecordText[];
  /** FLAG bits beside QR, RD and RA. */
  readonly flags?: number;
  /** The server proved who it is. */
  readonly verified?: boolean;
  /** Instead of a reply. */
  readonly failure?: 'silent' | 'network' | 'refused';
  /** The whole message, instead of all that. */
  readonly octets?: Buffer;
}

export function wireName(text: string): Uint8Array {
  const name = nameFromText(text);
  if (name instanceof WireError) throw new Error(`bad name ${text}`);
  return name;
}

/** A whole upstream message, uncompressed. */
export function replyOctets(question: { name: Uint8Array; type: number }, script: Script): Buffer {
  if (script.octets !== undefined) return script.octets;
  const sections = [script.answer ?? [], script.authority ?? [], script.additional ?? []];
  const head = Buffer.alloc(12 + question.name.length + 4);
  writeUint16(head, 2, FLAG.QR | FLAG.RD | FLAG.RA | (script.flags ?? 0) | (script.rcode ?? 0));
  writeUint16(head, 4, 1);
  sections.forEach((records, i) => {
    writeUint16(head, 6 + 2 * i, records.length);
  });
  head.set(question.name, 12);
  writeUint16(head, 12 + question.name.length, question.type);
  writeUint16(head, 14 + question.name.length, 1);
  return Buffer.concat([head, ...sections.flat().map(recordOctets)]);
}

/** The type is a mnemonic or TYPEn; a class other than IN is written in front of it as CLASSn. */
export function recordOctets(text: RecordText): Buffer {
  if (typeof text !== 'string') return text;
  const match = /^(\S+) (\d+) (?:CLASS(\d+) )?(\S+) ?(.*)$/s.exec(text);
  if (match === null) throw new Error(`bad record ${text}`);
  const [, owner = '', ttl, cls, mnemonic = '', rest = ''] = match;
  const type = typeFromText(mnemonic);
  if (type === null) throw new Error(`bad type in ${text}`);
  return rawRecord(wireName(owner), type, Number(ttl), rdataOctets(type, rest), Number(cls ?? 1));
}

/** `owner` may hold a compression pointer. */
export function rawRecord(owner: Uint8Array, type: number, ttl: number, rdata: Uint8Array, cls = 1): Buffer {
  const out = Buffer.alloc(owner.length + 10 + rdata.length);
  out.set(owner);
  writeUint16(out, owner.length, type);
  writeUint16(out, owner.length + 2, cls);
  writeUint32(out, owner.length + 4, ttl);
  writeUint16(out, owner.length + 8, rdata.length);
  out.set(rdata, owner.length + 10);
  return out;
}

/**
 * SOA as `mname rname serial refresh retry expire minimum`, RRSIG as `covered labels signer`, NSEC as `next`, NSEC3 as
 * anything, the rest as in policies; `\# LENGTH HEX` for every type.
 */
function rdataOctets(type: number, text: string): Uint8Array {
  if (text.startsWith('\\#')) {
    return Buffer.from(text.split(' ').slice(2).join(''), 'hex');
  }
  const parts = text.split(' ');
  switch (type) {
    case TYPE.SOA: {
      const times = Buffer.alloc(20);
      parts.slice(2).forEach((value, i) => {
        writeUint32(times, 4 * i, Number(value));
      });
      return Buffer.concat([wireName(parts[0]!), wireName(parts[1]!), times]);
    }
    case TYPE.RRSIG: {
      const fixed = Buffer.alloc(18);
      writeUint16(fixed, 0, typeFromText(parts[0]!)!);
      fixed[3] = Number(parts[1]);
      return Buffer.concat([fixed, wireName(parts[2]!), Buffer.alloc(16, 7)]);
    }
    case TYPE.CNAME:
    case TYPE.DNAME:
    case TYPE.NS:
      return wireName(text);
    case TYPE.NSEC:
      return Buffer.concat([wireName(text), Buffer.from([0, 1, 0x40])]);
    case TYPE.NSEC3:
      return Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 20]), Buffer.alloc(20, 0x5a), Buffer.from(text)]);
    default: {
      const rdata = parseRdata(type, text);
      if (rdata instanceof TextFault) throw new Error(`${text}: ${rdata.message}`);
      return rdata;
    }
  }
}

/** A SOA as text: names under `zone`, its own TTL and MINIMUM. */
export function soa(zone: string, ttl = 60, minimum = 60): string {
  const under = zone === '.' ? '' : zone;
  return `${zone} ${ttl} SOA ns.${under} host.${under} 1 2 3 4 ${minimum}`;
}
