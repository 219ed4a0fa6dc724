import type { EpochSeconds } from '../wire/quantity.ts';
import type { Certificate } from './certificate.ts';
import { readCertificate } from './certificate.ts';
import { dnsNamesOf, purposeFault, RULES, ruleBroken } from './client-certificate.ts';
import { latin, NAME } from './extensions.ts';
import { nameText } from './name-text.ts';
import { readPem } from './pem.ts';

/** What a certificate says, for people: nothing here is verified. */
export interface CertificateFacts {
  /** 64 lower case digits. */
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** Seconds since 1970. */
  readonly notBefore: EpochSeconds;
  readonly notAfter: EpochSeconds;
  /** URI names as they stand there, what is not printable ASCII as `?`. */
  readonly uris: readonly string[];
  /** Host names in lower case, without wildcards. */
  readonly dnsNames: readonly string[];
  /** Why it is no client's certificate, or which rule it breaks; null for a good one. */
  readonly fault: string | null;
}

/** The first certificate of a PEM text or of DER, or null where there is none. Never throws. */
export function readFirst(octets: Uint8Array): Certificate | null {
  const whole = readCertificate(octets);
  if (whole !== null) return whole;
  const block = readPem(latin(octets)).find(({ label }) => label.endsWith('CERTIFICATE'));
  return block?.der == null ? null : readCertificate(block.der);
}

/** Every certificate of a PEM text, the leaf first, as `ClientTrust.judge` takes them; DER is one. */
export function readChain(octets: Uint8Array): Uint8Array[] {
  if (readCertificate(octets) !== null) return [octets];
  return readPem(latin(octets)).flatMap(({ label, der }) =>
    label.endsWith('CERTIFICATE') && der !== null ? [der] : [],
  );
}

export function factsOf(certificate: Certificate): CertificateFacts {
  const { sha256, subject, issuer, serial, notBefore, notAfter, extensions } = certificate;
  const rule = ruleBroken(certificate);
  return {
    sha256,
    subject: nameText(subject),
    issuer: nameText(issuer),
    serial: Buffer.from(serial).toString('hex'),
    notBefore,
    notAfter,
    uris: extensions.names
      .filter(({ tag }) => tag === NAME.URI)
      .map(({ octets }) => latin(octets).replace(/[^\x20-\x7e]/g, '?')),
    dnsNames: dnsNamesOf(certificate),
    fault: purposeFault(certificate) ?? (rule === null ? null : RULES[rule]),
  };
}
