import type { Milliseconds } from '../wire/quantity.ts';
import type { TlsSetting } from './tls-settings.ts';

/** What of the server file `namegate enforce` and the resolver's side of it read. */
export interface EnforceSetting {
  /** Absolute path of the unix socket that joins the two; null where feeds alone tell others. */
  readonly socket: string | null;
  /** Milliseconds that an answer waits for its grants. */
  readonly wait: Milliseconds;
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
  /** The same for other enforcers. */
  readonly feeds: readonly GrantFeedSetting[];
}

/** A stream of grants for other enforcers. */
export interface GrantFeedSetting {
  readonly name: string;
  /** Whether answers wait for its consumers. */
  readonly class: 'wait' | 'follow';
  readonly at: FeedAt;
}

/** Where consumers connect. */
export type FeedAt =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tls';
      readonly host: string;
      readonly port: number;
      readonly tls: TlsSetting;
      /** What the certificate of a consumer must hold, as `certificates` of an identity; one of them. */
      readonly clients: readonly string[];
    };

/** What a client wants of the web. */
export const DEFAULT_PORTS: readonly string[] = ['tcp/80', 'tcp/443', 'udp/443'];
/** Ports that one list may name, ranges written out: each is an element in the kernel for each address. */
export const MOST_PORTS = 64;
