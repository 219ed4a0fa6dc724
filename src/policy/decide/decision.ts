import type { EpochSeconds, RrType } from '../../wire/quantity.ts';
import { FOREVER } from '../input.ts';
import type { RuleIndex, Stage } from '../snapshot.ts';
import { NO_NODE, type Node } from '../tree.ts';
import { Joined } from './view.ts';

/** What the policy says of one question. `contain` comes with the ledger. */
export const VERDICT = { DENY: 0, EMPTY: 1, ALLOW: 2, LOCAL: 3 } as const;

export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

/** Why, beside the rule: what the text for people is made from. */
export const GROUND = {
  /** A rule approves, or (EMPTY) matches but not for this type. */
  RULE: 0,
  /** Nothing in the view. */
  NOTHING: 1,
  /** The root, or a name with something written out under it. */
  ABOVE: 2,
  /** A special name decides. */
  SPECIAL: 3,
  /** DS or DNSKEY of an approved name or an ancestor, for a validator. */
  CHAIN_OF_TRUST: 4,
  /** A rule of the view approved it until its end: `near`. */
  ENDED: 5,
  /** The same identity approves it, name and type, at another stage: `near`, `nearStage`. With DENY and EMPTY alike. */
  OTHER_STAGE: 6,
  /** A wildcard or family of the view just misses the name: `near`. */
  BESIDE: 7,
  /** A wildcard matches but for an octet that is no letter, digit, hyphen or underscore. */
  CHARACTER: 8,
} as const;

export type Ground = (typeof GROUND)[keyof typeof GROUND];

/** Grounds as interfaces and events say them, such as `other_stage`, by number. */
export const GROUND_TEXT: readonly string[] = Object.keys(GROUND).map((name) => name.toLowerCase());

/** A question as `decide` wants it: the fields of `wire/question.ts`'s Query, or the same of any other name. */
export interface Subject {
  /** Wire name in lower case. */
  readonly name: Uint8Array;
  /** Where each label starts in it, the leftmost first. */
  readonly labels: Uint8Array;
  readonly labelCount: number;
}

const NO_SUBJECT: Subject = { name: new Uint8Array(1), labels: new Uint8Array(0), labelCount: 0 };

/** A verdict with what it rests on. One object is filled again and again. */
export class Decision {
  verdict: Verdict = VERDICT.DENY;
  ground: Ground = GROUND.NOTHING;
  /** Index into Snapshot.rules, or -1. */
  rule: RuleIndex = -1;
  /** A stage or exception approves: TTLs are short. */
  dynamic = false;
  /** Seconds since 1970 at which the approval ends, or FOREVER. */
  until: EpochSeconds = FOREVER;
  /** The question's own node, or NO_NODE when it is written nowhere. */
  node: Node = NO_NODE;
  /** With GROUND.SPECIAL, the node of the special name. */
  special: Node = NO_NODE;
  /** The question lies in a reverse zone of private space. */
  privateReverse = false;

  /** What was asked; `first` labels on the left are left out of account when an ancestor is looked at. */
  subject: Subject = NO_SUBJECT;
  first = 0;
  /** Labels that count. */
  count = 0;
  type: RrType = 0;
  now: EpochSeconds = 0;
  /** How many of them the tree knows, from the right. */
  depth = 0;
  /** NODE bits of all nodes on the way. */
  seen = 0;
  /** Node of the question's i rightmost labels, for i up to `depth`. */
  readonly path = new Int32Array(128);
  /** The most specific rule that matches the name but not the type, or -1. */
  refused: RuleIndex = -1;
  /** With ENDED, OTHER_STAGE and BESIDE the rule that comes nearest, or -1. */
  near: RuleIndex = -1;
  /** With GROUND.OTHER_STAGE the stage; null for the identity's own list, which this stage leaves out. */
  nearStage: Stage | null = null;
  /** Of what was refused: the entry of `expected:` that names it, an index into the rules of `Snapshot.expected`, or -1. */
  expected: RuleIndex = -1;
  /** The registered domain of an approved name that the denied name can be taken for, as text; empty for none. */
  resembles = '';
  /** A wildcard matches the name but for one of its octets. */
  strange = false;
  /** Where `joinView` found a rule's set in the view. */
  readonly joined = new Joined();

  /** Forgets what was decided last, so that nobody reads it as said of another question. */
  clear(): void {
    this.verdict = VERDICT.DENY;
    this.ground = GROUND.NOTHING;
    this.rule = -1;
    this.dynamic = false;
    this.until = FOREVER;
    this.node = NO_NODE;
    this.special = NO_NODE;
    this.privateReverse = false;
    this.subject = NO_SUBJECT;
    this.count = 0;
    this.depth = 0;
    this.refused = -1;
    this.near = -1;
    this.nearStage = null;
    this.expected = -1;
    this.resembles = '';
    this.strange = false;
  }
}
