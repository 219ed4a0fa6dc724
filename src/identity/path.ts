import type { EpochSeconds } from '../wire/quantity.ts';
import { type Authorities, type Authority, CLIENT_CA, dateOf } from './authorities.ts';
import type { Certificate } from './certificate.ts';
import { CLIENT_AUTH, USAGE } from './extensions.ts';
import type { CertificateMemo } from './memo.ts';
import { constraintFault } from './name-constraints.ts';
import { nameText } from './name-text.ts';
import type { Revocation } from './revocation.ts';

/** Certificates of a path, the client's and the last CA's included: six intermediates. */
const LONGEST_PATH = 8;
/** Signatures that one client may have verified, and CAs that are looked at. What was verified before is not counted. */
const MOST_SIGNATURES = 64;
const MOST_STEPS = 256;

/** Why no path counts. */
export type PathRule =
  | 'work'
  | 'chain'
  | 'dates'
  | 'signature'
  | 'constraints'
  | 'revoked'
  | 'crl'
  | 'purpose';

export type Paths =
  | {
      readonly kind: 'verified';
      /** For whom a path was found: CLIENT_CA, or names of trust domains. */
      readonly vouchedFor: ReadonlySet<string>;
      /** Seconds since 1970: the first end of a certificate or CRL on one of the paths. */
      readonly until: EpochSeconds;
    }
  | { readonly kind: 'refused'; readonly rule: PathRule; readonly message: string };

/** What all judgements of a listener share. */
export interface PathGround {
  readonly authorities: Authorities;
  readonly revocation: Revocation;
  readonly memo: CertificateMemo;
}

/**
 * Finds the paths from a client's certificate over what it has shown and what the files hold to CAs that end paths (RFC 5280
 * §6.1, without policies). All are followed, since each may vouch for another; the work is bounded. Never throws.
 */
export function findPaths(
  leaf: Certificate,
  shown: readonly Certificate[],
  epoch: EpochSeconds,
  ground: PathGround,
): Paths {
  return new PathSearch(shown, epoch, ground).from(leaf);
}

class PathSearch {
  readonly #shown: readonly Certificate[];
  readonly #epoch: EpochSeconds;
  readonly #ground: PathGround;
  readonly #budget = { left: MOST_SIGNATURES };
  readonly #vouchedFor = new Set<string>();
  #steps = MOST_STEPS;
  #until: EpochSeconds = Number.POSITIVE_INFINITY;
  /** The fault that was met farthest from the leaf tells most. */
  #fault: { depth: number; rule: PathRule; message: string } | null = null;

  constructor(shown: readonly Certificate[], epoch: EpochSeconds, ground: PathGround) {
    this.#shown = shown;
    this.#epoch = epoch;
    this.#ground = ground;
  }

