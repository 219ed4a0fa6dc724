/** What of the server file `namegate enforce` and the resolver's side of it read. */
export interface EnforceSetting {
  /** Absolute path of the unix socket that joins the two. */
  readonly socket: string;
  /** Milliseconds that an answer waits for its grants. */
  readonly wait: number;
  /** What becomes of an answer whose grants are not in the kernel: `closed` SERVFAIL, `open` it is given. */
  readonly fail: 'closed' | 'open';
  /** Names of interfaces, perhaps with `*` at the end: what comes in there is judged. */
  readonly interfaces: readonly string[];
  /** Prefixes of the machine's own addresses that clients send from: what its programs send from there is judged. */
  readonly local: readonly string[];
  /** Ports that a grant opens unless its rule says others: `tcp/443`, `tcp/8000-8010`. */
  readonly ports: readonly string[];
  /** User that the resolver runs as, beside the enforcer's own and root; null for nobody. */
  readonly user: string | null;
}

/** What a client wants of the web. */
export const DEFAULT_PORTS: readonly string[] = ['tcp/80', 'tcp/443', 'udp/443'];
/** Ports that one list may name, ranges written out: each is an element in the kernel for each address. */
export const MOST_PORTS = 64;
