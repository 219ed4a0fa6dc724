import type { EpochSeconds, Quantity, Seconds } from '../wire/quantity.ts';
import type { IdentityLimits, IdentityTerms, RestrictedRanges, RuleTerms } from './input.ts';
import type { LookAlikes } from './lookalike/look-alikes.ts';
import type { Position } from './problem.ts';
import type { SpecialName } from './special.ts';
import type { Tree } from './tree.ts';

/**
 * The policy in force: compiled once, frozen, swapped by one reference. What is large is flat typed arrays; the
 * objects are as many as destinations, identities and local names.
 */
export interface Snapshot extends RuleTree {
  /** What identities expect to be denied; null where nobody expects anything. It approves nothing. */
  readonly expected: RuleTree | null;
  /** What names are compared with that nobody approves. */
  readonly lookAlikes: LookAlikes;
  /** Per set: the destination's name, or null for rules written on the spot. */
  readonly sets: readonly (string | null)[];
  /** Distinct views, the empty one of `unknown` first. */
  readonly views: readonly View[];
  /** Identities in the order written; UNKNOWN is not among them. */
  readonly identities: readonly Identity[];
  readonly addresses: AddressTable;
  readonly certificates: CertificateTable;
  /** The special names, by node. */
  readonly specials: ReadonlyMap<number, SpecialName>;
  /** By node (NODE.LOCAL is set there). */
  readonly locals: ReadonlyMap<number, LocalName>;
}

/** Rules, and the names that they stand at. */
export interface RuleTree {
  readonly tree: Tree;
  /** Per node, NODE bits. */
  readonly nodeFlags: Uint8Array;
  readonly postings: Postings;
  readonly rules: Rules;
}

/** What is true of a node for everyone. */
export const NODE = {
  /** A rule `**.` stands here. */
  GLOBSTAR: 1,
  /** A rule `*.` stands here. */
  STAR: 2,
  /** Families hang under `node | FAMILY`, or children are names of families. */
  FAMILY: 4,
  /** Operator-written data stands here. */
  LOCAL: 8,
  /** A special name: it and all below is decided by `special.ts`. */
  SPECIAL: 16,
  /** An ancestor of a special name: no data for everyone. */
  ABOVE_SPECIAL: 32,
  /** A reverse zone of private space starts here (RFC 6303 §4). */
  PRIVATE_REVERSE: 64,
  /** A special name that is denied to everyone. */
  CANARY: 128,
} as const;

/**
 * What each set has at each node. Node n has the postings `start[n]` to `start[n + 1]`, by ascending set.
 */
export interface Postings {
  readonly start: Uint32Array;
  readonly set: Uint32Array;
  /** First rule of this set at this node + 1, or 0; `Rules.next` leads on. */
  readonly rule: Uint32Array;
  /**
   * Until when (seconds since 1970, FOREVER) this set has a name written out below the node, or a wildcard or
   * family on it; 0 for never. It makes the node an empty non-terminal of the view.
   */
  readonly below: Uint32Array;
}

/**
 * Kinds of rules. A family whose number is in the first label is one rule, FAMILY; any other is compiled into its names,
 * a MEMBER rule each.
 */
export const KIND = { EXACT: 0, MEMBER: 1, FAMILY: 2, STAR: 3, GLOBSTAR: 4 } as const;

/** Index of a rule in `Rules`, or -1. */
export type RuleIndex = Quantity<'rule'>;

/** Rules as parallel arrays. */
export interface Rules {
  readonly count: number;
  readonly kind: Uint8Array;
  /** Index into `terms`. */
  readonly term: Uint32Array;
  readonly line: Uint32Array;
  /** Next rule of the same set at the same node + 1, or 0. */
  readonly next: Uint32Array;
  /** The node that the rule stands at. */
  readonly node: Uint32Array;
  readonly terms: readonly Terms[];
  /** The numbers and the suffix of a family, by rule. */
  readonly families: ReadonlyMap<number, FamilyRange>;
  /** The pattern as text where node and kind do not tell it. */
  readonly written: ReadonlyMap<number, string>;
}

