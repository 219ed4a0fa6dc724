import type { Prefix } from '../wire/prefix.ts';
import type { EpochSeconds, Seconds } from '../wire/quantity.ts';
import type { AlertSettings } from './alert-settings.ts';
import type { DetectSettings } from './detect-settings.ts';
import type { EnforceSetting } from './enforce-settings.ts';
import type { HistorySettings } from './history-settings.ts';
import type { PemFile, TlsSetting } from './tls-settings.ts';

export type { PemFile, TlsSetting, TrustDomain } from './tls-settings.ts';

/**
 * The server file as data: checked, defaults filled in, paths absolute, durations in seconds or milliseconds as
 * named, sizes in octets. `config/` produces it; `server.ts` hands each room its part.
 */
export interface Settings {
  readonly listen: readonly ListenSetting[];
  /** What this server is called in every event: printable ASCII without spaces. */
  readonly name: string;
  /** The group `default` first; `zones` of the others route questions to them, the longest zone wins. */
  readonly upstreams: readonly UpstreamGroup[];
  /** Absolute path of the policy file or folder. */
  readonly policy: string;
  readonly cache: CacheSetting;
  readonly budgets: BudgetSettings;
  readonly detect: DetectSettings;
  readonly replies: ReplySetting;
  readonly limits: LimitSetting;
  /** Null: nothing is renewed. */
  readonly renew: RenewSetting | null;
  /** Absolute path of the folder for what outlives a run. */
  readonly state: string;
  /** Where the admin API is, or null: then there are no leases, and no exceptions but those in files. */
  readonly admin: AdminSetting | null;
  readonly exceptions: ExceptionSetting;
  /** Where /health, /ready and /metrics are answered, or null. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly alerts: AlertSettings;
  /** Null: no firewall. */
  readonly enforce: EnforceSetting | null;
  /** Null: it is off. */
  readonly history: HistorySettings | null;
  readonly log: { readonly level: LogLevel };
}

/** Octets that a key of the leak ledger may put upstream in a day: from where it alerts, and beyond which nothing is sent; 0 is off. */
export interface BudgetSetting {
  readonly alert: number;
  readonly contain: number;
  /** `contain` was written: keys that several machines share contain too. */
  readonly containsShared?: boolean;
}

/** By kind of key; a rule's own `budget` is a lease's, and four times as much a claim's. */
export interface BudgetSettings {
  readonly lease_wildcard: BudgetSetting;
  readonly claim_wildcard: BudgetSetting;
  readonly identity_wildcard: BudgetSetting;
  readonly identity: BudgetSetting;
}

export const DEFAULT_BUDGETS: BudgetSettings = {
  lease_wildcard: { alert: 512, contain: 1024 },
  claim_wildcard: { alert: 2048, contain: 4096 },
  identity_wildcard: { alert: 4096, contain: 0 },
  identity: { alert: 16_384, contain: 0 },
};

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type ListenSetting = UdpSetting | TcpSetting | DotSetting;

/** Where a listener is. */
export interface ListenAt {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** A literal address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface UdpSetting extends ListenAt {
  readonly protocol: 'udp';
  readonly spoofable: Spoofable;
}

/**
 * Whether source addresses may be forged: then what must be forwarded needs a server cookie, and a client without one is sent
 * to TCP. `except`: prefixes whose network lets nobody send from a foreign address. False on loopback unless written.
 */
export type Spoofable = boolean | { readonly except: readonly Prefix[] };

export interface TcpSetting extends ListenAt {
  readonly protocol: 'tcp';
  /** Balancers whose PROXY v2 header says who the client is; they must send one. */
  readonly proxyFrom: readonly Prefix[];
}

/** DNS over TLS (RFC 7858). */
export interface DotSetting extends ListenAt {
  readonly protocol: 'tls';
  readonly proxyFrom: readonly Prefix[];
  readonly tls: TlsSetting;
}

export interface UpstreamGroup {
  readonly name: string;
  /** `system`: the nameservers of the system's resolv.conf, followed as it changes. */
  readonly servers: 'system' | readonly UpstreamServer[];
  /** Wire names in lower case; empty for `default`. */
  readonly zones: readonly Uint8Array[];
  /** False: so for each of its servers that is asked over UDP, those of `system` included. */
  readonly mixCase?: boolean;
}

export interface UpstreamServer {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
  /** `tls` alone: the name that the certificate must hold. */
  readonly name: string | null;
  /** `tls` alone: the PEM text of the CAs that are trusted, or null for the system's. */
  readonly ca: string | null;
  /** False: names are asked for in lower case, and a reply in another case is taken (no 0x20). */
  readonly mixCase?: boolean;
}

export interface CacheSetting {
  readonly size: number;
  /** Seconds. */
  readonly maxTtl: Seconds;
  /** Seconds after its end that an answer may still be given when every upstream failed. */
  readonly serveStale: Seconds;
  /** `identity`: each identity has its own entries, where timing between identities matters. */
  readonly share: 'all' | 'identity';
}

export interface ReplySetting {
  /** Seconds; TTLs given to clients are at most this. */
  readonly maxTtl: Seconds;
  /** Seconds; the same for what a stage, lease or exception approves. */
  readonly dynamicMaxTtl: Seconds;
  readonly edeText: boolean;
  /** Whom a client is told to ask where no rule's owner can say more; empty for nobody. */
  readonly contact: string;
}

export interface LimitSetting {
  /** Questions in flight upstream, in total; an identity has an eighth of it unless it says otherwise. */
  readonly inFlight: number;
  readonly tcpClients: number;
  /** UDP answers a second to one /24 or /56 that no identity claims. */
  readonly unknownQps: number;
}

/** The admin API: who reaches the socket administers; on HTTP each request shows a token. */
export type AdminSetting =
  | {
      readonly kind: 'unix';
      /** Absolute. */
      readonly path: string;
    }
  | {
      readonly kind: 'http';
      /** A loopback address. */
      readonly host: string;
      readonly port: number;
      readonly tokens: readonly TokenRights[];
      readonly oidc: readonly OidcSetting[];
    };

export type Right = 'open' | 'advance' | 'read' | 'administer';

/** A token of the token file, and what it may. */
export interface TokenRights {
  readonly name: string;
  /** sha256 of the token's octets: 64 hexadecimal digits in lower case. */
  readonly sha256: string;
  readonly rights: readonly Right[];
  /** Identities that it may do this for. */
  readonly identities: 'all' | readonly string[];
  /** Prefixes that its leases may bind, beside the address that it is shown from. */
  readonly addresses: readonly Prefix[];
  /** Certificates that its leases may bind, in the form of `Credential.names`. */
  readonly certificates: readonly string[];
  /** Seconds since 1970 at which it is worth nothing, or FOREVER. */
  readonly until: EpochSeconds;
}

/** An issuer of jobs' tokens. */
export interface OidcSetting {
  readonly issuer: string;
  readonly audience: string;
  /** A JWKS (RFC 7517) as text, or the URL that gives it. */
  readonly jwks: { readonly file: PemFile } | { readonly url: string };
}

/** Bounds of exceptions that are made over the API. */
export interface ExceptionSetting {
  /** Seconds. */
  readonly maxTtl: Seconds;
}

export interface RenewSetting {
  /** `all`, or names of destinations. */
  readonly names: 'all' | readonly string[];
  /** The most names that are renewed. */
  readonly max: number;
}
