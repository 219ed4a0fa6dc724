import { Packet, type Resource } from 'dns2';
import { readUint16 } from '../../wire/header.ts';
import { TYPE, typeToText } from '../../wire/iana.ts';
import type { WireRecord } from '../../wire/message.ts';
import { nameToText, skipName } from '../../wire/name.ts';
import { expandRdata } from '../../wire/rdata.ts';
import { escapeOctets, escapeText } from '../terminal.ts';

/**
 * RDATA in presentation form (RFC 1035 §5.1). Numbers and addresses are what dns2 decoded; names and texts are read
 * from the octets, since dns2 loses where labels end and what is not UTF-8. A type that is not known here, and RDATA
 * that its type does not allow, are written as RFC 3597 §5 has it.
 */
export function dataText(octets: Uint8Array, record: WireRecord, decoded: Resource | undefined): string {
  const size = expandRdata(octets, record.type, record.start, record.end, room, 0);
  if (size < 0 || decoded === undefined || decoded.type !== record.type) {
    return unknownData(octets.subarray(record.start, record.end));
  }
  const rdata = room.subarray(0, size);
  return WRITERS.get(record.type)?.(rdata, decoded) ?? unknownData(rdata);
}

const room = new Uint8Array(0x1_0000 + 512);

/** Null where the RDATA is not what the type allows. */
type Writer = (rdata: Uint8Array, decoded: Resource) => string | null;

const name: Writer = (rdata) => nameAt(rdata, 0)?.text ?? null;

const WRITERS: ReadonlyMap<number, Writer> = new Map<number, Writer>([
  [TYPE.A, (_, { address }) => address ?? null],
  [TYPE.AAAA, (_, { address }) => address ?? null],
  [TYPE.NS, name],
  [TYPE.CNAME, name],
  [TYPE.DNAME, name],
  [TYPE.PTR, name],
  [TYPE.MX, (rdata, { priority }) => behind(`${priority}`, rdata, 2)],
  [TYPE.SRV, (rdata, { priority, weight, port }) => behind(`${priority} ${weight} ${port}`, rdata, 6)],
  [TYPE.SOA, soa],
  [TYPE.TXT, strings],
  [TYPE.HINFO, strings],
  [TYPE.SPF, strings],
  [TYPE.CAA, caa],
  [TYPE.DS, (rdata) => keyed(rdata, hex)],
  [TYPE.DNSKEY, (rdata) => keyed(rdata, base64)],
  [TYPE.RRSIG, rrsig],
  [TYPE.SVCB, service],
  [TYPE.HTTPS, service],
]);

function behind(numbers: string, rdata: Uint8Array, at: number): string | null {
  const target = nameAt(rdata, at);
  return target === null ? null : `${numbers} ${target.text}`;
}

function soa(rdata: Uint8Array, decoded: Resource): string | null {
  const primary = nameAt(rdata, 0);
  const admin = primary === null ? null : nameAt(rdata, primary.end);
  if (primary === null || admin === null) return null;
  const { serial, refresh, retry, expiration, minimum } = decoded;
  return `${primary.text} ${admin.text} ${serial} ${refresh} ${retry} ${expiration} ${minimum}`;
}

/** DS and DNSKEY: 16 bits, two octets, and what has no structure (RFC 4034 §2.1, §5.1). */
function keyed(rdata: Uint8Array, write: (octets: Uint8Array) => string): string | null {
  if (rdata.length < 5) return null;
  return `${readUint16(rdata, 0)} ${rdata[2]} ${rdata[3]} ${write(rdata.subarray(4))}`;
}

function rrsig(rdata: Uint8Array, decoded: Resource): string | null {
  const signer = nameAt(rdata, 18);
  if (signer === null) return null;
  const { algorithm, labels, originalTtl, expiration, inception, keyTag } = decoded;
  const covered = typeToText(readUint16(rdata, 0));
  const numbers = `${algorithm} ${labels} ${originalTtl} ${expiration} ${inception} ${keyTag}`;
  return `${covered} ${numbers} ${signer.text} ${base64(rdata.subarray(signer.end))}`;
}

