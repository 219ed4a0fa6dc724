import { LRUCache } from 'lru-cache';
import { type Certificate, hashOf, LARGEST_CERTIFICATE, readCertificate } from './certificate.ts';
import { signatureFault } from './signature.ts';

/**
 * What never changes of certificates, kept so that a handshake that was seen before costs hashes alone: what they say, and
 * which key signed them. It knows nothing of trust or time, so reloads and listeners share one.
 */
export class CertificateMemo {
  /** By the hash of the DER; 16 MiB of it. */
  readonly #read = new LRUCache<string, Certificate>({
    maxSize: 16 << 20,
    sizeCalculation: ({ der }) => der.length + 2048,
  });
  /** By the hashes of certificate and key. The empty text: it is this key's. Its room takes 15 ms to make, so not at the start. */
  #signed: LRUCache<string, string> | null = null;

  /** Null where it is no certificate in DER. Never throws. */
  read(der: Uint8Array): Certificate | null {
    if (der.length > LARGEST_CERTIFICATE) return null;
    const hash = hashOf(der);
    const known = this.#read.get(hash);
    if (known !== undefined) return known;
    // A copy: the listener's octets may be part of a larger buffer, or be written again.
    const certificate = readCertificate(Uint8Array.from(der));
    if (certificate !== null) this.#read.set(hash, certificate);
    return certificate;
  }

  /** Why `issuer`'s key did not sign it, or null. `budget.left` falls by one for each signature that is verified. */
  signatureFault(certificate: Certificate, issuer: Certificate, budget: { left: number }): string | null {
    const id = `${certificate.sha256}${issuer.keyId}`;
    this.#signed ??= new LRUCache({ max: 32_768 });
    let fault = this.#signed.get(id);
    if (fault === undefined) {
      const { key } = issuer.key;
      if (budget.left-- <= 0) return 'too many signatures would have to be verified';
      fault =
        key === null
          ? 'the key of its issuer cannot be read'
          : (signatureFault(certificate.signed, key) ?? '');
      this.#signed.set(id, fault);
    }
    return fault === '' ? null : fault;
  }
}