  from(leaf: Certificate): Paths {
    const wrong = certificateFault(leaf, this.#epoch);
    if (wrong !== null) return { kind: 'refused', ...wrong };
    this.#climb([leaf], leaf.notAfter, null);
    if (this.#vouchedFor.size > 0)
      return { kind: 'verified', vouchedFor: this.#vouchedFor, until: this.#until };
    if (this.#steps < 0 || this.#budget.left < 0)
      return { kind: 'refused', rule: 'work', message: 'too many certificates would have to be looked at' };
    const { rule, message } = this.#fault ?? {
      rule: 'chain' as const,
      message: `no CA that is trusted has issued it (its issuer: ${nameText(leaf.issuer)})`,
    };
    return { kind: 'refused', rule, message };
  }

  /** `path`: the leaf first. `unlisted`: the first issuer on it without a CRL. */
  #climb(path: readonly Certificate[], until: EpochSeconds, unlisted: Certificate | null): void {
    const child = path.at(-1)!;
    if (path.length >= LONGEST_PATH) {
      for (const { certificate } of this.#issuersOf(child)) {
        if (!isOn(path, certificate)) this.#note(path.length, TOO_LONG);
      }
      return;
    }
    for (const { certificate: issuer, vouchesFor } of this.#issuersOf(child)) {
      if (isOn(path, issuer)) continue;
      if (this.#steps-- <= 0) return;
      const wrong = this.#issuerFault(issuer, path);
      if (wrong !== null) {
        this.#note(path.length, wrong);
        continue;
      }
      const standing = this.#ground.revocation.standing(child, issuer, this.#epoch);
      if (standing.kind === 'refused') {
        this.#note(path.length, standing);
        continue;
      }
      const missing = unlisted ?? (standing.kind === 'unlisted' ? issuer : null);
      const end = Math.min(until, issuer.notAfter, standing.kind === 'good' ? standing.until : until);
      if (vouchesFor.size > 0) this.#arrive(vouchesFor, end, missing, path.length);
      this.#climb([...path, issuer], end, missing);
    }
  }

  /**
   * Below `client_ca` every issuer needs a CRL once there are any. A CA of a trust domain's bundle alone does not: SPIFFE
   * has short lives in the place of revocation; a CRL that is there counts.
   */
  #arrive(
    vouchesFor: ReadonlySet<string>,
    end: EpochSeconds,
    missing: Certificate | null,
    depth: number,
  ): void {
    if (missing !== null && this.#ground.revocation.required && vouchesFor.has(CLIENT_CA)) {
      this.#note(depth, { rule: 'crl', message: `there is no CRL of ${nameText(missing.subject)}` });
      return;
    }
    for (const name of vouchesFor) this.#vouchedFor.add(name);
    this.#until = Math.min(this.#until, end);
  }

  /** CAs with the name of the issuer, but those that say that they have another key (RFC 5280 §4.2.1.1). */
  *#issuersOf(child: Certificate): Generator<Authority> {
    const wanted = child.extensions.authorityKey;
    const fits = ({ extensions }: Certificate): boolean =>
      wanted === null || extensions.subjectKey === null || extensions.subjectKey === wanted;
    for (const authority of this.#ground.authorities.named(child.issuer)) {
      if (fits(authority.certificate)) yield authority;
    }
    for (const certificate of this.#shown) {
      if (certificate.subject === child.issuer && fits(certificate))
        yield { certificate, vouchesFor: NOBODY };
    }
  }

  #issuerFault(issuer: Certificate, path: readonly Certificate[]): Wrong | null {
    const wrong = certificateFault(issuer, this.#epoch) ?? authorityFault(issuer, path);
    if (wrong !== null) return { rule: wrong.rule, message: `${nameText(issuer.subject)}: ${wrong.message}` };
    const forged = this.#ground.memo.signatureFault(path.at(-1)!, issuer, this.#budget);
    return forged === null ? null : { rule: 'signature', message: forged };
  }

  #note(depth: number, { rule, message }: Wrong): void {
    if (this.#fault === null || depth > this.#fault.depth) this.#fault = { depth, rule, message };
  }
}

const TOO_LONG = {
  rule: 'chain',
  message: `its path has more than ${LONGEST_PATH - 2} intermediates, which are the most that are taken`,
} as const;

/** A CA stands on a path once, whatever certificate it has there: a root has issued itself. */
function isOn(path: readonly Certificate[], { keyId, subject }: Certificate): boolean {
  return path.some((each) => each.keyId === keyId && each.subject === subject);
}

const NOBODY: ReadonlySet<string> = new Set();

interface Wrong {
  readonly rule: PathRule;
  readonly message: string;
}

/** What is asked of every certificate on a path. */
function certificateFault(certificate: Certificate, epoch: EpochSeconds): Wrong | null {
  const { notBefore, notAfter, extensions, key } = certificate;
  if (epoch < notBefore) return { rule: 'dates', message: `it is not valid before ${dateOf(notBefore)}` };
  // The second of its end is no longer in it, as in OpenSSL.
  if (epoch >= notAfter) return { rule: 'dates', message: `it has ended on ${dateOf(notAfter)}` };
  if (extensions.unknownCritical !== null)
    return { rule: 'chain', message: `its critical extension ${extensions.unknownCritical} is not known` };
  return key.fault === null ? null : { rule: 'chain', message: key.fault };
}

/** What is asked of a CA on a path, `path` being what is below it. */
function authorityFault({ extensions }: Certificate, path: readonly Certificate[]): Wrong | null {
  const { ca, pathLength, keyUsage, purposes, constraints } = extensions;
  if (!ca) return { rule: 'chain', message: 'it is no CA' };
  if (keyUsage !== null && (keyUsage & USAGE.KEY_CERT_SIGN) === 0)
    return { rule: 'chain', message: 'its key usage lacks keyCertSign' };
  // RFC 5280 §4.2.1.9: intermediates below it that do not name themselves as their issuer.
  const below = path.slice(1).filter(({ selfIssued }) => !selfIssued).length;
  if (pathLength !== null && below > pathLength)
    return { rule: 'chain', message: `more than ${pathLength} CAs stand below it` };
  if (purposes !== null && !purposes.includes(CLIENT_AUTH))
    return { rule: 'purpose', message: 'its extended key usage lacks clientAuth' };
  if (constraints === null) return null;
  for (const certificate of path) {
    const fault = constraintFault(constraints, certificate);
    if (fault !== null) return { rule: 'constraints', message: fault };
  }
  return null;
}
