import { hash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  Credential,
  type CredentialJudge,
  type Judgement,
  type ShownCertificate,
} from '../../resolve/client/credential.ts';
import { type ShownChain, X509_ERROR } from '../../socket/chain-check.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { TakenChains } from './taken-chains.ts';

/** Certificates that a client may show at most; OpenSSL bounds their octets (100 KiB). */
const MAX_CHAIN = 8;
/** Chains that are remembered for resumed sessions, and their octets. */
const MAX_REMEMBERED = 10_000;
const MAX_REMEMBERED_OCTETS = 32 * 2 ** 20;

/** What the client at the other end of one connection has shown, and what it is worth now. */
export interface Proof {
  /** DER, the leaf first; null where no certificate was shown. */
  readonly chain: readonly Buffer[] | null;
  credential: Credential | null;
  /** Seconds since 1970 at which it has to be judged again. */
  until: EpochSeconds;
}

/** Whom a listener trusts, and whether it has to know its clients. */
export interface ShownTrust {
  readonly clients: 'required' | 'optional' | 'none';
  /** Null where no certificate is asked for. */
  readonly judge: CredentialJudge | null;
}

/**
 * Judges what clients show: at the handshake, full or resumed, and again when trust changes or a judgement has ended.
 *
 * OpenSSL takes a resumed session's word for what was verified before, and the session holds the leaf alone (measured,
 * TLS 1.2 and 1.3). So each is judged anew, with the intermediates that were shown when the session began: these are
 * remembered by the leaf, where a certificate was accepted and in bounds; a leaf that is not remembered is judged alone.
 */
export class Proofs {
  #trust: ShownTrust;
  readonly #epoch: () => EpochSeconds;
  /** The longest unused first. */
  readonly #remembered = new Map<string, readonly Buffer[]>();
  #octets = 0;
  /** What was judged under this trust. */
  readonly #taken = new TakenChains();

  /** `epoch`: seconds since 1970. */
  constructor(trust: ShownTrust, epoch: () => EpochSeconds) {
    this.#trust = trust;
    this.#epoch = epoch;
  }

  /** From now on; every proof is to be judged again. */
  update(trust: ShownTrust): void {
    this.#trust = trust;
    this.#taken.clear();
  }

  /** What a new connection proves, or why it is refused. The handshake is done. */
  take(socket: TLSSocket): Proof | CredentialRefusal {
    const { clients, judge } = this.#trust;
    if (clients === 'none' || judge === null) return { ...NOBODY };
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) return clients === 'optional' ? { ...NOBODY } : NO_CERTIFICATE;
    const chain: Buffer[] = [leaf.raw];
    if (socket.isSessionReused()) {
      chain.push(...this.#recall(leaf.raw).slice(1));
    } else {
      for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
        if (chain.length === MAX_CHAIN) return { ...TOO_LONG, chain };
        chain.push(next.raw);
      }
    }
    if (!socket.authorized) {
      const code = String(socket.authorizationError ?? 'not authorized');
      return { kind: 'refused', rule: RULES.get(code) ?? 'chain', message: `OpenSSL: ${code}`, chain };
    }
    const proof = { chain, credential: null, until: 0 };
    return this.#judge(proof, judge) ?? proof;
  }

  /**
   * A chain within its handshake: why it is refused, or null. The client has not proved that it holds the key, so this only
   * refuses: `take` judges again, of what the finished handshake holds.
   *
   * OpenSSL verifies it too, save where it did so of late, in the same context.
   */
  examine(shown: ShownChain): CredentialRefusal | null {
    const { judge } = this.#trust;
    const now = this.#epoch();
    const known = this.#taken.find(shown.octets, now);
    if (known?.isVerified(shown.context, now)) return null;
    const fault = shown.verify();
    if (fault !== null) {
      const rule = RULES.get(fault.code) ?? 'chain';
      return { kind: 'refused', rule, message: `OpenSSL: ${fault.text}`, chain: shown.certificates() };
    }
    if (judge === null) return null;
    const chain = shown.certificates();
    const judgement = known ?? judge.judge(chain, now);
    if (judgement.kind === 'refused') return { ...judgement, chain };
    this.#taken.add(shown.octets, judgement, now).verifiedIn(shown.context, now);
    return null;
  }

  /** What the log says of a refusal: the first certificate, and what is weak about one of them. */
  tell({ message, chain }: CredentialRefusal): { message: string; certificate: ShownCertificate | null } {
    const { judge } = this.#trust;
    const [certificate = null, ...above] = judge === null ? [] : chain.map((der) => judge.describe(der));
    if (certificate === null) return { message, certificate };
    const weak = [certificate, ...above].find(({ weakness }) => weakness !== null);
    if (weak === undefined || message.includes(weak.weakness!)) return { message, certificate };
    const whose = weak === certificate ? '' : `${weak.subject}: `;
    return { message: `${message}; ${whose}${weak.weakness}`, certificate };
  }

  /** Judges again by the trust of now; null where it is accepted. Never throws. */
  renew(proof: Proof): CredentialRefusal | null {
    const { clients, judge } = this.#trust;
    if (clients === 'none' || judge === null) {
      proof.credential = null;
      proof.until = Number.POSITIVE_INFINITY;
      return null;
    }
    if (proof.chain !== null) return this.#judge(proof, judge);
    if (clients === 'required') return NO_CERTIFICATE;
    proof.until = Number.POSITIVE_INFINITY;
    return null;
  }

  /** Whether a proof has to be judged again before it counts. */
  isOver(proof: Proof): boolean {
    return proof.until <= this.#epoch();
  }

  #judge(proof: Proof, judge: CredentialJudge): CredentialRefusal | null {
    const now = this.#epoch();
    const chain = proof.chain!;
    const octets = chain.length === 1 ? chain[0]! : Buffer.concat(chain);
    const known = this.#taken.find(octets, now);
    const judgement = known ?? judge.judge(chain, now);
    if (judgement.kind === 'refused') return { ...judgement, chain };
    if (known === null) this.#taken.add(octets, judgement, now);
    const { names, fault } = judgement.credential;
    // Of its own: what policy finds of a credential depends on where it is shown from.
    proof.credential = new Credential(names, fault);
    proof.until = judgement.until;
    this.#remember(chain);
    return null;
  }

  /** A chain of the leaf alone needs no memory. */
  #remember(chain: readonly Buffer[]): void {
    if (chain.length < 2) return;
    const key = keyOf(chain[0]!);
    this.#drop(key);
    this.#remembered.set(key, chain);
    this.#octets += octetsOf(chain);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED && this.#octets <= MAX_REMEMBERED_OCTETS) break;
      this.#drop(oldest);
    }
  }

  #recall(leaf: Buffer): readonly Buffer[] {
    return this.#remembered.get(keyOf(leaf)) ?? [];
  }

  #drop(key: string): void {
    const chain = this.#remembered.get(key);
    if (chain === undefined) return;
    this.#remembered.delete(key);
    this.#octets -= octetsOf(chain);
  }
}

