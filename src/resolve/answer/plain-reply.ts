import { REACH, reachOf } from '../../policy/address.ts';
import {
  FLAG,
  HEADER_SIZE,
  messageFlags,
  RCODE_MASK,
  readUint16,
  readUint32,
  sectionCount,
} from '../../wire/header.ts';
import { CLASS, RCODE, TYPE } from '../../wire/iana.ts';
import { lowerOctet, MAX_NAME, readName, readNameAsSent, sameName, skipName } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import type { Answer } from './answer.ts';
import { type CleanRecord, writeSections } from './sections.ts';

/** Links of a chain, and addresses; a reply with more takes the long way. */
const MAX_LINKS = 4;
const MAX_ADDRESSES = 32;

/**
 * What most replies are: addresses at the question's name, or behind a few CNAMEs in order, and nothing else among the
 * answers. Gives what `clean` gives of them, octet by octet, at a fraction of its cost; null for every other reply, good
 * or bad, which `clean` then judges.
 */
export function readPlainReply(
  octets: Buffer,
  name: Uint8Array,
  type: number,
  verified: boolean,
): Answer | null {
  const size = type === TYPE.A ? 4 : type === TYPE.AAAA ? 16 : 0;
  if (size === 0 || !isAbout(octets, name)) return null;
  const count = sectionCount(octets, 1);
  if (count > MAX_LINKS + MAX_ADDRESSES) return null;
  reading.begin(octets, name, type, size);
  for (let left = count; left > 0; left--) if (!reading.next()) return null;
  if (reading.addresses === 0 || !endsWell(octets, reading.at)) return null;
  const plain = writeSections(name, reading.records, NO_RECORDS, reading.count);
  if (plain === null) return null;
  return {
    rcode: RCODE.NOERROR,
    plain,
    full: plain,
    ttl: reading.ttl,
    supported: true,
    open: null,
    authentic: verified && (messageFlags(octets) & FLAG.AD) !== 0,
    chain: reading.chain,
    restricted: reading.restricted,
    targets: NO_NAMES,
  };
}

const NO_RECORDS: readonly CleanRecord[] = [];
const NO_NAMES: readonly Uint8Array[] = [];
const NO_OCTETS: Uint8Array = new Uint8Array();
const scratch = new Uint8Array(MAX_NAME);

/** Whether it says NOERROR to a question of that name, written out and in whatever case. */
function isAbout(octets: Buffer, name: Uint8Array): boolean {
  if (octets.length < HEADER_SIZE + name.length + 4) return false;
  if ((messageFlags(octets) & RCODE_MASK) !== RCODE.NOERROR || sectionCount(octets, 0) !== 1) return false;
  for (let i = 0; i < name.length; i++) if (lowerOctet(octets[HEADER_SIZE + i]!) !== name[i]) return false;
  return true;
}

/** A record of a reply: where its data stand in that. */
class PlainRecord implements CleanRecord {
  owner = NO_OCTETS;
  type = 0;
  ttl: Seconds = 0;
  rdata = NO_OCTETS;
  from = 0;
  to = 0;
  linked = false;
}

/** Goes through the answers. One object serves every reply, so that a reply costs little more than what is kept of it. */
class Reading {
  readonly records: readonly PlainRecord[] = Array.from(
    { length: MAX_LINKS + MAX_ADDRESSES },
    () => new PlainRecord(),
  );
  /** Records that were read. */
  count = 0;
  chain: readonly Uint8Array[] = NO_NAMES;
  restricted: readonly Uint8Array[] = NO_NAMES;
  addresses = 0;
  /** The least of all. */
  ttl: Seconds = 0x7fff_ffff;
  at = 0;
  #octets: Uint8Array = NO_OCTETS;
  #name: Uint8Array = NO_OCTETS;
  #type = 0;
  #size: 4 | 16 = 4;
  /** Whose record comes next. */
  #owner: Uint8Array = NO_OCTETS;
  /** Of the addresses: an RRset has one (RFC 2181 §5.2). */
  #least: Seconds = 0x7fff_ffff;

