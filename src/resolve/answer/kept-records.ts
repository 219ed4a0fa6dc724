import { REACH, reachOf } from '../../policy/address.ts';
import { readUint32 } from '../../wire/header.ts';
import { CLASS, TYPE } from '../../wire/iana.ts';
import { ADDITIONAL, AUTHORITY, type Message, type WireRecord } from '../../wire/message.ts';
import { isAtOrUnder, sameName } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import {
  everyAddress,
  expandRdata,
  hasTarget,
  rrsigCovers,
  rrsigLabels,
  rrsigSigner,
  targetOf,
} from '../../wire/rdata.ts';
import type { CleanRecord } from './sections.ts';

/** NSEC and NSEC3 records that a denial at the end of such a chain needs at most, with some to spare (RFC 5155 §7.2). */
const MAX_PROOFS = 32;
/** Owners of NSEC and NSEC3 records that are looked at, those that prove nothing here included. */
const MAX_PROOF_OWNERS = 128;
/** Records of a message that are quicker searched than sorted by owner. */
const FEW = 16;
/** What is kept has to fit a message again: its octets, owners as short as they can be. */
const MAX_KEPT = 0xffff;
/** Seconds that a negative answer is believed at most (RFC 2308 §5 leaves the bound to the resolver). */
const MAX_NEGATIVE_TTL: Seconds = 300;

type Section = 'answer' | 'authority';

/** What is taken over from a message, in both forms. */
export class Kept {
  readonly message: Message;
  readonly plain: Record<Section, CleanRecord[]> = { answer: [], authority: [] };
  readonly full: Record<Section, CleanRecord[]> = { answer: [], authority: [] };
  readonly chain: Uint8Array[] = [];
  readonly restricted: Uint8Array[] = [];
  readonly targets: Uint8Array[] = [];
  ttl: Seconds = 0x7fff_ffff;
  /** DNAMEs that the chain has passed; it may pass one twice. */
  readonly links = new Set<WireRecord>();
  /** Whose proofs are needed: the zone of the SOA, and those whose RRSIG says that an RRset was made from a wildcard. */
  readonly zones: Uint8Array[] = [];
  /** Negative, and no SOA says for how long. */
  unsupported = false;
  /** Some RDATA is not what its type allows, or there is more than a message holds. */
  broken = false;
  /** Of more than a few: answers and authority by owner, so that each is gone through a few times, however many names are looked for. */
  readonly #byOwner: Map<Uint8Array, WireRecord[]> | null = null;
  #size = 0;

  constructor(message: Message) {
    this.message = message;
    if (message.records.length <= FEW) return;
    this.#byOwner = new Map();
    for (const record of message.records) {
      if (record.section === ADDITIONAL) break;
      if (record.class !== CLASS.IN) continue;
      const others = this.#byOwner.get(record.owner);
      if (others === undefined) this.#byOwner.set(record.owner, [record]);
      else others.push(record);
    }
  }

