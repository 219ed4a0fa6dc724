import type { ShownCertificate } from '../resolve/client/credential.ts';
import type { EpochSeconds } from '../wire/quantity.ts';
import { type Certificate, hashOf, readCertificate } from './certificate.ts';
import { nameText } from './name-text.ts';
import { algorithmFault } from './signature.ts';

/** Hexadecimal digits of a serial number that are shown: RFC 5280 §4.1.2.2 allows 40. */
const LONGEST_SERIAL = 64;

/** What a certificate that is refused says of itself. Each text was its maker's choice, so all are bounded and escaped. */
export function describeShown(der: Uint8Array): ShownCertificate {
  const certificate = readCertificate(der);
  if (certificate === null) {
    const weakness = 'it is not in DER, or longer than 32 KiB';
    return { sha256: hashOf(der), subject: '', issuer: '', serial: '', ends: '', weakness };
  }
  const serial = Buffer.from(certificate.serial).toString('hex');
  return {
    sha256: certificate.sha256,
    subject: nameText(certificate.subject),
    issuer: nameText(certificate.issuer),
    serial: serial.length > LONGEST_SERIAL ? `${serial.slice(0, LONGEST_SERIAL - 1)}…` : serial,
    ends: timeText(certificate.notAfter),
    weakness: weaknessOf(certificate),
  };
}

function weaknessOf({ signed, key }: Certificate): string | null {
  return algorithmFault(signed.algorithm) ?? key.fault;
}

function timeText(seconds: EpochSeconds): string {
  return Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString() : '';
}
