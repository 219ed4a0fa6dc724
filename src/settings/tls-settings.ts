/** What a listener shows, and whom it trusts. */
export interface TlsSetting {
  /** The server's chain, the leaf first, and its key. */
  readonly certificate: PemFile;
  readonly key: PemFile;
  readonly clients: 'required' | 'optional' | 'none';
  /** CAs of client certificates, or null where none are written: then only trust domains vouch. */
  readonly clientCa: PemFile | null;
  /** One or more CRLs (RFC 5280 §5), or null. */
  readonly crl: PemFile | null;
  /** What becomes of clients when their issuer's CRL has ended. */
  readonly crlEnded: 'refuse' | 'accept';
  readonly trustDomains: readonly TrustDomain[];
}

/** A file as it was read: `path` for what is said of it. */
export interface PemFile {
  readonly path: string;
  readonly text: string;
}

/** The bundle that a SPIFFE trust domain's certificates are verified against: PEM, or a SPIFFE bundle (JWKS). */
export interface TrustDomain {
  /** Lower case, without `spiffe://`. */
  readonly name: string;
  readonly bundle: PemFile;
}