  rrset(section: 1 | 2, owner: Uint8Array, type: number): WireRecord[] {
    return this.#of(owner).filter(
      (record) => record.type === type && record.section === section && record.class === CLASS.IN,
    );
  }

  /** The first record in the message of a type whose owner is `name` without its first labels, `least` of them or more. */
  firstAbove(section: 1 | 2, name: Uint8Array, type: number, least: 0 | 1): WireRecord | null {
    if (this.#byOwner === null) {
      const above = (record: WireRecord): boolean =>
        record.type === type &&
        record.section === section &&
        record.class === CLASS.IN &&
        record.owner.length <= name.length - least &&
        isAtOrUnder(name, record.owner);
      return this.message.records.find(above) ?? null;
    }
    let first: WireRecord | null = null;
    let skipped = 0;
    for (let at = 0; at < name.length; at += 1 + name[at]!) {
      if (skipped++ < least) continue;
      const found = this.#of(name.subarray(at)).find(
        (each) => each.type === type && each.section === section,
      );
      if (found !== undefined && (first === null || found.start < first.start)) first = found;
    }
    return first;
  }

  #of(owner: Uint8Array): readonly WireRecord[] {
    const { records, owners } = this.message;
    if (this.#byOwner === null) return records.filter((record) => sameName(record.owner, owner));
    const known = owners.find(owner);
    return known === undefined ? NO_RECORDS : (this.#byOwner.get(known) ?? NO_RECORDS);
  }

  /** Takes an RRset with its signatures. Its TTL is the least of its records' (RFC 2181 §5.2). */
  take(records: readonly WireRecord[], section: Section): void {
    const first = records[0];
    if (first === undefined) return;
    let ttl = Math.min(...records.map((record) => record.ttl));
    if (first.type === TYPE.SOA && section === 'authority')
      ttl = Math.min(ttl, this.#minimum(first), MAX_NEGATIVE_TTL);
    for (const record of records) {
      const rdata = this.#rdata(record);
      if (rdata === null) return;
      const linked = record.type === TYPE.CNAME;
      this.add({ owner: record.owner, type: record.type, ttl, rdata, linked }, section);
      this.#note(record.type, rdata);
    }
    if (first.type === TYPE.RRSIG) return;
    let zone: Uint8Array | null = null;
    for (const signature of this.rrset(first.section as 1 | 2, first.owner, TYPE.RRSIG)) {
      if (signature.end - signature.start < 18) continue;
      if (rrsigCovers(this.message.octets, signature.start) !== first.type) continue;
      const rdata = this.#rdata(signature);
      if (rdata === null) return;
      this.full[section].push({ owner: signature.owner, type: TYPE.RRSIG, ttl, rdata, linked: false });
      const expanded = rrsigLabels(this.message.octets, signature.start) < countLabels(first.owner);
      if (expanded && section === 'answer') zone ??= rrsigSigner(rdata);
    }
    if (zone !== null && isAtOrUnder(first.owner, zone)) this.zones.push(zone);
  }

  /** Adds a record to both forms. */
  add(record: CleanRecord, section: Section): void {
    this.plain[section].push(record);
    this.full[section].push(record);
    this.ttl = Math.min(this.ttl, record.ttl);
  }

  /** No cache below us keeps it either. */
  age(): void {
    for (const form of [this.plain, this.full])
      form.answer = form.answer.map((each) => ({ ...each, ttl: 0 }));
  }

  /** NSEC and NSEC3 of `zones` with their signatures, for clients that asked for DNSSEC (RFC 4035 §3.1.3, RFC 5155 §7.2). */
  takeProofs(): void {
    if (this.zones.length === 0) return;
    const nsec = new Set<Uint8Array>();
    const nsec3 = new Set<Uint8Array>();
    let proofs = 0;
    for (const { section, owner, type, class: of } of this.message.records) {
      if (section !== AUTHORITY || of !== CLASS.IN) continue;
      if (type !== TYPE.NSEC && type !== TYPE.NSEC3) continue;
      const owners = type === TYPE.NSEC ? nsec : nsec3;
      if (owners.has(owner)) continue;
      owners.add(owner);
      const needed = this.zones.some((zone) => isAtOrUnder(owner, zone));
      if ((needed && ++proofs > MAX_PROOFS) || owners.size > MAX_PROOF_OWNERS) this.broken = true;
      if (this.broken) return;
      if (!needed) continue;
      const plain = this.plain.authority.length;
      this.take(this.rrset(AUTHORITY, owner, type), 'authority');
      this.plain.authority.length = plain;
    }
  }

  #rdata(record: WireRecord): Uint8Array | null {
    const { octets } = this.message;
    const size = expandRdata(octets, record.type, record.start, record.end, room, 0);
    // A root as owner, and a CNAME's target as a pointer, are as short as can be.
    this.#size += 11 + (record.type === TYPE.CNAME ? 1 : size);
    if (size >= 0 && this.#size <= MAX_KEPT) return room.slice(0, size);
    this.broken = true;
    return null;
  }

  #minimum(soa: WireRecord): Seconds {
    return soa.end - soa.start < 22 ? 0 : readUint32(this.message.octets, soa.end - 4);
  }

  /** Keeps what rules have a say in. */
  #note(type: number, rdata: Uint8Array): void {
    const parsed = everyAddress(type, rdata, (at, size) => {
      if (reachOf(rdata, at, size) !== REACH.PUBLIC) this.restricted.push(rdata.slice(at, at + size));
      return true;
    });
    if (!parsed) this.broken = true;
    if (!hasTarget(type)) return;
    const target = targetOf(type, rdata);
    if (target !== null) this.targets.push(target);
  }
}

const NO_RECORDS: readonly WireRecord[] = [];

/** RDATA may grow by two names when it is expanded. */
const room = new Uint8Array(0x1_0000 + 512);

/** As RFC 4034 §3.1.3 counts: the root and a leading `*` are no labels. */
function countLabels(name: Uint8Array): number {
  let count = 0;
  for (let at = 0; name[at] !== 0; at += 1 + name[at]!) count++;
  return name[0] === 1 && name[1] === 0x2a ? count - 1 : count;
}
