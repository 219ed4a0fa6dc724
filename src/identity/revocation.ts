import { error, type Problem, warning } from '../policy/problem.ts';
import type { PemFile, TlsSetting } from '../settings/settings.ts';
import type { EpochSeconds } from '../wire/quantity.ts';
import { type Authorities, at, CLIENT_CA, dateOf } from './authorities.ts';
import type { Certificate } from './certificate.ts';
import { type Crl, readCrl } from './crl.ts';
import { USAGE } from './extensions.ts';
import { nameText } from './name-text.ts';
import { readPem } from './pem.ts';

/** A CRL in force, for the log and for what counts them. */
export interface CrlState {
  /** The issuer's name as text: `CN=clients, O=Example`. */
  readonly issuer: string;
  /** Seconds since 1970. */
  readonly thisUpdate: EpochSeconds;
  readonly nextUpdate: EpochSeconds;
  /** Entries. */
  readonly revoked: number;
  /** `near`: a quarter of its life is left, or a day where that is less. `early`: it has not begun. */
  readonly state: 'good' | 'near' | 'ended' | 'early';
}

/** What CRLs say of one link of a path. `until`: seconds since 1970 at which they have to be asked again. */
export type RevocationStanding =
  | { readonly kind: 'good'; readonly until: EpochSeconds }
  | { readonly kind: 'unlisted' }
  | { readonly kind: 'refused'; readonly rule: 'revoked' | 'crl'; readonly message: string };

/** The CRLs of a listener, each verified with the CA that issued it. */
export class Revocation {
  /** Whether what a CA under `client_ca` has issued needs a CRL. */
  readonly required: boolean;
  readonly #acceptEnded: boolean;
  /** By subject and key of the CA. */
  readonly #crls: ReadonlyMap<string, Crl>;

  constructor(crls: ReadonlyMap<string, Crl>, required: boolean, acceptEnded: boolean) {
    this.#crls = crls;
    this.required = required;
    this.#acceptEnded = acceptEnded;
  }

  standing(certificate: Certificate, issuer: Certificate, epoch: EpochSeconds): RevocationStanding {
    const crl = this.#crls.get(keyOf(issuer));
    if (crl === undefined) return { kind: 'unlisted' };
    // What is revoked stays so, however old the list is that says it.
    if (crl.revokes(certificate)) return refused('revoked', 'it is revoked');
    if (epoch < crl.thisUpdate)
      return refused('crl', `the CRL of its issuer begins on ${dateOf(crl.thisUpdate)}`);
    if (this.#acceptEnded) return { kind: 'good', until: Number.POSITIVE_INFINITY };
    if (epoch >= crl.nextUpdate)
      return refused('crl', `the CRL of its issuer has ended on ${dateOf(crl.nextUpdate)}`);
    return { kind: 'good', until: crl.nextUpdate };
  }

  has(issuer: Certificate): boolean {
    return this.#crls.has(keyOf(issuer));
  }

  states(epoch: EpochSeconds): CrlState[] {
    return [...this.#crls.values()].map((crl) => {
      const { thisUpdate, nextUpdate, revoked } = crl;
      return { issuer: nameText(crl.issuer), thisUpdate, nextUpdate, revoked, state: stateOf(crl, epoch) };
    });
  }
}

