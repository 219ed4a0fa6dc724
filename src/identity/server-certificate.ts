import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { error, type Problem, warning } from '../policy/problem.ts';
import type { PemFile, TlsSetting } from '../settings/settings.ts';
import { type EpochSeconds, type Seconds, unreachable } from '../wire/quantity.ts';
import { at, dateOf } from './authorities.ts';
import { readCertificate } from './certificate.ts';
import { SERVER_AUTH } from './extensions.ts';
import { nameText } from './name-text.ts';
import { readPem } from './pem.ts';

/** What is wrong with the certificate and key that a listener shows. `epoch`: seconds since 1970. */
export function checkServer({ certificate, key }: TlsSetting, epoch: EpochSeconds): Problem[] {
  const problems: Problem[] = [];
  const leaf = readLeaf(certificate, problems);
  const secret = readSecret(key, problems);
  if (leaf === null) return problems;
  checkDates(certificate, epoch, problems);
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

/** Days before its end at which a certificate is told of. */
const NEAR_DAYS = 14;
const DAY: Seconds = 86_400;

/** One certificate of the chain that a listener shows. */
export interface ShownDates {
  /** For people. */
  readonly subject: string;
  /** Of its first line in the file, from 1. */
  readonly line: number;
  /** Seconds since 1970. */
  readonly notBefore: EpochSeconds;
  readonly notAfter: EpochSeconds;
}

export type DatesState = 'good' | 'early' | 'near' | 'last-day' | 'ended';

/** All that a listener shows: where one of them has ended, clients refuse the chain. What cannot be read is left out. */
export function shownDates({ text }: PemFile): ShownDates[] {
  return readPem(text).flatMap(({ label, der, line }) => {
    const read = label.endsWith('CERTIFICATE') && der !== null ? readCertificate(der) : null;
    if (read === null) return [];
    return { subject: nameText(read.subject), line, notBefore: read.notBefore, notAfter: read.notAfter };
  });
}

/** `near`: 14 days are left or fewer. What lives for less than a day is renewed by a machine: there it is a quarter of its life. */
export function datesState({ notBefore, notAfter }: ShownDates, epoch: EpochSeconds): DatesState {
  const left = notAfter - epoch;
  if (left <= 0) return 'ended';
  if (epoch < notBefore) return 'early';
  const life = notAfter - notBefore;
  if (life < DAY) return left < life / 4 ? 'near' : 'good';
  if (left <= DAY) return 'last-day';
  return left <= NEAR_DAYS * DAY ? 'near' : 'good';
}

function checkDates(file: PemFile, epoch: EpochSeconds, problems: Problem[]): void {
  for (const dates of shownDates(file)) {
    const { subject, line, notBefore, notAfter } = dates;
    const tell = (code: string, message: string, fix: string): void => {
      problems.push(warning(code, at(file, line), `${subject}: ${message}`, fix));
    };
    const state = datesState(dates, epoch);
    switch (state) {
      case 'ended':
        tell('tls-dates', `it has ended on ${dateOf(notAfter)}: clients will refuse it`, 'renew it');
        break;
      case 'early':
        tell('tls-dates', `it is not valid before ${dateOf(notBefore)}`, 'look at the clocks');
        break;
      case 'near':
      case 'last-day':
        tell(
          'tls-ending',
          `it ends on ${dateOf(notAfter)}, in ${timeLeft(notAfter - epoch)}`,
          'renew it: namegate takes the new file without a restart',
        );
        break;
      case 'good':
        break;
      default:
        unreachable(state);
    }
  }
}

function timeLeft(seconds: Seconds): string {
  if (seconds >= 2 * DAY) return `${Math.floor(seconds / DAY)} days`;
  return seconds >= 7_200 ? `${Math.floor(seconds / 3_600)} h` : `${Math.ceil(seconds / 60)} min`;
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
