import { X509Certificate } from 'node:crypto';
import { error, isError, type Problem, warning } from '../policy/problem.ts';
import type { PemFile, TlsSetting } from '../settings/settings.ts';
import type { EpochSeconds } from '../wire/quantity.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { USAGE } from './extensions.ts';
import { nameText } from './name-text.ts';
import { readPem } from './pem.ts';

/** The place of `client_ca` among the vouchers; the others are trust domains, which are never empty. */
export const CLIENT_CA = '';

/** A CA of `client_ca` or of a trust domain's bundle. */
export interface Authority {
  readonly certificate: Certificate;
  /** For whom a path may end here: CLIENT_CA, or names of trust domains. Empty: it only leads on to another CA. */
  readonly vouchesFor: ReadonlySet<string>;
}

/**
 * The CAs of all files. A certificate ends paths where it names itself as its issuer, or where its issuer is not in the same
 * file; else it stands there to complete chains, and its own issuer vouches for it.
 */
export class Authorities {
  readonly all: readonly Authority[];
  readonly #bySubject = new Map<string, Authority[]>();

  constructor(all: readonly Authority[]) {
    this.all = all;
    for (const authority of all) {
      const { subject } = authority.certificate;
      this.#bySubject.set(subject, [...(this.#bySubject.get(subject) ?? []), authority]);
    }
  }

  /** Those with this subject (a Name's DER). */
  named(subject: string): readonly Authority[] {
    return this.#bySubject.get(subject) ?? [];
  }
}

/** Reads `client_ca` and the bundles. `epoch`: seconds since 1970. */
export function readAuthorities(tls: TlsSetting, epoch: EpochSeconds, problems: Problem[]): Authorities {
  const found = new Map<string, Found>();
  const files = tls.trustDomains.map(({ name, bundle }) => ({ name, file: bundle }));
  if (tls.clientCa !== null) files.unshift({ name: CLIENT_CA, file: tls.clientCa });
  for (const { name, file } of files) {
    const ours = readFile(file, epoch, problems);
    const subjects = new Set(ours.map(({ certificate }) => certificate.subject));
    for (const { certificate, place } of ours) {
      const known = found.get(certificate.sha256) ?? { certificate, place, vouchesFor: new Set<string>() };
      if (certificate.selfIssued || !subjects.has(certificate.issuer)) known.vouchesFor.add(name);
      found.set(certificate.sha256, known);
    }
  }
  const authorities = new Authorities([...found.values()]);
  for (const { certificate, place } of found.values()) {
    if (certificate.selfIssued || authorities.named(certificate.issuer).length > 0) continue;
    const message = `its issuer ${nameText(certificate.issuer)} is in no file of this listener, and OpenSSL refuses what it vouches for`;
    problems.push(
      warning('trust-unused', place, message, 'add the certificates above it, up to one that names itself'),
    );
  }
  warnOfNames([...found.values()], problems);
  return authorities;
}

/** OpenSSL goes by name where a certificate has no key identifier of its issuer, and takes one CA of that name. */
function warnOfNames(found: readonly Found[], problems: Problem[]): void {
  const keys = new Map<string, Found>();
  for (const each of found) {
    const { certificate, place } = each;
    const other = keys.get(certificate.subject);
    if (other === undefined) keys.set(certificate.subject, each);
    if (other === undefined || other.certificate.keyId === certificate.keyId) continue;
    const { file, line } = other.place;
    const message = `${nameText(certificate.subject)} is the name of another CA too (${file}:${line}), with another key: a client certificate without authorityKeyIdentifier may be refused`;
    const fix =
      'have both CAs write authorityKeyIdentifier into what they issue, or take out the one that is not used';
    problems.push(warning('trust-name', place, message, fix));
  }
}

interface Found extends Authority {
  readonly place: Problem['at'];
  readonly vouchesFor: Set<string>;
}