/** Reads `crl`. A CRL that cannot be used is an error: the reload is refused, and those in force stay. */
export function readRevocation(
  tls: TlsSetting,
  authorities: Authorities,
  epoch: EpochSeconds,
  problems: Problem[],
): Revocation {
  const crls = new Map<string, Crl>();
  const { crl: file } = tls;
  if (file === null) return new Revocation(crls, false, false);
  const blocks = readPem(file.text).filter(({ label }) => label === 'X509 CRL' || label === 'CRL');
  if (blocks.length === 0) {
    const fix = 'write PEM: -----BEGIN X509 CRL----- (openssl crl -inform DER makes it of DER)';
    problems.push(error('crl-invalid', at(file), 'it holds no CRL', fix));
  }
  for (const { der, line } of blocks) {
    const read = der === null ? 'it is not PEM' : readCrl(der);
    const placed = typeof read === 'string' ? read : place(read, authorities, crls);
    if (typeof placed === 'string') {
      problems.push(
        error(
          'crl-invalid',
          at(file, line),
          `this CRL cannot be used: ${placed}`,
          'ask its CA for a good one',
        ),
      );
    } else {
      warnOfTime(placed, file, line, tls.crlEnded, epoch, problems);
    }
  }
  const revocation = new Revocation(crls, true, tls.crlEnded === 'accept');
  if (tls.clientCa !== null) warnOfMissing(authorities, revocation, file, problems);
  return revocation;
}

/** Puts a CRL in force for each CA that signed it, the newest of several; or says why there is none. */
function place(crl: Crl, authorities: Authorities, crls: Map<string, Crl>): Crl | string {
  const named = authorities.named(crl.issuer).map(({ certificate }) => certificate);
  if (named.length === 0) return `${nameText(crl.issuer)} is no CA of client_ca or trust_domains`;
  let fault: string | null = null;
  let signers = 0;
  for (const certificate of named) {
    const { keyUsage } = certificate.extensions;
    const { key } = certificate.key;
    const wrong = key === null ? 'its issuer has no key' : crl.signatureFault(key);
    if (wrong !== null) fault = wrong;
    else if (keyUsage !== null && !certificate.may(USAGE.CRL_SIGN))
      fault = "its issuer's key usage lacks cRLSign";
    else {
      signers++;
      const known = crls.get(keyOf(certificate));
      if (known === undefined || crl.thisUpdate > known.thisUpdate) crls.set(keyOf(certificate), crl);
    }
  }
  return signers > 0 ? crl : (fault ?? 'nobody signed it');
}

function warnOfTime(
  crl: Crl,
  file: PemFile,
  line: number,
  ended: TlsSetting['crlEnded'],
  epoch: EpochSeconds,
  problems: Problem[],
): void {
  const issuer = nameText(crl.issuer);
  const state = stateOf(crl, epoch);
  if (state === 'ended') {
    const effect = ended === 'refuse' ? 'no client of its CA is let in' : 'what was revoked since is let in';
    const message = `the CRL of ${issuer} has ended on ${dateOf(crl.nextUpdate)}: ${effect}`;
    problems.push(warning('crl-ended', at(file, line), message, 'fetch the one that follows it'));
  } else if (state === 'early') {
    const message = `the CRL of ${issuer} begins on ${dateOf(crl.thisUpdate)}: until then no client of its CA is let in`;
    problems.push(warning('crl-ended', at(file, line), message, 'look at the clocks of both machines'));
  }
}

function warnOfMissing(
  authorities: Authorities,
  revocation: Revocation,
  file: PemFile,
  problems: Problem[],
): void {
  for (const { certificate, vouchesFor } of authorities.all) {
    if (!vouchesFor.has(CLIENT_CA) || revocation.has(certificate)) continue;
    const message = `no CRL of ${nameText(certificate.subject)}: no client that it has issued is let in`;
    problems.push(warning('crl-missing', at(file), message, 'add its CRL to this file'));
  }
}

function stateOf({ thisUpdate, nextUpdate }: Crl, epoch: EpochSeconds): CrlState['state'] {
  if (epoch < thisUpdate) return 'early';
  const left = nextUpdate - epoch;
  if (left <= 0) return 'ended';
  return left < Math.min(86_400, (nextUpdate - thisUpdate) / 4) ? 'near' : 'good';
}

function keyOf({ subject, keyId }: Certificate): string {
  return `${keyId} ${subject}`;
}

function refused(rule: 'revoked' | 'crl', message: string): RevocationStanding {
  return { kind: 'refused', rule, message };
}