/** Character-strings (RFC 1035 §3.3.14). */
function strings(rdata: Uint8Array): string | null {
  const out: string[] = [];
  for (let at = 0; at < rdata.length; at += 1 + rdata[at]!) {
    const end = at + 1 + rdata[at]!;
    if (end > rdata.length) return null;
    out.push(quoted(rdata.subarray(at + 1, end)));
  }
  return out.join(' ');
}

/** RFC 8659 §4.1.1. */
function caa(rdata: Uint8Array): string | null {
  const valueAt = 2 + (rdata[1] ?? 0xff);
  if (rdata.length < valueAt) return null;
  const tag = escapeText(Buffer.from(rdata.subarray(2, valueAt)).toString('latin1'));
  return `${rdata[0]} ${tag} ${quoted(rdata.subarray(valueAt))}`;
}

/** SVCB and HTTPS (RFC 9460 §2.1). */
function service(rdata: Uint8Array): string | null {
  const target = nameAt(rdata, 2);
  if (target === null) return null;
  const parts = [`${readUint16(rdata, 0)}`, target.text];
  for (let at = target.end; at < rdata.length; ) {
    if (at + 4 > rdata.length) return null;
    const end = at + 4 + readUint16(rdata, at + 2);
    if (end > rdata.length) return null;
    parts.push(parameter(readUint16(rdata, at), rdata.subarray(at + 4, end)));
    at = end;
  }
  return parts.join(' ');
}

/** One SvcParam (RFC 9460 §14.3.2); a value that its key does not allow is shown as octets. */
function parameter(key: number, value: Uint8Array): string {
  const name = KEYS[key] ?? `key${key}`;
  return value.length === 0 ? name : `${name}=${parameterValue(key, value) ?? quoted(value)}`;
}

const KEYS = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint', 'dohpath'];

function parameterValue(key: number, value: Uint8Array): string | null {
  switch (KEYS[key]) {
    case 'mandatory':
      return everyWord(value, (word) => KEYS[word] ?? `key${word}`);
    case 'alpn':
      return strings(value)?.replaceAll('" "', ',') ?? null;
    case 'port':
      return value.length === 2 ? `${readUint16(value, 0)}` : null;
    case 'ipv4hint':
      return inParts(value, 4, (part) => part.join('.'));
    case 'ipv6hint':
      return inParts(value, 16, (part) =>
        Packet.toIPv6(Array.from({ length: 8 }, (_, i) => readUint16(part, 2 * i))),
      );
    case 'ech':
      return base64(value);
    default:
      return null;
  }
}

function everyWord(value: Uint8Array, write: (word: number) => string): string | null {
  return inParts(value, 2, (part) => write(readUint16(part, 0)));
}

function inParts(value: Uint8Array, size: number, write: (part: Uint8Array) => string): string | null {
  if (value.length % size !== 0) return null;
  return Array.from({ length: value.length / size }, (_, i) =>
    write(value.subarray(size * i, size * (i + 1))),
  ).join(',');
}

/** An uncompressed name in RDATA, with where it ends. Only SVCB's has not been read before: it may be anything. */
function nameAt(rdata: Uint8Array, start: number): { readonly text: string; readonly end: number } | null {
  const end = skipName(rdata, rdata.length, start);
  if (end < 0 || rdata[end - 1] !== 0) return null;
  return { text: nameToText(rdata.subarray(start, end)), end };
}

/** A character-string in quotes; UTF-8 stays readable, all that could be misread is `\DDD`. */
function quoted(octets: Uint8Array): string {
  try {
    return `"${escapeText(UTF8.decode(octets).replace(/["\\]/g, '\\$&'))}"`;
  } catch {
    const text = Array.from(octets, (octet) =>
      octet >= 0x20 && octet < 0x7f
        ? String.fromCharCode(octet).replace(/["\\]/, '\\$&')
        : escapeOctets(Uint8Array.of(octet)),
    );
    return `"${text.join('')}"`;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function unknownData(octets: Uint8Array): string {
  return `\\# ${octets.length}${octets.length === 0 ? '' : ` ${hex(octets)}`}`;
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex').toUpperCase();
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64');
}
