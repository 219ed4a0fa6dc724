import { TYPE, typeToText } from '../wire/iana.ts';
import { isAtOrUnder, labelOffsets, nameToText } from '../wire/name.ts';
import { type RrType, type Seconds, unreachable } from '../wire/quantity.ts';
import { decide } from './decide.ts';
import { Decision, GROUND, VERDICT, type Verdict } from './decision.ts';
import { FOREVER } from './input.ts';
import { patternText } from './pattern.ts';
import { type Identity, KIND, type RuleIndex, type Snapshot, type View } from './snapshot.ts';
import { FAMILY, NO_NODE, nameOfNode } from './tree.ts';

/** Why a question is answered as it is: what `explain`, `_why` and the EDE texts say. */
export interface Explanation {
  readonly verdict: 'allow' | 'local' | 'empty' | 'deny';
  readonly mode: 'enforce' | 'audit';
  readonly identity: string;
  readonly stage: string | null;
  readonly name: string;
  readonly type: string;
  readonly rule: ExplainedRule | null;
  /** Whom to ask for a change; empty for `unknown`. */
  readonly ask: string;
  /** Why, in a few words, for what is not the rule's own reason. */
  readonly because: string;
}

export interface ExplainedRule {
  readonly pattern: string;
  readonly destination: string | null;
  readonly file: string;
  readonly line: number;
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601, or null where it does not end. */
  readonly until: string | null;
}

/** Explains one question: `name` is a wire name in lower case, `stage` null for none, `now` seconds since 1970. */
export function explain(
  snapshot: Snapshot,
  identity: Identity,
  stage: { readonly name: string; readonly view: View } | null,
  name: Uint8Array,
  type: RrType,
  now: Seconds,
): Explanation {
  const labels = new Uint8Array(128);
  const subject = { name, labels, labelCount: labelOffsets(name, labels) };
  const decision = new Decision();
  decide(snapshot, (stage ?? identity).view, subject, type, false, now, decision);
  return {
    verdict: VERDICT_TEXT[decision.verdict],
    mode: identity.auditUntil > now ? 'audit' : 'enforce',
    identity: identity.name,
    stage: stage?.name ?? null,
    name: nameToText(name),
    type: typeToText(type),
    rule: decision.rule < 0 ? null : explainRule(snapshot, decision.rule),
    ask: identity.owner,
    because: because(snapshot, identity, decision),
  };
}

const VERDICT_TEXT = {
  [VERDICT.DENY]: 'deny',
  [VERDICT.EMPTY]: 'empty',
  [VERDICT.ALLOW]: 'allow',
  [VERDICT.LOCAL]: 'local',
} as const satisfies Record<Verdict, Explanation['verdict']>;

/** The explanation on one line. */
export function explanationLine(explained: Explanation): string {
  const { name, type, verdict, mode, identity, stage, rule, ask } = explained;
  const who = stage === null ? identity : `${identity} at stage ${stage}`;
  const parts = [
    `${name} ${type}: ${verdict} for ${who}${mode === 'audit' ? ' (audit: resolved and recorded)' : ''}`,
  ];
  if (explained.because !== '') parts.push(explained.because);
  if (rule !== null) {
    const from = rule.destination === null ? '' : ` of ${rule.destination}`;
    const until = rule.until === null ? '' : ` until ${rule.until}`;
    parts.push(
      `rule ${rule.pattern}${from} (${rule.file}:${rule.line})${until}: ${rule.reason}; owner ${rule.owner}`,
    );
  }
  const refused = verdict === 'deny' || verdict === 'empty';
  if (refused && ask !== '') parts.push(`ask ${ask}`);
  return parts.join('; ');
}

/** What a reader of EDE needs: `identity: reason; ask owner`, or nothing for `unknown`. */
export function edeText(identity: Identity, reason: string): string {
  return identity.index < 0 ? '' : `${identity.name}: ${reason}; ask ${identity.owner}`;
}

/** Reasons of denials, in the words of EDE texts and explanations alike. */
export const REASON = {
  NOT_APPROVED: 'name not approved',
  UNKNOWN: 'no identity claims this client',
  TYPE: 'type not approved',
  SEARCH: 'search-list miss, the name without the suffix is tried next',
  SPECIAL: 'special name',
  PRIVATE_ADDRESS: 'answer held an address that the rule does not grant',
  TARGET: 'answer led to a name that is not approved',
  LIMIT: 'over its queries a second',
  SHARE: 'over its share of questions in flight',
} as const;

