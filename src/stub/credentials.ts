import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { FileReader } from '../config/files/files.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';

/** Paths of PEM files. */
export interface CredentialFiles {
  /** The client's certificate first, intermediates behind it. */
  readonly cert: string;
  readonly key: string;
  /** The CAs that the server's certificate must chain to; no other is trusted. */
  readonly ca: string;
}

/** A certificate with its key and the CAs, that fit together. */
export interface StubCredentials {
  /** TLS 1.2 or later (RFC 9325 §3.1.1). */
  readonly context: SecureContext;
  /** SHA-256 of the DER, in lower case digits. */
  readonly fingerprint: string;
  /** As the certificate prints it, for people. */
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notBefore: EpochMilliseconds;
  readonly notAfter: EpochMilliseconds;
  /** What namegate will not accept, though TLS does: texts for the log. */
  readonly doubts: readonly string[];
}

/** Why the files cannot be used. */
export interface CredentialFault {
  readonly file: string;
  readonly message: string;
  readonly fix: string;
}

/** One reading of the files, with what a `FileWatch` compares. */
export interface CredentialReading {
  readonly result: StubCredentials | CredentialFault;
  readonly hash: string;
  readonly files: readonly string[];
}

export function isFault(result: StubCredentials | CredentialFault): result is CredentialFault {
  return 'fix' in result;
}

/** Reads the files and holds them against each other: a certificate of one moment with a key of another is a fault. */
export function readCredentials(files: CredentialFiles): CredentialReading {
  const reader = new FileReader();
  const texts = {
    cert: readPem(reader, files.cert),
    key: readPem(reader, files.key),
    ca: readPem(reader, files.ca),
  };
  return { result: combine(files, texts), hash: reader.hash(), files: reader.files };
}

type Text = string | CredentialFault;

function combine(
  files: CredentialFiles,
  texts: { readonly cert: Text; readonly key: Text; readonly ca: Text },
): StubCredentials | CredentialFault {
  const { cert, key, ca } = texts;
  if (typeof cert !== 'string') return cert;
  if (typeof key !== 'string') return key;
  if (typeof ca !== 'string') return ca;
  const chain = readCertificates(files.cert, cert);
  if ('fix' in chain) return chain;
  const secret = readKey(files.key, key);
  if ('fix' in secret) return secret;
  const authorities = readCertificates(files.ca, ca);
  if ('fix' in authorities) return authorities;
  const [leaf] = chain as [X509Certificate];
  if (!leaf.checkPrivateKey(secret)) return mismatch(files, chain, secret);
  try {
    return {
      context: createSecureContext({ cert, key, ca, minVersion: 'TLSv1.2' }),
      fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
      subject: leaf.subjectAltName ?? leaf.subject ?? '',
      notBefore: leaf.validFromDate.getTime(),
      notAfter: leaf.validToDate.getTime(),
      doubts: doubtsOf(leaf),
    };
  } catch (error) {
    return {
      file: files.cert,
      message: `TLS does not take it with its key and the CAs: ${(error as Error).message}`,
      fix: 'issue the certificate anew, with a key of 2048 bits RSA or P-256 at least',
    };
  }
}

function readPem(reader: FileReader, path: string): Text {
  const seen = reader.see(path);
  switch (seen.kind) {
    case 'file':
      return seen.bytes.toString('latin1');
    case 'fault': {
      const gone = seen.code === 'ENOENT' || seen.code === 'ENOTDIR';
      return {
        file: path,
        message: gone ? 'is not there' : `cannot be read (${seen.code})`,
        fix: gone
          ? 'create it, or correct the path'
          : 'let the user that runs the stub read it, and enter its folders',
      };
    }
    default:
      return { file: path, message: 'is no regular file of PEM text', fix: 'name a PEM file' };
  }
}

const BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const WHOLE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** At least one certificate; a file that was cut in the middle of one is a fault. */
function readCertificates(file: string, text: string): readonly X509Certificate[] | CredentialFault {
  const blocks = text.match(WHOLE) ?? [];
  const begun = text.match(BEGIN)?.length ?? 0;
  if (begun === 0) {
    const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
    const message = key ? 'holds a private key and no certificate' : 'holds no certificate';
    return { file, message, fix: 'write PEM text: -----BEGIN CERTIFICATE----- and so on' };
  }
  if (blocks.length !== begun) {
    return { file, message: 'ends in the middle of a certificate', fix: 'write the file whole' };
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    return {
      file,
      message: `holds a certificate that cannot be read: ${(error as Error).message}`,
      fix: 'write the certificate as PEM text again',
    };
  }
}

function readKey(file: string, text: string): KeyObject | CredentialFault {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    return {
      file,
      message: 'holds no private key',
      fix: 'write PEM text: -----BEGIN PRIVATE KEY----- and so on',
    };
  }
  // RFC 5958, and the older form of RFC 1421.
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED/m.test(text)) {
    return {
      file,
      message: 'is encrypted, and nobody is there to type a passphrase',
      fix: 'write the key without one: openssl pkey -in FILE -out FILE',
    };
  }
  try {
    return createPrivateKey(text);
  } catch {
    return {
      file,
      message: 'holds a private key that cannot be read',
      fix: 'write the key as PEM text again',
    };
  }
}

function mismatch(
  files: CredentialFiles,
  chain: readonly X509Certificate[],
  key: KeyObject,
): CredentialFault {
  const behind = chain.some((certificate) => certificate.checkPrivateKey(key));
  return {
    file: files.key,
    message: `is not the key of the ${chain.length > 1 ? 'first ' : ''}certificate in ${files.cert}`,
    fix: behind
      ? `put the client's own certificate first in ${files.cert}`
      : 'give a certificate and its own key',
  };
}

/** https://oidref.com/1.3.6.1.5.5.7.3.2, and anyExtendedKeyUsage. */
const CLIENT_USAGES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

function doubtsOf(leaf: X509Certificate): string[] {
  const doubts: string[] = [];
  if (leaf.ca) doubts.push('the certificate is that of a CA');
  // Node's `keyUsage` is the extended one.
  const usages: readonly string[] | undefined = leaf.keyUsage;
  if (usages !== undefined && !usages.some((usage) => CLIENT_USAGES.includes(usage)))
    doubts.push('the certificate has an extended key usage without clientAuth');
  return doubts;
}
