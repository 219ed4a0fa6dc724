import { Packet, type Resource } from 'dns2';
import { WireError } from '../../wire/error.ts';
import { HEADER_SIZE, messageFlags, RCODE_MASK, sectionCount } from '../../wire/header.ts';
import { CLASS, TYPE, typeToText } from '../../wire/iana.ts';
import { ADDITIONAL, ANSWER, AUTHORITY, readMessage, type WireRecord } from '../../wire/message.ts';
import { nameToText } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { UDP_PAYLOAD } from '../../wire/reply.ts';
import { escapeText } from '../terminal.ts';
import { dataText } from './record-data.ts';

/**
 * A query for a wire name, with OPT (RFC 6891) so that reasons come back, RD and AD. Null where dns2 would ask for
 * another name: it takes names as text without escapes, so a dot inside a label becomes one between two labels.
 */
export function queryMessage(name: Uint8Array, type: number): Buffer | null {
  const labels: string[] = [];
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) {
    labels.push(Buffer.from(name.subarray(at + 1, at + 1 + name[at]!)).toString('latin1'));
  }
  const header = new Packet.Header({ id: Packet.uuid(), rd: 1 });
  // Its types do not know AD (RFC 6840 §5.7: the answer's AD is welcome); its writer does.
  Object.assign(header, { ad: 1 });
  const packet = new Packet(header);
  packet.questions.push(new Packet.Question(labels.join('.'), type, Packet.CLASS.IN));
  packet.additionals.push(Packet.Resource.EDNS([], { udpPayloadSize: UDP_PAYLOAD }));
  const octets = packet.toBuffer();
  return octets.subarray(HEADER_SIZE, HEADER_SIZE + name.length).equals(name) ? octets : null;
}

/** A reply as text. Nothing in it can be misread by a terminal. */
export interface ReadableReply {
  /** The mnemonic of the RCODE, extended by OPT. */
  readonly status: string;
  /** Of `qr aa tc rd ra ad cd` those that are set. */
  readonly flags: readonly string[];
  readonly answers: readonly ReplyRecord[];
  readonly authority: readonly ReplyRecord[];
  readonly additional: readonly ReplyRecord[];
  /** Extended DNS errors (RFC 8914). */
  readonly ede: readonly { readonly code: number; readonly name: string; readonly text: string }[];
}

export interface ReplyRecord {
  readonly name: string;
  /** Seconds. */
  readonly ttl: Seconds;
  readonly class: string;
  readonly type: string;
  readonly data: string;
}

/** Reads a reply, or says why it cannot be read. */
export function readReply(octets: Buffer): ReadableReply | string {
  // Before dns2: bounds are checked here, and names cannot lead it in circles.
  const message = readMessage(octets);
  const headerOnly = sectionCount(octets, 0) === 0;
  if (message instanceof WireError && !headerOnly) {
    return `the reply is malformed (${message.code} at octet ${message.offset})`;
  }
  let packet: Packet;
  try {
    packet = Packet.parse(octets);
  } catch (error) {
    return `the reply is malformed (${error instanceof Error ? escapeText(error.message) : 'unknown'})`;
  }
  const records = message instanceof WireError ? [] : message.records;
  const decoded = decodedRecords(packet);
  const texts = (section: number): ReplyRecord[] =>
    records.flatMap((record, i) =>
      record.section === section && record.type !== TYPE.OPT ? [recordText(octets, record, decoded[i])] : [],
    );
  return {
    status: rcodeText(rcodeOf(octets, records)),
    flags: FLAGS.filter((flag) => (packet.header as unknown as Record<string, number>)[flag] === 1),
    answers: texts(ANSWER),
    authority: texts(AUTHORITY),
    additional: texts(ADDITIONAL),
    ede: packet.additionals.flatMap((record) => edeOf(record)),
  };
}

/** What dns2 made of each record, in the order of the message; it leaves out those that it could not decode. */
function decodedRecords(packet: Packet): (Resource | undefined)[] {
  const { header, errors } = packet;
  const sections = [
    ['answers', header.ancount],
    ['authorities', header.nscount],
    ['additionals', header.arcount],
  ] as const;
  return sections.flatMap(([section, count]) => {
    const failed = new Set(errors.filter((error) => error.section === section).map(({ index }) => index));
    let next = 0;
    return Array.from({ length: count }, (_, i) => (failed.has(i) ? undefined : packet[section][next++]));
  });
}

const FLAGS = ['qr', 'aa', 'tc', 'rd', 'ra', 'ad', 'cd'] as const;

function recordText(octets: Uint8Array, record: WireRecord, decoded: Resource | undefined): ReplyRecord {
  return {
    name: nameToText(record.owner),
    ttl: record.ttl,
    class: classText(record.class),
    type: typeToText(record.type),
    data: dataText(octets, record, decoded),
  };
}

function classText(value: number): string {
  return Object.entries(CLASS).find(([, code]) => code === value)?.[0] ?? `CLASS${value}`;
}

/** The RCODE with the upper bits that OPT has (RFC 6891 §6.1.3); dns2 cuts them to seven. */
function rcodeOf(octets: Uint8Array, records: readonly WireRecord[]): number {
  const opt = records.find(({ type }) => type === TYPE.OPT);
  return (messageFlags(octets) & RCODE_MASK) | (((opt?.ttl ?? 0) >>> 24) << 4);
}

/** RCODE 16 has two names; a response to a query without TSIG means BADVERS (RFC 6891 §9). */
function rcodeText(rcode: number): string {
  return Object.entries(Packet.RCODE).find(([, code]) => code === rcode)?.[0] ?? `RCODE${rcode}`;
}

function edeOf({ type, rdata }: Resource): ReadableReply['ede'] {
  if (type !== TYPE.OPT) return [];
  return (rdata ?? []).flatMap((option) => {
    if (option.ednsCode !== Packet.EDNS_OPTION_CODE.EDE) return [];
    const { infoCode, extraText } = option as { infoCode: number; extraText: string } & typeof option;
    return [{ code: infoCode, name: edeName(infoCode), text: escapeText(extraText) }];
  });
}

/** `NO_REACHABLE_AUTHORITY` as the registry writes it: No Reachable Authority. */
function edeName(code: number): string {
  const words = Packet.EDE_NAME[code]?.split('_') ?? ['Unassigned'];
  return words
    .map((word) => (word === 'DNSKEY' || word === 'DS' ? word : word[0] + word.slice(1).toLowerCase()))
    .join(' ');
}