/** The reason for a denied or emptied question, or the empty text where it is not one. */
export function denialReason(identity: Identity, decision: Decision): string {
  if (decision.verdict === VERDICT.EMPTY) return decision.ground === GROUND.RULE ? REASON.TYPE : '';
  if (decision.verdict !== VERDICT.DENY) return '';
  if (decision.ground === GROUND.SPECIAL) return REASON.SPECIAL;
  if (identity.index < 0) return REASON.UNKNOWN;
  return isSearchMiss(identity, decision) ? REASON.SEARCH : REASON.NOT_APPROVED;
}

/** A stub appends its search suffixes before it tries the name itself: such a denial is nobody's mistake. */
function isSearchMiss(identity: Identity, { subject }: Decision): boolean {
  if (identity.search.length === 0) return false;
  const name = subject.name.subarray(0, nameEnd(subject.name));
  return identity.search.some((suffix) => name.length > suffix.length && isAtOrUnder(name, suffix));
}

function nameEnd(name: Uint8Array): number {
  let at = 0;
  while (name[at] !== 0) at += 1 + name[at]!;
  return at + 1;
}

function because(snapshot: Snapshot, identity: Identity, decision: Decision): string {
  const { ground } = decision;
  switch (ground) {
    case GROUND.SPECIAL: {
      const special = snapshot.specials.get(decision.special) ?? '';
      return decision.verdict === VERDICT.LOCAL
        ? `${special} is answered by namegate itself`
        : `${special} is denied to everyone`;
    }
    case GROUND.ABOVE:
      return 'no data: approved names lie below it';
    case GROUND.CHAIN_OF_TRUST:
      return 'asked by a validator';
    case GROUND.RULE:
    case GROUND.NOTHING:
      break;
    default:
      return unreachable(ground);
  }
  const denial = denialReason(identity, decision);
  if (denial !== '') return denial;
  if (decision.verdict === VERDICT.LOCAL) {
    const redirect = decision.node === NO_NODE ? null : snapshot.locals.get(decision.node)?.redirect;
    return redirect ? `redirected to ${nameToText(redirect.to)}` : 'answered from local records';
  }
  return TARGETED.has(decision.type) ? 'dropped if it leads to a name that is not approved' : '';
}

const TARGETED = new Set<number>([TYPE.MX, TYPE.SRV, TYPE.SVCB, TYPE.HTTPS]);

/** A rule with its pattern as text and where it is written. */
export function explainRule(snapshot: Snapshot, rule: RuleIndex): ExplainedRule {
  const { rules } = snapshot;
  const terms = rules.terms[rules.term[rule]!]!;
  return {
    pattern: patternOf(snapshot, rule),
    destination: terms.destination,
    file: terms.file,
    line: rules.line[rule]!,
    owner: terms.owner,
    reason: terms.reason,
    until: terms.until === FOREVER ? null : new Date(terms.until * 1000).toISOString().replace('.000Z', 'Z'),
  };
}

function patternOf(snapshot: Snapshot, rule: RuleIndex): string {
  const { rules, tree } = snapshot;
  const written = rules.written.get(rule);
  if (written !== undefined) return written;
  const node = rules.node[rule]!;
  switch (rules.kind[rule]) {
    case KIND.STAR:
      return patternText({ kind: 'star', base: nameOfNode(tree, node) });
    case KIND.GLOBSTAR:
      return patternText({ kind: 'globstar', base: nameOfNode(tree, node) });
    case KIND.FAMILY: {
      const at = tree.labelAt[node]! + 1;
      const prefix = tree.labels.subarray(at, at + tree.labels[at - 1]!);
      const base = nameOfNode(tree, (tree.parents[node]! & ~FAMILY) >>> 0);
      const front = new Uint8Array(0);
      return patternText({ kind: 'family', front, prefix, base, ...rules.families.get(rule)! });
    }
    default:
      return patternText({ kind: 'exact', name: nameOfNode(tree, node) });
  }
}
