import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import type { EpochSeconds } from '../wire/quantity.ts';
import { DerReader, TAG } from './der.ts';
import { type Extensions, latin, readExtensions } from './extensions.ts';
import { keyFault, readSigned, type Signed } from './signature.ts';

/** Octets; larger ones are not read. */
export const LARGEST_CERTIFICATE = 32_768;

/** What a certificate says (RFC 5280 §4.1), as it was signed: nothing in it is judged yet. */
export class Certificate {
  readonly der: Uint8Array;
  /** Of the DER, 64 lower case digits. */
  readonly sha256: string;
  readonly signed: Signed;
  /** The content of the INTEGER. */
  readonly serial: Uint8Array;
  /** The Name's DER, one character an octet. */
  readonly issuer: string;
  readonly subject: string;
  /** Seconds since 1970: from the first on, and before the second. */
  readonly notBefore: EpochSeconds;
  readonly notAfter: EpochSeconds;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyId: string;
  readonly extensions: Extensions;
  readonly #spki: Uint8Array;
  #key: { readonly key: KeyObject | null; readonly fault: string | null } | null = null;

  constructor(der: Uint8Array, signed: Signed, fields: Fields) {
    this.der = der;
    this.sha256 = hashOf(der);
    this.signed = signed;
    this.serial = fields.serial;
    this.issuer = fields.issuer;
    this.subject = fields.subject;
    this.notBefore = fields.notBefore;
    this.notAfter = fields.notAfter;
    this.extensions = fields.extensions;
    this.keyId = hashOf(fields.spki);
    this.#spki = fields.spki;
  }

  /** The key, or what is wrong with it. */
  get key(): { readonly key: KeyObject | null; readonly fault: string | null } {
    this.#key ??= readKey(this.#spki);
    return this.#key;
  }

  /** It names itself as its issuer. */
  get selfIssued(): boolean {
    return this.issuer === this.subject;
  }

  /** Bits of USAGE: false where there is no key usage. */
  may(usage: number): boolean {
    const { keyUsage } = this.extensions;
    return keyUsage !== null && (keyUsage & usage) !== 0;
  }
}

interface Fields {
  readonly serial: Uint8Array;
  readonly issuer: string;
  readonly subject: string;
  readonly notBefore: EpochSeconds;
  readonly notAfter: EpochSeconds;
  readonly spki: Uint8Array;
  readonly extensions: Extensions;
}

/** The certificate, or null where the octets are not exactly one in DER. Never throws. */
export function readCertificate(der: Uint8Array): Certificate | null {
  if (der.length > LARGEST_CERTIFICATE) return null;
  const signed = readSigned(der);
  if (signed === null) return null;
  const outer = new DerReader(signed.tbs);
  const tbs = outer.enter(TAG.SEQUENCE);
  const version = readVersion(tbs);
  const serial = tbs.integer();
  // RFC 5280 §4.1.1.2: what is signed says the same algorithm.
  if (!same(tbs.raw(TAG.SEQUENCE), signed.algorithm)) tbs.fail();
  const issuer = latin(tbs.raw(TAG.SEQUENCE));
  const validity = tbs.enter(TAG.SEQUENCE);
  const notBefore = validity.time();
  const notAfter = validity.time();
  validity.finish();
  const subject = latin(tbs.raw(TAG.SEQUENCE));
  const spki = tbs.raw(TAG.SEQUENCE);
  // Unique identifiers (§4.1.2.8) are octets that nobody reads.
  tbs.maybe(0x81);
  tbs.maybe(0x82);
  const list = version === 3 ? tbs.maybe(0xa3) : null;
  const extensions = readExtensions(list);
  tbs.finish();
  outer.finish();
  if (outer.malformed) return null;
  return new Certificate(der, signed, { serial, issuer, subject, notBefore, notAfter, spki, extensions });
}

/** 1, 2 or 3; 1 is not written. */
function readVersion(tbs: DerReader): number {
  const version = tbs.maybe(0xa0);
  if (version === null) return 1;
  const number = version.small();
  version.finish();
  if (number !== 1 && number !== 2) tbs.fail();
  return number + 1;
}

function readKey(spki: Uint8Array): { key: KeyObject | null; fault: string | null } {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    // Node names the curve where OpenSSL knows the numbers again, so the octets are asked (RFC 5480 §2.1.1).
    return { key, fault: hasExplicitCurve(spki) ? EXPLICIT_CURVE : keyFault(key) };
  } catch {
    return { key: null, fault: 'its key cannot be read' };
  }
}

const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const EXPLICIT_CURVE = 'its curve is written out as explicit parameters, and not named';

function hasExplicitCurve(spki: Uint8Array): boolean {
  const algorithm = new DerReader(spki).enter(TAG.SEQUENCE).enter(TAG.SEQUENCE);
  return algorithm.oid() === EC_PUBLIC_KEY && algorithm.maybe(TAG.SEQUENCE) !== null;
}

export function hashOf(octets: Uint8Array): string {
  return hash('sha256', octets);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
