import type { Milliseconds } from '../../wire/quantity.ts';

/**
 * What the resolver tells an enforcer, one JSON object a line, and what it hears. docs/enforce.md is the same for people. A
 * line has a number (`seq`), and an acknowledgement covers all lines up to its own that are not named as faults.
 */

/** Of the protocol. An enforcer and a resolver of different versions do not talk. */
export const GRANT_PROTOCOL = 1;
/** Octets of the longest line. */
export const LONGEST_LINE = 65_536;
/** Addresses that one answer may grant. */
export const MOST_ADDRESSES = 256;

/** A client may send: an address or prefix, of an identity or of a lease. Without `ttl_ms` it has no end. */
export interface LiveLine {
  readonly op: 'live';
  readonly client: string;
  readonly identity: string;
  readonly lease: string | null;
  readonly ttl_ms: Milliseconds | null;
  /** Its certificate alone says who it is: no snapshot has to tell of it again. */
  readonly certified?: boolean;
}

/** Why something was granted: the same for all addresses of an answer. */
export interface GrantReason {
  /** Targets of the CNAME records between the name and its addresses, as text. */
  readonly chain: readonly string[];
  /** `FILE:LINE` of the rule that approved it, or null: an audit let it through. */
  readonly rule: string | null;
  /** Hash of the rules in force for who asked, 16 hexadecimal digits. */
  readonly policy: string;
}

/** A client may connect to an address at these ports for `ttl_ms` from now; it never takes time from it. */
export interface GrantLine extends GrantReason {
  readonly op: 'grant';
  readonly client: string;
  readonly identity: string;
  readonly lease: string | null;
  /** The name that it asked for, as text. */
  readonly name: string;
  readonly address: string;
  readonly ports: readonly string[];
  readonly ttl_ms: Milliseconds;
}

/** And no longer, from now on. What another name opens of the address is granted anew behind it. */
export interface RevokeLine {
  readonly op: 'revoke';
  readonly client: string;
  readonly identity: string;
  readonly lease: string | null;
  readonly name: string;
  readonly address: string;
  readonly ports: readonly string[];
}

/** A client is over: it may send no more, its grants go, and so do its connections. */
export interface EndLine {
  readonly op: 'end';
  readonly client: string;
  /** Of whom it was; null where a client only leaves nothing to the next. */
  readonly identity: string | null;
  readonly lease: string | null;
  /** It may not send for so long, though a prefix that may holds it. */
  readonly quarantine_ms: Milliseconds;
}

/** All that is live and granted has been told since `hello`: what the enforcer has besides is over. */
export interface SnapshotLine {
  readonly op: 'snapshot';
}

export type GrantOrder = LiveLine | GrantLine | RevokeLine | EndLine | SnapshotLine;
export type NumberedOrder = GrantOrder & { readonly seq: number };

/** First on each side. */
export interface HelloLine {
  readonly op: 'hello';
  readonly v: number;
  /** The enforcer can say what it holds. */
  readonly holds?: boolean;
}

/** What do you hold, and for what? A resolver that has started anew asks, before its first snapshot. */
export interface HeldQuestion {
  readonly op: 'held';
}

/** A grant that is in force, as it was told once; or with `certified` a client that its certificate alone makes known. */
export type HeldLine =
  | (Omit<GrantLine, 'op'> & { readonly op: 'held'; readonly certified: false })
  | (Pick<LiveLine, 'client' | 'identity' | 'lease'> & { readonly op: 'held'; readonly certified: true });

/** All that is held has been told. */
export interface HeldEndLine {
  readonly op: 'held-end';
}

/** Are the rules as they were written? */
export interface CheckLine {
  readonly op: 'check';
}

/** `whole`, or since when they were not, as seconds since 1970, and what was found. */
export interface RulesLine {
  readonly op: 'rules';
  readonly hash: string | null;
  /** How often they were found changed or gone, and were written again. */
  readonly mended: number;
  /** Why they are not as they were written; empty where they are. */
  readonly trouble: string;
}

export interface AckLine {
  readonly op: 'ack';
  readonly seq: number;
}

/** One line could not be put in force. */
export interface FaultLine {
  readonly op: 'fault';
  readonly seq: number;
  readonly text: string;
}

/** Packets of a client that the rules refused, since the line before. */
export interface RefusedLine {
  readonly op: 'refused';
  readonly client: string;
  /** The lease that had the client's address then, or had it last a moment before; null where none had. */
  readonly lease: string | null;
  /** Null: many others, which are not told apart. Then protocol and port are null too. */
  readonly address: string | null;
  /** `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or IANA's number. */
  readonly protocol: string | null;
  /** Null where the protocol has none. */
  readonly port: number | null;
  /** They may each be the first of a connection; false for TCP in the middle of one, and for errors of ICMP. */
  readonly begins: boolean;
  readonly count: number;
}

/** Refused packets of which no line tells: there were too many. */
export interface UntoldLine {
  readonly op: 'untold';
  readonly count: number;
}

export type ResolverLine = HelloLine | HeldQuestion | CheckLine | NumberedOrder;
export type EnforcerLine =
  | HelloLine
  | HeldLine
  | HeldEndLine
  | RulesLine
  | AckLine
  | FaultLine
  | RefusedLine
  | UntoldLine;
