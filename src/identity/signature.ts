import { constants, type KeyObject, verify } from 'node:crypto';
import { DerReader, TAG } from './der.ts';

/** SIGNED (RFC 5280 §4.1.1, §5.1.1): what was signed, how, and the signature. */
export interface Signed {
  readonly tbs: Uint8Array;
  /** The AlgorithmIdentifier's DER. */
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

/** Null where the octets are not exactly this in DER. What is in `tbs` was not looked at. */
export function readSigned(der: Uint8Array): Signed | null {
  const outer = new DerReader(der);
  const body = outer.enter(TAG.SEQUENCE);
  const tbs = body.raw(TAG.SEQUENCE);
  const algorithm = body.raw(TAG.SEQUENCE);
  const signature = body.bits();
  body.finish();
  outer.finish();
  return outer.malformed ? null : { tbs, algorithm, signature };
}

/** Why the signature does not count, or null where it is this key's and strong. Never throws. */
export function signatureFault({ tbs, algorithm, signature }: Signed, key: KeyObject): string | null {
  const how = readAlgorithm(algorithm);
  if (typeof how === 'string') return how;
  if (key.asymmetricKeyType !== how.type) return 'the signature is of another kind than the key';
  try {
    const pss = how.saltLength === null ? {} : { padding: PSS, saltLength: how.saltLength };
    return verify(how.hash, tbs, { key, ...pss }, signature) ? null : 'the signature does not verify';
  } catch {
    return 'the signature does not verify';
  }
}

/** Why this kind of signature does not count, or null. `algorithm`: the AlgorithmIdentifier's DER. */
export function algorithmFault(algorithm: Uint8Array): string | null {
  const how = readAlgorithm(algorithm);
  return typeof how === 'string' ? how : null;
}

/** Why a key is too weak to be trusted, or of a kind that is not taken; else null. */
export function keyFault(key: KeyObject): string | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') {
    const size = details?.modulusLength ?? 0;
    if (size > LARGEST_RSA) return `its RSA key has ${size} bits, more than ${LARGEST_RSA}`;
    return size >= SMALLEST_RSA ? null : `its RSA key has ${size} bits, fewer than ${SMALLEST_RSA}`;
  }
  if (type === 'ec')
    return CURVES.has(details?.namedCurve ?? '') ? null : `its curve ${details?.namedCurve} is not taken`;
  return type === 'ed25519' || type === 'ed448' ? null : `a key of type ${type} is not taken`;
}

const PSS = constants.RSA_PKCS1_PSS_PADDING;

const SMALLEST_RSA = 2048;
/** What verifying costs grows with the square. */
const LARGEST_RSA = 8192;

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

interface Algorithm {
  readonly type: 'rsa' | 'ec' | 'ed25519' | 'ed448';
  /** Null where the algorithm has its own. */
  readonly hash: string | null;
  /** RSASSA-PSS alone. */
  readonly saltLength: number | null;
}

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['1.2.840.113549.1.1.11', { type: 'rsa', hash: 'sha256', saltLength: null }],
  ['1.2.840.113549.1.1.12', { type: 'rsa', hash: 'sha384', saltLength: null }],
  ['1.2.840.113549.1.1.13', { type: 'rsa', hash: 'sha512', saltLength: null }],
  ['1.2.840.10045.4.3.2', { type: 'ec', hash: 'sha256', saltLength: null }],
  ['1.2.840.10045.4.3.3', { type: 'ec', hash: 'sha384', saltLength: null }],
  ['1.2.840.10045.4.3.4', { type: 'ec', hash: 'sha512', saltLength: null }],
  ['1.3.101.112', { type: 'ed25519', hash: null, saltLength: null }],
  ['1.3.101.113', { type: 'ed448', hash: null, saltLength: null }],
]);

const RSASSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';

const HASHES: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
]);

/** With RSA, DSA and ECDSA. */
const WEAK: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.2', 'MD2'],
  ['1.2.840.113549.1.1.3', 'MD4'],
  ['1.2.840.113549.1.1.4', 'MD5'],
  ['1.2.840.113549.1.1.5', 'SHA-1'],
  ['1.3.14.3.2.29', 'SHA-1'],
  ['1.2.840.10040.4.3', 'SHA-1'],
  ['1.2.840.10045.4.1', 'SHA-1'],
]);

function readAlgorithm(der: Uint8Array): Algorithm | string {
  const outer = new DerReader(der);
  const body = outer.enter(TAG.SEQUENCE);
  const oid = body.oid();
  const weak = WEAK.get(oid);
  if (weak !== undefined) return `the signature uses ${weak}, which is weak`;
  if (oid === RSASSA_PSS) return readPss(body) ?? 'the signature has parameters that are not taken';
  // RFC 4055 §5: NULL, which some leave out.
  body.maybe(TAG.NULL)?.finish();
  body.finish();
  const known = ALGORITHMS.get(oid);
  return known === undefined || outer.malformed ? `signature algorithm ${oid} is not taken` : known;
}

/** RFC 4055 §3.1: the hash, MGF1 with the same hash, the length of the salt. Defaults mean SHA-1, which is not taken. */
function readPss(body: DerReader): Algorithm | null {
  const parameters = body.enter(TAG.SEQUENCE);
  const hash = HASHES.get(readHash(parameters.maybe(0xa0)));
  const mask = parameters.maybe(0xa1)?.enter(TAG.SEQUENCE) ?? null;
  const masked = mask?.oid() === MGF1 ? HASHES.get(readHash(mask)) : undefined;
  const saltLength = parameters.maybe(0xa2)?.small() ?? 20;
  parameters.finish();
  body.finish();
  if (body.malformed || hash === undefined || masked !== hash) return null;
  return { type: 'rsa', hash, saltLength };
}

function readHash(holder: DerReader | null): string {
  if (holder === null) return '';
  const inner = holder.enter(TAG.SEQUENCE);
  const oid = inner.oid();
  inner.maybe(TAG.NULL)?.finish();
  inner.finish();
  holder.finish();
  return oid;
}
