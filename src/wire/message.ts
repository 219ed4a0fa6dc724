import { WireError } from './error.ts';
import { HEADER_SIZE, messageFlags, readUint16, readUint32, sectionCount } from './header.ts';
import { MAX_NAME, nameFault, readName, skipName } from './name.ts';
import { Owners } from './owners.ts';
import type { Seconds } from './quantity.ts';

export const ANSWER = 1;
export const AUTHORITY = 2;
export const ADDITIONAL = 3;

/** One record of a message. Owners are uncompressed, in lower case, and one array where they are equal; RDATA stays where it is. */
export interface WireRecord {
  readonly section: 1 | 2 | 3;
  readonly owner: Uint8Array;
  readonly type: number;
  readonly class: number;
  /** Seconds; a value with the top bit set is 0 (RFC 2181 §8). For OPT, the raw 32 bits. */
  readonly ttl: Seconds;
  /** Offsets of the RDATA in the message. */
  readonly start: number;
  readonly end: number;
}

/** A message whose every record lies inside it. RDATA is not looked at here. */
export interface Message {
  readonly octets: Uint8Array;
  readonly flags: number;
  readonly question: { readonly name: Uint8Array; readonly type: number; readonly class: number };
  readonly records: readonly WireRecord[];
  /** Of the records, and the question's name among them. */
  readonly owners: Owners;
}

const TYPE_OPT = 41;

/**
 * Reads a whole message with one question (RFC 1035 §4.1): what an upstream sends. Octets behind the last
 * record are an error, as is anything that does not fit.
 */
export function readMessage(octets: Uint8Array): Message | WireError {
  if (octets.length < HEADER_SIZE) return new WireError('short', octets.length);
  if (sectionCount(octets, 0) !== 1) return new WireError('question-count', 4);
  const owners = new Owners(octets);
  const name = owners.read(HEADER_SIZE) ?? faultAt(octets, HEADER_SIZE);
  if (name instanceof WireError) return name;
  let at = skipName(octets, octets.length, HEADER_SIZE);
  if (at + 4 > octets.length) return new WireError('short', at);
  const question = { name, type: readUint16(octets, at), class: readUint16(octets, at + 2) };
  at += 4;
  const records: WireRecord[] = [];
  for (const section of [ANSWER, AUTHORITY, ADDITIONAL] as const) {
    for (let left = sectionCount(octets, section); left > 0; left--) {
      const record = readRecord(octets, owners, at, section);
      if (record instanceof WireError) return record;
      records.push(record);
      at = record.end;
    }
  }
  if (at !== octets.length) return new WireError('trailing', at);
  return { octets, flags: messageFlags(octets), question, records, owners };
}

function readRecord(
  octets: Uint8Array,
  owners: Owners,
  start: number,
  section: 1 | 2 | 3,
): WireRecord | WireError {
  const owner = owners.read(start) ?? faultAt(octets, start);
  if (owner instanceof WireError) return owner;
  const at = skipName(octets, octets.length, start);
  if (at + 10 > octets.length) return new WireError('short', at);
  const end = at + 10 + readUint16(octets, at + 8);
  if (end > octets.length) return new WireError('short', at + 8);
  const type = readUint16(octets, at);
  const ttl = readUint32(octets, at + 4);
  return {
    section,
    owner,
    type,
    class: readUint16(octets, at + 2),
    ttl: type !== TYPE_OPT && ttl > 0x7fff_ffff ? 0 : ttl,
    start: at + 10,
    end,
  };
}

const scratch = new Uint8Array(MAX_NAME);

/** What is wrong with a name that could not be read. */
function faultAt(octets: Uint8Array, at: number): WireError {
  readName(octets, octets.length, at, scratch, 0);
  return new WireError(nameFault.code, nameFault.offset);
}
