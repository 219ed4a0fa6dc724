import type { Certificate } from './certificate.ts';
import { readCertificate } from './certificate.ts';
import { latin } from './extensions.ts';
import { readPem } from './pem.ts';

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