/** RuleTerms ready for deciding. */
export interface Terms extends RuleTerms {
  readonly file: string;
  /** One bit for each type below 256; null stands for the default of the pattern's kind. */
  readonly typeBits: Uint32Array | null;
  /** Types from 256 on, ascending. */
  readonly highTypes: readonly number[];
}

export interface FamilyRange {
  readonly suffix: Uint8Array;
  readonly low: number;
  readonly high: number;
  readonly width: number;
}

/** The rules in force for an identity at a stage. */
export interface View {
  /** Content hash, 16 hexadecimal digits: equal rules give an equal id. */
  readonly id: string;
  /** Sets in it, ascending. */
  readonly sets: Uint32Array;
  /** Per set: 1 when a stage or an exception approves it, so that its TTLs are short. */
  readonly dynamic: Uint8Array;
}

export interface Identity {
  /** Position among the snapshot's identities; -1 for `unknown`. */
  readonly index: number;
  readonly name: string;
  /** Empty for `unknown`. */
  readonly owner: string;
  readonly reviewBy: EpochSeconds | null;
  readonly workload: string | null;
  /** Seconds since 1970 until which denials are only recorded; 0 in enforce mode. */
  readonly auditUntil: EpochSeconds;
  readonly limits: IdentityLimits;
  readonly search: readonly Uint8Array[];
  readonly addresses: readonly string[];
  readonly certificates: readonly string[];
  readonly proof: IdentityTerms['proof'];
  readonly claims: IdentityTerms['claims'];
  /** Seconds. */
  readonly maxLease: Seconds;
  readonly selfAdvance: boolean;
  /** Seconds. */
  readonly quarantine: Seconds;
  readonly undetected: IdentityTerms['undetected'];
  /** Without a stage. */
  readonly view: View;
  /** What it has at any stage or without one, taken together; null where that is what it has without a stage. */
  readonly everywhere: View | null;
  /** In the order in which a lease enters them. */
  readonly stages: readonly Stage[];
  /** What it expects to be denied, as written, and the view of `Snapshot.expected` for it; null for nothing. */
  readonly expected: readonly ExpectedName[];
  readonly expectedView: View | null;
  readonly at: Position | null;
}

/** Denials that are no news. */
export interface ExpectedName {
  /** A pattern. */
  readonly name: string;
  readonly reason: string;
  /** Seconds since 1970. */
  readonly until: EpochSeconds;
  readonly owner: string;
}

/** A trust zone of a job: its own rules. */
export interface Stage {
  readonly name: string;
  readonly view: View;
}

/** Operator-written data at one name. */
export interface LocalName {
  readonly name: Uint8Array;
  /** Empty where `redirect` is set. */
  readonly rrsets: readonly LocalRRset[];
  readonly redirect: LocalRedirect | null;
}

export interface LocalRRset {
  readonly type: number;
  /** Seconds. */
  readonly ttl: Seconds;
  readonly rdata: readonly Uint8Array[];
}

export interface LocalRedirect {
  /** Wire name in lower case. */
  readonly to: Uint8Array;
  /** The target's node where it is a local name too, else NO_NODE: then it is fetched. */
  readonly node: number;
  readonly private: RestrictedRanges;
}

/**
 * Which identity has an address, by longest prefix: the prefixes cut the address space into ranges that do not
 * overlap, sorted by first address, so that one binary search answers. Values are identity indices, -1 for none.
 */
export interface AddressTable {
  /** First address of each range, one word each. */
  readonly start4: Uint32Array;
  readonly owner4: Int32Array;
  /** First address of each range, four words each. */
  readonly start6: Uint32Array;
  readonly owner6: Int32Array;
}

/** Which identity a certificate's name is. Values are identity indices. */
export interface CertificateTable {
  /** Names as they are written. */
  readonly exact: ReadonlyMap<string, number>;
  /** `spiffe://…/`, the slash included, for what is written as `spiffe://…/*`. */
  readonly below: ReadonlyMap<string, number>;
}
