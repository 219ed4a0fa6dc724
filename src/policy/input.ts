/**
 * A policy as it was read: checked in form (keys, kinds, dates, patterns), not yet in meaning.
 * `config/` produces it from YAML and lists, `compile.ts` turns it into a Snapshot.
 * Times are seconds since 1970 (UTC); names are wire names in lower case, root octet included.
 */

import type { Prefix } from '../wire/prefix.ts';
import type { EpochSeconds, Seconds } from '../wire/quantity.ts';
import type { Pattern } from './pattern/pattern.ts';
import type { Position } from './problem.ts';

/** No expiry. The largest 32-bit value, so that a date compares as one integer. */
export const FOREVER: EpochSeconds = 0xffff_ffff;

export interface PolicyInput {
  readonly destinations: readonly DestinationInput[];
  readonly identities: readonly IdentityInput[];
  readonly records: readonly RecordInput[];
  readonly redirects: readonly RedirectInput[];
}

export interface DestinationInput {
  readonly name: string;
  readonly rules: readonly RuleInput[];
  readonly lists: readonly ListInput[];
  readonly at: Position;
}

/** What a rule says beside its pattern. Rules that share all of it share one object. */
export interface RuleTerms {
  /** The destination that the rule belongs to, or null for one written on the spot or an exception. */
  readonly destination: string | null;
  readonly owner: string;
  readonly reason: string;
  /** RR types, ascending, or null for the default of the pattern's kind. */
  readonly types: readonly number[] | null;
  /** Seconds since 1970 at which the rule stops approving, or FOREVER. */
  readonly until: EpochSeconds;
  readonly private: RestrictedRanges;
  readonly sharedZone: boolean;
  /** Wildcards: labels that may stand in front of the base, 1 to 127. */
  readonly maxLabels: number;
  /** Wildcards: octets that each of them may have, 1 to 63. */
  readonly maxLabelLength: number;
  /** Wildcards: what one client may put upstream through it, or null for the server's default. */
  readonly budget: {
    readonly alert: number;
    readonly contain: number;
    /** `contain` was written: keys that several machines share contain too. */
    readonly containsShared?: boolean;
  } | null;
  /** What people do while it fails; null where nothing is written. It changes no answer. */
  readonly fallback: Fallback | null;
  /** What a grant opens of an address that the rule's names have (`tcp/443`), or null for the server's default. */
  readonly ports: readonly string[] | null;
  /** The client keeps its grants for as long as its lease and the rule last. */
  readonly keep: 'lease' | null;
  /** Exceptions alone: who approved it. */
  readonly approvedBy: string | null;
}

/** What people do while a dependency fails. */
export interface Fallback {
  /** As it is shown: a sentence, or `redirect NAME`. */
  readonly text: string;
  /** The name, in ASCII, that a redirect of the dependency would lead to; null where it is a sentence. */
  readonly redirect: string | null;
}

/** Which restricted addresses an answer may hold: none, the private ranges (RFC 1918, RFC 6598, ULA), or these prefixes alone. */
export type RestrictedRanges = false | true | readonly Prefix[];

export interface RuleInput {
  readonly pattern: Pattern;
  readonly terms: RuleTerms;
  readonly at: Position;
}

/** A plain text list, one pattern a line, `#` comments. Kept as text: a million names are not a million objects. */
export interface ListInput {
  readonly file: string;
  /** ASCII alone: `config/` has converted U-labels. Line n of it is line n of the file. */
  readonly text: string;
  readonly terms: RuleTerms;
  readonly at: Position;
}

/** One entry of `allow` or `only`. */
export type EntryInput = { readonly destination: string; readonly at: Position } | RuleInput;

export interface StageInput {
  readonly name: string;
  /** `only` drops the identity's own list, `allow` adds to it. */
  readonly kind: 'allow' | 'only';
  readonly entries: readonly EntryInput[];
  readonly at: Position;
}

export interface IdentityInput {
  readonly name: string;
  readonly owner: string;
  /** Seconds since 1970, or null where none is written. */
  readonly reviewBy: EpochSeconds | null;
  readonly workload: string | null;
  readonly mode: 'enforce' | 'audit';
  /** Seconds since 1970; 0 in enforce mode. */
  readonly auditUntil: EpochSeconds;
  readonly limits: IdentityLimits;
  /** Search suffixes that the clients' stubs append. */
  readonly search: readonly Uint8Array[];
  readonly addresses: readonly { readonly prefix: Prefix; readonly text: string; readonly at: Position }[];
  readonly certificates: readonly { readonly text: string; readonly at: Position }[];
  readonly terms: IdentityTerms;
  readonly allow: readonly EntryInput[];
  readonly stages: readonly StageInput[];
  readonly exceptions: readonly RuleInput[];
  /** What it expects to be denied. These rules approve nothing, and all of them end. */
  readonly expected: readonly RuleInput[];
  readonly at: Position;
}

/** How an identity is proven, and what its leases are like. */
export interface IdentityTerms {
  /** `certificate`: no address speaks for it, by whatever way. */
  readonly proof: 'any' | 'certificate';
  /** A job's token (OIDC) that has all the claims of one of these may open its leases. */
  readonly claims: readonly TokenClaims[];
  /** Seconds; the longest time to live of a lease. */
  readonly maxLease: Seconds;
  /** A job's own token may advance its stage. */
  readonly selfAdvance: boolean;
  /** Seconds after a lease's end for which whom it bound is `unknown`; 0 for none. */
  readonly quarantine: Seconds;
  /** Findings that detectors do not make of it, by their names, and why; null for none. */
  readonly undetected: { readonly kinds: readonly string[]; readonly reason: string } | null;
}

export interface TokenClaims {
  readonly issuer: string;
  /** Claims by name, at least one: what the token must say, exactly. */
  readonly values: Readonly<Record<string, string>>;
}

/** Six hours: what a job may last on GitHub's runners. */
export const DEFAULT_TERMS: IdentityTerms = {
  proof: 'any',
  claims: [],
  maxLease: 21_600,
  selfAdvance: false,
  quarantine: 0,
  undetected: null,
};

export interface IdentityLimits {
  /** Queries a second, or 0 for no limit. */
  readonly qps: number;
  /** Queries that may come at once; at least 1 where qps is set. */
  readonly burst: number;
  /** Questions in flight upstream, or 0 for the default share. */
  readonly inFlight: number;
}

export interface RecordInput {
  readonly name: Uint8Array;
  readonly type: number;
  readonly ttl: Seconds;
  readonly rdata: Uint8Array;
  readonly at: Position;
}

export interface RedirectInput {
  readonly name: Uint8Array;
  readonly to: Uint8Array;
  readonly private: RestrictedRanges;
  readonly at: Position;
}
