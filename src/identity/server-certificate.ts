import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { error, type Problem, warning } from '../policy/problem.ts';
import type { PemFile, TlsSetting } from '../settings/settings.ts';
import { at, dateOf } from './authorities.ts';
import { SERVER_AUTH } from './extensions.ts';
import { readPem } from './pem.ts';

/** What is wrong with the certificate and key that a listener shows. `epoch`: seconds since 1970. */
export function checkServer({ certificate, key }: TlsSetting, epoch: number): Problem[] {
  const problems: Problem[] = [];
  const leaf = readLeaf(certificate, problems);
  const secret = readSecret(key, problems);
  if (leaf === null) return problems;
  checkDates(leaf, certificate, epoch, problems);
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.includes(SERVER_AUTH)) {
    const message = 'its extended key usage lacks serverAuth: clients will refuse it';
    problems.push(
      warning('tls-certificate', at(certificate), message, 'ask its CA for one for a TLS server'),
    );
  }
  if (secret === null) return problems;
  if (!leaf.checkPrivateKey(secret)) {
    const message = `it is not the key of the first certificate in ${certificate.path}`;
    problems.push(error('tls-key', at(key), message, 'write the key that belongs to it, or the leaf first'));
  } else {
    checkUse(certificate, key, problems);
  }
  return problems;
}

/** The first certificate. All of them have to be readable. */
function readLeaf(file: PemFile, problems: Problem[]): X509Certificate | null {
  const blocks = readPem(file.text).filter(({ label }) => label.endsWith('CERTIFICATE'));
  const read = blocks.map(({ der, line }) => {
    try {
      if (der !== null) return new X509Certificate(der);
    } catch {
      // Said below.
    }
    problems.push(
      error('tls-certificate', at(file, line), 'this certificate cannot be read', 'write it whole, in PEM'),
    );
    return null;
  });
  if (read.length === 0) {
    const fix = 'write PEM: -----BEGIN CERTIFICATE----- and so on, the leaf first';
    problems.push(error('tls-certificate', at(file), 'it holds no certificate', fix));
  }
  return read.includes(null) ? null : (read[0] ?? null);
}

function readSecret(file: PemFile, problems: Problem[]): KeyObject | null {
  const block = readPem(file.text).find(({ label }) => label.endsWith('PRIVATE KEY'));
  const refuse = (message: string, fix: string): null => {
    problems.push(error('tls-key', at(file, block?.line), message, fix));
    return null;
  };
  if (block === undefined)
    return refuse('it holds no private key', 'write PEM: -----BEGIN PRIVATE KEY----- and so on');
  if (block.label === 'ENCRYPTED PRIVATE KEY' || file.text.includes('Proc-Type: 4,ENCRYPTED'))
    return refuse(
      'the private key is encrypted',
      'write it without a passphrase, in a file of mode 0600 (openssl pkey)',
    );
  try {
    return createPrivateKey(file.text);
  } catch {
    return refuse('the private key cannot be read', 'write it whole, in PEM');
  }
}

function checkDates(leaf: X509Certificate, file: PemFile, epoch: number, problems: Problem[]): void {
  const from = leaf.validFromDate.getTime() / 1000;
  const to = leaf.validToDate.getTime() / 1000;
  if (epoch < from)
    problems.push(
      warning('tls-dates', at(file), `it is not valid before ${dateOf(from)}`, 'look at the clocks'),
    );
  if (epoch >= to)
    problems.push(
      warning('tls-dates', at(file), `it has ended on ${dateOf(to)}: clients will refuse it`, 'renew it'),
    );
}

/** OpenSSL has rules of its own (small keys, weak hashes): it is asked before the listener is. */
function checkUse(certificate: PemFile, key: PemFile, problems: Problem[]): void {
  try {
    createSecureContext({ cert: certificate.text, key: key.text });
  } catch (fault) {
    const reason = fault instanceof Error ? fault.message : String(fault);
    const message = `OpenSSL does not take it: ${reason}`;
    problems.push(
      error('tls-certificate', at(certificate), message, 'use a key of 2048 bits or P-256, and SHA-256'),
    );
  }
}
