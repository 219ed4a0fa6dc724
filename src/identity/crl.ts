import type { KeyObject } from 'node:crypto';
import type { EpochSeconds } from '../wire/quantity.ts';
import type { Certificate } from './certificate.ts';
import { DerReader, TAG } from './der.ts';
import { latin, readExtension } from './extensions.ts';
import { readSigned, type Signed, signatureFault } from './signature.ts';

/** A complete, direct CRL (RFC 5280 §5) as it was signed. */
export class Crl {
  /** The Name's DER, one character an octet. */
  readonly issuer: string;
  /** Seconds since 1970. */
  readonly thisUpdate: EpochSeconds;
  readonly nextUpdate: EpochSeconds;
  /** Entries. */
  readonly revoked: number;
  readonly #signed: Signed;
  readonly #entries: Entries;

  constructor(
    signed: Signed,
    issuer: string,
    thisUpdate: EpochSeconds,
    nextUpdate: EpochSeconds,
    entries: Entries,
  ) {
    this.#signed = signed;
    this.issuer = issuer;
    this.thisUpdate = thisUpdate;
    this.nextUpdate = nextUpdate;
    this.#entries = entries;
    this.revoked = entries.size;
  }

  /** Why this key did not sign it, or null where it did. */
  signatureFault(key: KeyObject): string | null {
    return signatureFault(this.#signed, key);
  }

  /** Whether it revokes a certificate of its issuer. */
  revokes({ serial }: Certificate): boolean {
    return this.#entries.has(serial);
  }
}

/** The CRL, or in words why it cannot be used. Never throws. */
export function readCrl(der: Uint8Array): Crl | string {
  const signed = readSigned(der);
  if (signed === null) return 'it is no CRL in DER';
  const outer = new DerReader(signed.tbs);
  const tbs = outer.enter(TAG.SEQUENCE);
  if (tbs.tag !== TAG.INTEGER) return 'it is a CRL of version 1';
  if (tbs.small() !== 1) return 'it is a CRL of an unknown version';
  if (Buffer.compare(tbs.raw(TAG.SEQUENCE), signed.algorithm) !== 0)
    return 'it names two signature algorithms';
  const issuer = latin(tbs.raw(TAG.SEQUENCE));
  const thisUpdate = tbs.time();
  // RFC 5280 §5.1.2.5 wants it in every CRL: one that never ends could be shown for ever.
  if (!tbs.atTime) return 'it does not say when the next one comes';
  const nextUpdate = tbs.time();
  const list = tbs.maybe(TAG.SEQUENCE);
  const entries = new Entries(signed.tbs);
  const entryFault = list === null ? null : readEntries(list, entries);
  if (entryFault !== null) return entryFault;
  const extensionFault = readCrlExtensions(tbs.maybe(0xa0));
  tbs.finish();
  outer.finish();
  if (outer.malformed) return 'it is no CRL in DER';
  if (extensionFault !== null) return extensionFault;
  entries.build();
  return new Crl(signed, issuer, thisUpdate, nextUpdate, entries);
}

/** RFC 5280 §5.2. */
function readCrlExtensions(wrapper: DerReader | null): string | null {
  if (wrapper === null) return null;
  const list = wrapper.enter(TAG.SEQUENCE);
  let fault: string | null = null;
  while (!list.done) {
    const { oid, critical } = readExtension(list);
    if (oid === '2.5.29.27') fault ??= 'it is a delta CRL: write a complete one';
    else if (oid === '2.5.29.28')
      fault ??= 'it is an indirect CRL or one of a part of its scope: write a complete one';
    else if (critical) fault ??= `its critical extension ${oid} is not known`;
  }
  list.finish();
  wrapper.finish();
  return fault;
}

/** RFC 5280 §5.1.2.6. A hundred thousand entries are read beside those who are served: few objects for each. */
function readEntries(list: DerReader, entries: Entries): string | null {
  if (list.done) list.fail();
  while (!list.done) {
    const entry = list.enter(TAG.SEQUENCE);
    const at = entry.at;
    entry.integer();
    entry.time();
    let reason: number | string = 0;
    if (!entry.done) reason = plainReason(entry) ?? readEntryExtensions(entry);
    if (typeof reason === 'string') return reason;
    // RFC 5280 §6.3.3 (k): the certificate is not revoked any more.
    if (reason !== REMOVE_FROM_CRL) entries.add(at);
  }
  return null;
}

/** The extensions of nearly every entry: a reason code alone, as DER has it. */
const REASON = Uint8Array.of(0x30, 12, 0x30, 10, 0x06, 3, 0x55, 0x1d, 0x15, 0x04, 3, 0x0a, 1);

function plainReason({ octets, at, end }: DerReader): number | null {
  if (end - at !== REASON.length + 1) return null;
  for (let i = 0; i < REASON.length; i++) if (octets[at + i] !== REASON[i]) return null;
  const reason = octets[end - 1]!;
  return reason > 10 ? null : reason;
}

/** RFC 5280 §5.3: the reason, or why the CRL cannot be used. */
function readEntryExtensions(entry: DerReader): number | string {
  const extensions = entry.enter(TAG.SEQUENCE);
  let reason = 0;
  while (!extensions.done) {
    const { oid, critical, value } = readExtension(extensions);
    if (oid === '2.5.29.21') reason = readReason(value);
    // Certificate issuer (§5.3.3) makes the entry another CA's.
    else if (oid === '2.5.29.29') return 'it is an indirect CRL: write one for each CA';
    else if (critical) return `the critical extension ${oid} of an entry is not known`;
  }
  extensions.finish();
  entry.finish();
  return reason;
}

const REMOVE_FROM_CRL = 8;

function readReason(value: DerReader): number {
  const [reason = 0, ...more] = value.enter(TAG.ENUMERATED).rest();
  value.finish();
  if (more.length > 0 || reason > 10) value.fail();
  return reason;
}

/**
 * Serial numbers as places in the CRL's own octets, found by an open hash: a hundred thousand cost under a megabyte beside the
 * CRL itself. The CA chose the numbers, so that none is chosen to collide.
 */
class Entries {
  readonly #octets: Uint8Array;
  #places: number[] = [];
  #table = new Uint32Array(0);
  #size = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get size(): number {
    return this.#size;
  }

  /** `at`: where the INTEGER begins, its tag included. It was read before. */
  add(at: number): void {
    this.#places.push(at);
  }

  build(): void {
    const places = this.#places;
    this.#places = [];
    this.#size = places.length;
    let slots = 4;
    while (slots < 2 * places.length) slots *= 2;
    this.#table = new Uint32Array(slots);
    for (const at of places) {
      let slot = this.#hash(this.#octets, at + 2, this.#octets[at + 1]!);
      while (this.#table[slot] !== 0) slot = (slot + 1) & (slots - 1);
      this.#table[slot] = at;
    }
  }

  has(serial: Uint8Array): boolean {
    if (this.#size === 0) return false;
    const mask = this.#table.length - 1;
    for (let slot = this.#hash(serial, 0, serial.length); this.#table[slot] !== 0; slot = (slot + 1) & mask) {
      const at = this.#table[slot]!;
      if (this.#octets[at + 1] !== serial.length) continue;
      let same = 0;
      while (same < serial.length && this.#octets[at + 2 + same] === serial[same]) same++;
      if (same === serial.length) return true;
    }
    return false;
  }

  #hash(octets: Uint8Array, from: number, length: number): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ octets[from + i]!, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) & (this.#table.length - 1);
  }
}
