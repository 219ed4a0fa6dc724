import { type DerReader, TAG } from './der.ts';

/** What a certificate says beyond its names, dates and key, as far as it is judged (RFC 5280 §4.2). */
export interface Extensions {
  readonly ca: boolean;
  /** Intermediates that may follow, or null for any number. */
  readonly pathLength: number | null;
  /** Bit n of RFC 5280's list is 1 << n; null where the extension is not there. */
  readonly keyUsage: number | null;
  /** Dotted; null where the extension is not there. */
  readonly purposes: readonly string[] | null;
  readonly names: readonly GeneralName[];
  readonly constraints: NameConstraints | null;
  /** Key identifiers (§4.2.1.1, §4.2.1.2), one character an octet, or null: hints that save verifying signatures. */
  readonly authorityKey: string | null;
  readonly subjectKey: string | null;
  /** The first critical extension that this room does not process, dotted. */
  readonly unknownCritical: string | null;
}

export interface GeneralName {
  readonly tag: number;
  readonly octets: Uint8Array;
}

/** What a CA may vouch for (RFC 5280 §4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** Bits of a key usage (RFC 5280 §4.2.1.3). */
export const USAGE = { DIGITAL_SIGNATURE: 1, KEY_AGREEMENT: 16, KEY_CERT_SIGN: 32, CRL_SIGN: 64 } as const;

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** Tags of general names (RFC 5280 §4.2.1.6). */
export const NAME = { EMAIL: 1, DNS: 2, DIRECTORY: 4, URI: 6, IP: 7 } as const;

/** `wrapper`: the content of the certificate's `[3]`, or null where it has none. */
export function readExtensions(wrapper: DerReader | null): Extensions {
  const found = {
    ca: false,
    pathLength: null as number | null,
    keyUsage: null as number | null,
    purposes: null as readonly string[] | null,
    names: [] as readonly GeneralName[],
    constraints: null as NameConstraints | null,
    authorityKey: null as string | null,
    subjectKey: null as string | null,
    unknownCritical: null as string | null,
  };
  if (wrapper === null) return found;
  const list = wrapper.enter(TAG.SEQUENCE);
  if (list.done) list.fail();
  const seen = new Set<string>();
  while (!list.done) {
    const { oid, critical, value } = readExtension(list);
    // §4.2: an extension stands there once.
    if (seen.has(oid)) list.fail();
    seen.add(oid);
    switch (oid) {
      case '2.5.29.19':
        ({ ca: found.ca, pathLength: found.pathLength } = readBasicConstraints(value));
        break;
      case '2.5.29.15':
        found.keyUsage = readKeyUsage(value);
        break;
      case '2.5.29.37':
        found.purposes = readPurposes(value);
        break;
      case '2.5.29.17':
        found.names = readNames(value);
        break;
      case '2.5.29.30':
        found.constraints = readConstraints(value);
        break;
      case '2.5.29.14':
        found.subjectKey = latin(value.enter(TAG.OCTETS).rest());
        break;
      case '2.5.29.35':
        found.authorityKey = readAuthorityKey(value);
        break;
      default:
        // Certificate policies (§4.2.1.4) forbid nothing where no policy is asked for.
        if (critical && oid !== '2.5.29.32') found.unknownCritical ??= oid;
        value.rest();
    }
    value.finish();
    if (value.malformed) list.fail();
  }
  list.finish();
  wrapper.finish();
  return found;
}

/** One entry of Extensions (RFC 5280 §4.1); `value` reads what its OCTET STRING holds. */
export function readExtension(list: DerReader): { oid: string; critical: boolean; value: DerReader } {
  const entry = list.enter(TAG.SEQUENCE);
  const oid = entry.oid();
  const critical = entry.flag();
  const value = entry.enter(TAG.OCTETS);
  entry.finish();
  return { oid, critical, value };
}

function readBasicConstraints(value: DerReader): { ca: boolean; pathLength: number | null } {
  const content = value.enter(TAG.SEQUENCE);
  const ca = content.flag();
  const pathLength = content.done ? null : content.small();
  content.finish();
  return { ca, pathLength };
}

function readKeyUsage(value: DerReader): number {
  const [unused = 8, first = 0, second = 0, ...more] = value.enter(TAG.BITS).rest();
  // X.690 §11.2.1: bits behind the last one are 0, so that nobody reads them as others do.
  const last = value.octets[value.end - 1]!;
  if (unused > 7 || more.length > 0 || (last & ((1 << unused) - 1)) !== 0) value.fail();
  let usage = 0;
  for (let bit = 0; bit < 9; bit++) {
    const octet = bit < 8 ? first : second;
    if ((octet & (0x80 >>> (bit & 7))) !== 0) usage |= 1 << bit;
  }
  return usage;
}

/** The key identifier; issuer and serial number, which may follow, are not needed. */
function readAuthorityKey(value: DerReader): string | null {
  const body = value.enter(TAG.SEQUENCE);
  const key = body.maybe(0x80)?.rest() ?? null;
  body.rest();
  return key === null ? null : latin(key);
}

function readPurposes(value: DerReader): string[] {
  const list = value.enter(TAG.SEQUENCE);
  if (list.done) list.fail();
  const purposes: string[] = [];
  while (!list.done) purposes.push(list.oid());
  list.finish();
  return purposes;
}

function readNames(value: DerReader): GeneralName[] {
  const list = value.enter(TAG.SEQUENCE);
  if (list.done) list.fail();
  const names: GeneralName[] = [];
  while (!list.done) {
    const { tag } = list;
    if ((tag & 0xc0) !== 0x80 || (tag & 0x1f) > 8) list.fail();
    names.push({ tag: tag & 0x1f, octets: list.any().rest() });
  }
  list.finish();
  return names;
}

function readConstraints(value: DerReader): NameConstraints {
  const body = value.enter(TAG.SEQUENCE);
  if (body.done) body.fail();
  const permitted = readSubtrees(body.maybe(0xa0));
  const excluded = readSubtrees(body.maybe(0xa1));
  body.finish();
  return { permitted, excluded };
}

/** Subtrees whose minimum is not 0, or that have a maximum, are malformed: RFC 5280 has none. */
function readSubtrees(list: DerReader | null): GeneralName[] {
  if (list === null) return [];
  const bases: GeneralName[] = [];
  while (!list.done) {
    const subtree = list.enter(TAG.SEQUENCE);
    bases.push({ tag: subtree.tag & 0x1f, octets: subtree.any().rest() });
    subtree.finish();
  }
  list.finish();
  return bases;
}

/** One character an octet. */
export function latin(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}
