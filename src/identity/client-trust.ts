import { error, isError, type Problem } from '../policy/problem.ts';
import {
  Credential,
  type CredentialJudge,
  type Judgement,
  type ShownCertificate,
} from '../resolve/client/credential.ts';
import type { TlsSetting } from '../settings/settings.ts';
import type { EpochSeconds } from '../wire/quantity.ts';
import { at, CLIENT_CA, readAuthorities } from './authorities.ts';
import type { Certificate } from './certificate.ts';
import { dnsNamesOf, purposeFault, ruleBroken, spiffeIdOf } from './client-certificate.ts';
import { CertificateMemo } from './memo.ts';
import { findPaths, type PathGround } from './path.ts';
import { type CrlState, readRevocation } from './revocation.ts';
import { checkServer } from './server-certificate.ts';
import { describeShown } from './shown.ts';

/** Certificates that a client may show; OpenSSL takes more. */
const MOST_SHOWN = 8;

/**
 * Whom a TLS listener trusts, and what is wrong with its files. `trust` is null where clients show nothing
 * (`clients: none`), and where a problem is an error: then the one in force stays. `epoch`: seconds since 1970. `memo`: the
 * same for every listener and reload, so that what was verified is not verified again.
 */
export function buildTrust(
  tls: TlsSetting,
  epoch: EpochSeconds,
  memo: CertificateMemo = new CertificateMemo(),
): { trust: ClientTrust | null; problems: Problem[] } {
  const problems = checkServer(tls, epoch);
  if (tls.clients === 'none') return { trust: null, problems };
  if (tls.clientCa === null && tls.trustDomains.length === 0) {
    const message = `clients: ${tls.clients} has nothing to verify them with`;
    const fix = 'write client_ca or trust_domains, or clients: none';
    problems.push(error('trust-empty', at(tls.certificate), message, fix));
    return { trust: null, problems };
  }
  const authorities = readAuthorities(tls, epoch, problems);
  const revocation = readRevocation(tls, authorities, epoch, problems);
  if (problems.some(isError)) return { trust: null, problems };
  const domains = new Set(tls.trustDomains.map(({ name }) => name));
  return { trust: new ClientTrust({ authorities, revocation, memo }, domains), problems };
}

/**
 * Judges the certificates of a listener's clients, on their DER and by itself: OpenSSL has verified a chain before, but not
 * on a resumed session, and it does not say with which CA. Frozen but for its memo; never throws.
 */
export class ClientTrust implements CredentialJudge {
  /** PEM of every CA of `client_ca` and all bundles: what OpenSSL is to trust, and to ask clients for. */
  readonly caPem: readonly string[];
  readonly #ground: PathGround;
  /** Trust domains with a bundle of their own. */
  readonly #domains: ReadonlySet<string>;

  constructor(ground: PathGround, domains: ReadonlySet<string>) {
    this.#ground = ground;
    this.#domains = domains;
    this.caPem = ground.authorities.all.map(({ certificate }) => pemOf(certificate));
  }

  /** The CRLs in force, and whether one nears its end. */
  crls(epoch: EpochSeconds): CrlState[] {
    return this.#ground.revocation.states(epoch);
  }

  judge(chain: readonly Uint8Array[], epoch: EpochSeconds): Judgement {
    const [first, ...rest] = chain;
    if (first === undefined) return refused('none', 'it has shown no certificate');
    if (rest.length >= MOST_SHOWN)
      return refused(
        'chain',
        `it has shown more than ${MOST_SHOWN} certificates, which are the most that are taken`,
      );
    const { memo } = this.#ground;
    const leaf = memo.read(first);
    if (leaf === null) return refused('form', 'its certificate is not in DER');
    const purpose = purposeFault(leaf);
    if (purpose !== null) return refused('purpose', purpose);
    // What else it shows is for it to choose: only what issued something on the way is looked at.
    const paths = findPaths(
      leaf,
      rest.flatMap((der) => memo.read(der) ?? []),
      epoch,
      this.#ground,
    );
    if (paths.kind === 'refused') return paths;
    const fault = ruleBroken(leaf);
    const names = fault === null ? this.#namesOf(leaf, paths.vouchedFor) : [];
    const credential = new Credential([`sha256:${leaf.sha256}`, ...names], fault);
    return { kind: 'accepted', credential, until: paths.until };
  }

  describe(certificate: Uint8Array): ShownCertificate {
    return describeShown(certificate);
  }

  #namesOf(leaf: Certificate, vouchedFor: ReadonlySet<string>): string[] {
    const names: string[] = [];
    const id = spiffeIdOf(leaf);
    if (id !== null) {
      const voucher = this.#domains.has(id.trustDomain) ? id.trustDomain : CLIENT_CA;
      if (vouchedFor.has(voucher)) names.push(id.text);
    }
    if (vouchedFor.has(CLIENT_CA)) names.push(...dnsNamesOf(leaf).map((name) => `dns:${name}`));
    return names;
  }
}

function refused(rule: string, message: string): Judgement {
  return { kind: 'refused', rule, message };
}

function pemOf({ der }: Certificate): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