function readFile(file: PemFile, epoch: EpochSeconds, problems: Problem[]): Omit<Found, 'vouchesFor'>[] {
  const before = problems.length;
  const read = isJson(file.text) ? readJwks(file, problems) : readCertificates(file, problems);
  const certificates = read.flatMap((entry) => {
    const certificate = usable(entry, file, epoch, problems);
    return certificate === null ? [] : [{ certificate, place: at(file, entry.line) }];
  });
  if (certificates.length === 0 && !problems.slice(before).some(isError)) {
    const fix = 'write the certificate of a CA: nobody is trusted without';
    problems.push(error('trust-empty', at(file), 'it holds no CA certificate', fix));
  }
  return certificates;
}

interface Entry {
  readonly der: Uint8Array;
  readonly line: number;
}

function readCertificates(file: PemFile, problems: Problem[]): Entry[] {
  return readPem(file.text).flatMap(({ label, der, line }) => {
    if (label !== 'CERTIFICATE' && label !== 'X509 CERTIFICATE') return [];
    if (der !== null && isCertificate(der)) return [{ der, line }];
    problems.push(
      error('trust-certificate', at(file, line), 'this certificate cannot be read', 'write it whole, in PEM'),
    );
    return [];
  });
}

/** A SPIFFE bundle (SPIFFE Trust Domain and Bundle §4): keys with `use: x509-svid` hold one CA each. */
function readJwks(file: PemFile, problems: Problem[]): Entry[] {
  const refuse = (message: string): Entry[] => {
    problems.push(
      error(
        'trust-bundle',
        at(file),
        message,
        'write a SPIFFE bundle: {"keys": [{"use": "x509-svid", "x5c": […]}]}',
      ),
    );
    return [];
  };
  let bundle: unknown;
  try {
    bundle = JSON.parse(file.text);
  } catch {
    return refuse('the bundle is not JSON');
  }
  const keys = member(bundle, 'keys');
  if (!Array.isArray(keys)) return refuse('the bundle has no keys');
  return keys.flatMap((key: unknown): Entry[] => {
    if (member(key, 'use') !== 'x509-svid') return [];
    const chain = member(key, 'x5c');
    const text = Array.isArray(chain) && chain.length === 1 ? (chain[0] as unknown) : null;
    if (typeof text !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
      return refuse('x5c of a key is not one certificate');
    const der = Buffer.from(text, 'base64');
    return isCertificate(der) ? [{ der, line: 1 }] : refuse('the certificate in x5c of a key cannot be read');
  });
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function isJson(text: string): boolean {
  return text.trimStart().startsWith('{');
}

/** The CA, or null with a warning: what nothing can be verified with does no harm beside others. */
function usable(entry: Entry, file: PemFile, epoch: EpochSeconds, problems: Problem[]): Certificate | null {
  const refuse = (message: string, fix: string): null => {
    problems.push(warning('trust-unused', at(file, entry.line), message, fix));
    return null;
  };
  const certificate = readCertificate(entry.der);
  if (certificate === null)
    return refuse('this certificate is not in DER, and vouches for nobody', 'ask its CA for a better one');
  const { ca, keyUsage } = certificate.extensions;
  if (!ca || (keyUsage !== null && (keyUsage & USAGE.KEY_CERT_SIGN) === 0))
    return refuse(
      'this certificate is not that of a CA, and vouches for nobody',
      'write the certificate of its issuer',
    );
  const { fault } = certificate.key;
  if (fault !== null) return refuse(`this CA vouches for nobody: ${fault}`, 'write a CA with a stronger key');
  if (epoch >= certificate.notAfter) {
    problems.push(
      warning(
        'trust-unused',
        at(file, entry.line),
        `this CA has ended on ${dateOf(certificate.notAfter)}`,
        'write the one that followed it',
      ),
    );
  }
  return certificate;
}

/** What OpenSSL reads too: the listener hands it on. */
function isCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).raw.length === der.length;
  } catch {
    return false;
  }
}

export function at(file: PemFile, line = 1): Problem['at'] {
  return { file: file.path, line, column: 1 };
}

/** `2026-12-31T00:00:00Z`. */
export function dateOf(epoch: EpochSeconds): string {
  return new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
}
