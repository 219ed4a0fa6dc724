import type { Snapshot } from '../../policy/snapshot.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';

/**
 * What one client certificate proves under the trust of now. `identity/` makes it, once for a connection and again when
 * trust changes; a listener hands it on with each query, since an identity is taken anew for every query.
 */
export class Credential {
  /**
   * What policy may recognise it by, in the forms that `certificates:` is compared in: `spiffe://…` where the chain ends in
   * that trust domain's own bundle, `dns:…` where it ends in `client_ca`, `sha256:…` of the leaf's DER. Never empty: the
   * fingerprint is always there.
   */
  readonly names: readonly string[];
  /** The rule that the certificate breaks, so that its holder is `unknown` whatever it is named; else null. */
  readonly fault: BrokenRule | null;
  /** For `recognise` alone: the identity (an index) in the policy where it was looked up last. */
  foundIn: Snapshot | null = null;
  index = -1;
  /** The policy under which it was told that the names are nobody's. */
  toldIn: Snapshot | null = null;

  constructor(names: readonly string[], fault: BrokenRule | null) {
    this.names = names;
    this.fault = fault;
  }
}

/** A rule of client certificates, by its name, and what is wrong in words: `it has two URI names`. */
export interface BrokenRule {
  readonly rule: string;
  readonly text: string;
}

/** What `identity/` says of the chain that a client has shown. */
export type Judgement =
  | {
      readonly kind: 'accepted';
      readonly credential: Credential;
      /** Seconds since 1970 at which it has to be judged again: a certificate or a CRL ends. */
      readonly until: EpochSeconds;
    }
  /** Chain, dates, CRL or purpose refuse it: the handshake fails, an open connection ends. */
  | { readonly kind: 'refused'; readonly rule: string; readonly message: string };

/** Judges client certificates for one listener. Frozen: a reload makes another. */
export interface CredentialJudge {
  /** `chain`: DER, the leaf first, then what else the client has shown, in any order. `epoch`: seconds since 1970. Never throws. */
  judge(chain: readonly Uint8Array[], epoch: EpochSeconds): Judgement;
  /** What a certificate says of itself, for the log. Nothing is verified, remembered or judged. Never throws. */
  describe(certificate: Uint8Array): ShownCertificate;
}

/** For people. Printable ASCII, at most 200 characters each; empty where it cannot be read. */
export interface ShownCertificate {
  /** SHA-256 of the DER, 64 lower case digits. */
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** ISO 8601. */
  readonly ends: string;
  /** The kind of signature or key that is too weak or not taken, or null. */
  readonly weakness: string | null;
}