  begin(octets: Buffer, name: Uint8Array, type: number, size: 4 | 16): void {
    this.count = 0;
    this.chain = NO_NAMES;
    this.restricted = NO_NAMES;
    this.addresses = 0;
    this.ttl = 0x7fff_ffff;
    this.#least = 0x7fff_ffff;
    this.#octets = octets;
    this.#name = name;
    this.#type = type;
    this.#size = size;
    this.#owner = name;
    this.at = HEADER_SIZE + name.length + 4;
  }

  /** Reads one record; false where the reply is not plain. */
  next(): boolean {
    const octets = this.#octets;
    const header = this.#skipOwner();
    if (header < 0 || header + 10 > octets.length || readUint16(octets, header + 2) !== CLASS.IN)
      return false;
    const start = header + 10;
    const end = start + readUint16(octets, header + 8);
    if (end > octets.length) return false;
    const sent = readUint32(octets, header + 4);
    // RFC 2181 §8.
    const ttl = sent > 0x7fff_ffff ? 0 : sent;
    this.ttl = Math.min(this.ttl, ttl);
    this.at = end;
    const type = readUint16(octets, header);
    if (type === this.#type) return this.#address(start, end, ttl);
    return type === TYPE.CNAME && this.addresses === 0 && this.#link(start, end, ttl);
  }

  /** The offset behind the owner; -1 where it is another than expected. */
  #skipOwner(): number {
    const octets = this.#octets;
    const { at } = this;
    // A pointer to the question.
    if (octets[at] === 0xc0 && octets[at + 1] === HEADER_SIZE && this.#owner === this.#name) return at + 2;
    const length = readName(octets, octets.length, at, scratch, 0);
    if (length !== this.#owner.length) return -1;
    for (let i = 0; i < length; i++) if (scratch[i] !== this.#owner[i]) return -1;
    return skipName(octets, octets.length, at);
  }

  #address(start: number, end: number, ttl: Seconds): boolean {
    if (end - start !== this.#size || this.addresses === MAX_ADDRESSES) return false;
    if (reachOf(this.#octets, start, this.#size) !== REACH.PUBLIC) {
      this.restricted = [...this.restricted, Uint8Array.from(this.#octets.subarray(start, end))];
    }
    const { records, addresses, count } = this;
    if (addresses === 0) this.#least = ttl;
    if (ttl < this.#least) {
      this.#least = ttl;
      for (let i = count - addresses; i < count; i++) records[i]!.ttl = ttl;
    }
    this.addresses++;
    this.#take(this.#type, this.#least, false, this.#octets, start, end);
    return true;
  }

  #link(start: number, end: number, ttl: Seconds): boolean {
    const octets = this.#octets;
    if (this.chain.length === MAX_LINKS) return false;
    const length = readNameAsSent(octets, end, start, scratch, 0);
    if (length < 0 || skipName(octets, end, start) !== end) return false;
    const rdata = scratch.slice(0, length);
    const next = rdata.slice();
    for (let i = 0; i < length; i++) next[i] = lowerOctet(rdata[i]!);
    if (sameName(next, this.#name) || this.chain.some((seen) => sameName(seen, next))) return false;
    this.#take(TYPE.CNAME, ttl, true, rdata, 0, length);
    this.chain = [...this.chain, next];
    this.#owner = next;
    return true;
  }

  #take(type: number, ttl: Seconds, linked: boolean, rdata: Uint8Array, from: number, to: number): void {
    const record = this.records[this.count++]!;
    record.owner = this.#owner;
    record.type = type;
    record.ttl = ttl;
    record.rdata = rdata;
    record.from = from;
    record.to = to;
    record.linked = linked;
  }
}

/** Not re-entrant: one reply is in hand. It holds on to the last one's octets. */
const reading = new Reading();

/** Whether authority and additional are whole records, and nothing comes behind them. */
function endsWell(octets: Buffer, start: number): boolean {
  let at = start;
  for (let left = sectionCount(octets, 2) + sectionCount(octets, 3); left > 0; left--) {
    // OPT's owner is the root.
    if (octets[at] === 0) at++;
    else {
      if (readName(octets, octets.length, at, scratch, 0) < 0) return false;
      at = skipName(octets, octets.length, at);
    }
    if (at + 10 > octets.length) return false;
    at += 10 + readUint16(octets, at + 8);
    if (at > octets.length) return false;
  }
  return at === octets.length;
}
