import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import type { Detected } from './kinds.ts';

/** What was decided of a question, as a detector wants to know it. */
export type ObservedVerdict = 'deny' | 'empty' | 'contain' | 'would_deny' | 'would_contain' | 'allow';

/** Two signed words that tell a claim from another within its identity. */
export interface Who {
  readonly low: number;
  readonly high: number;
}

/** One question, or `count` equal ones, as the detectors hear of it. */
export interface Observed {
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
  readonly identity: string;
  /** Whom it is held against within the identity: the name of a certificate, or an address. */
  readonly claim: string;
  /** 64 bits of a keyed hash of the claim. */
  readonly who: Who;
  /** The lease's id; empty without one. */
  readonly lease: string;
  /** Wire name in lower case; good during the call. */
  readonly name: Uint8Array;
  /** Where its registered domain starts. */
  readonly domain: number;
  readonly type: number;
  readonly verdict: ObservedVerdict;
  /** Questions that it stands for: 1 or more. */
  readonly count: number;
  /** The client has its address. */
  readonly proven: boolean;
  /** The policy says that this name is asked for in vain. */
  readonly expected: boolean;
  /** Another stage of the identity approves the name. */
  readonly isOfOtherStage: boolean;
  /** The claim is in quarantine. */
  readonly isInQuarantine: boolean;
  /** The registered domain of an approved name that it looks like, as text; empty for none. */
  readonly resembles: string;
  /** The rule is a wildcard or family: its names are many. */
  readonly isOfPattern: boolean;
}

/** What became of an approved question upstream. */
export interface UpstreamOutcome {
  readonly at: EpochMilliseconds;
  readonly identity: string;
  readonly claim: string;
  readonly who: Who;
  /** Wire name in lower case; good during the call. */
  readonly name: Uint8Array;
  /** Where its registered domain starts. */
  readonly domain: number;
  readonly type: number;
  /** The group of upstreams that is asked about it: a number. */
  readonly group: number;
  /** It came from there just now, and out of no cache. */
  readonly isFresh: boolean;
  /** `empty`: NOERROR without data. `missing`: NXDOMAIN. `failed`: SERVFAIL, nothing, or data that is no longer fresh. */
  readonly outcome: 'good' | 'empty' | 'missing' | 'failed';
  /** Questions that it stands for: 1 or more. */
  readonly count: number;
  /** All questions of its client since the last outcome that was none. */
  readonly questions: number;
}

/** What a detector saw in a question or in the passing of time. */
export interface Noticed {
  readonly finding: Detected;
  readonly severity: 'low' | 'medium' | 'high' | 'operations';
  /** Tells it from others of the same finding and identity. */
  readonly place: string;
  /** What it is about, for people. */
  readonly key: string;
  /** How long it stays open. */
  readonly window: Milliseconds;
  /** Whose it is; empty for nobody's. */
  readonly identity: string;
  /** Questions that are counted with it: 1 or more. */
  readonly count: number;
  /** It says the registered domain of the question where there are ever other places. */
  readonly hasDomain: boolean;
  /** It is over: nothing where it is not open. */
  readonly isOver?: boolean;
  /** Names to show, as text, beside the question's. */
  readonly names?: readonly string[];
  /** The approved name that a denied one looks like. */
  readonly target?: string;
  /** What is told in place of the usual words of the finding. */
  readonly words?: { readonly text: string; readonly next: string };
}

/** 32 bits of a keyed hash, signed, of octets from `from` on. */
export type OctetHash = (octets: Uint8Array, from: number, to: number) => number;