export type CredentialRefusal = Extract<Judgement, { kind: 'refused' }> & {
  /** DER, the leaf first; empty where no certificate was shown. */
  readonly chain: readonly Buffer[];
};

/** The X509_V_ERR number that stands for a refusal: OpenSSL makes the alert of it. */
export function x509ErrorOf({ rule }: CredentialRefusal): number {
  return ERRORS[rule] ?? X509_ERROR.REJECTED;
}

const ERRORS: Readonly<Record<string, number>> = {
  chain: X509_ERROR.NO_ISSUER,
  dates: X509_ERROR.EXPIRED,
  revoked: X509_ERROR.REVOKED,
  crl: X509_ERROR.NO_CRL,
  purpose: X509_ERROR.PURPOSE,
};

/** Rules by OpenSSL's numbers, and by Node's names of them where it alone has seen the fault. What is not here is `chain`. */
const RULES: ReadonlyMap<number | string, string> = new Map<number | string, string>([
  [7, 'signature'],
  ['CERT_SIGNATURE_FAILURE', 'signature'],
  [9, 'dates'],
  ['CERT_NOT_YET_VALID', 'dates'],
  [10, 'dates'],
  ['CERT_HAS_EXPIRED', 'dates'],
  [26, 'purpose'],
  ['INVALID_PURPOSE', 'purpose'],
  // CA_MD_TOO_WEAK
  [68, 'signature'],
]);

/** A client without a certificate: nothing of it ends. */
const NOBODY: Proof = { chain: null, credential: null, until: Number.POSITIVE_INFINITY };
const NO_CERTIFICATE: CredentialRefusal = {
  kind: 'refused',
  rule: 'missing',
  message: 'the client has shown no certificate',
  chain: [],
};
const TOO_LONG = {
  kind: 'refused',
  rule: 'chain',
  message: `it has shown more than ${MAX_CHAIN} certificates, which are the most that are taken`,
} as const;

function keyOf(leaf: Buffer): string {
  return hash('sha256', leaf, 'base64');
}

function octetsOf(chain: readonly Buffer[]): number {
  return chain.reduce((sum, { length }) => sum + length, 0);
}

/** Its address must not speak for who has shown a certificate that is refused. */
export const DISTRUSTED = new Credential([], { rule: 'refused', text: 'it was refused' });
