import { isAtOrUnder } from '../../wire/name.ts';
import { type Decision, GROUND, VERDICT } from '../decide/decision.ts';
import type { Identity, RuleIndex, Snapshot, Stage } from '../snapshot.ts';

/** Reasons in a few words, for EDE texts. `explain.ts` says more. */
export const REASON = {
  NOT_APPROVED: 'name not approved',
  ENDED: 'its approval has ended',
  OWN_LIST: 'not approved at this stage',
  UNKNOWN: 'no identity claims this client',
  TYPE: 'type not approved',
  SEARCH: 'search-list miss, the name without the suffix is tried next',
  SPECIAL: 'special name',
  PRIVATE_ADDRESS: 'answer held an address that the rule does not grant',
  TARGET: 'answer led to a name that is not approved',
  LIMIT: 'over its queries a second',
  SHARE: 'over its share of questions in flight',
  CHARACTER: 'a wildcard takes letters, digits, - and _ alone',
  BUDGET: 'the budget of its wildcard is spent',
} as const;

/** The reason for a denied or emptied question, or the empty text where it is not one. */
export function denialReason(identity: Identity, decision: Decision): string {
  if (decision.ground === GROUND.OTHER_STAGE) return stageReason(decision.nearStage);
  if (decision.verdict === VERDICT.EMPTY) return decision.ground === GROUND.RULE ? REASON.TYPE : '';
  if (decision.verdict !== VERDICT.DENY) return '';
  if (decision.ground === GROUND.SPECIAL) return REASON.SPECIAL;
  if (identity.index < 0) return REASON.UNKNOWN;
  if (decision.ground === GROUND.CHARACTER) return REASON.CHARACTER;
  if (decision.ground === GROUND.ENDED) return REASON.ENDED;
  if (isSearchMiss(identity, decision)) return REASON.SEARCH;
  return decision.resembles === '' ? REASON.NOT_APPROVED : `did you mean ${decision.resembles}?`;
}

const stageReasons = new WeakMap<Stage, string>();

/** The same text each time, so that it can be looked up by itself. */
function stageReason(stage: Stage | null): string {
  if (stage === null) return REASON.OWN_LIST;
  let reason = stageReasons.get(stage);
  if (reason === undefined) {
    reason = `approved at stage ${stage.name}`;
    stageReasons.set(stage, reason);
  }
  return reason;
}

/**
 * Whom to ask about a question, so that he can approve it: who answers for the destination of the rule that comes nearest,
 * else the contact, else whose identity it is. `contact` is empty where the server has none.
 */
export function whomToAsk(
  snapshot: Snapshot,
  identity: Identity,
  contact: string,
  decision: Decision,
): string {
  if (decision.ground === GROUND.OTHER_STAGE) return identity.owner || contact;
  const rule = decision.near >= 0 ? decision.near : decision.rule;
  return rule < 0 ? contact || identity.owner : approverOf(snapshot, rule, contact);
}

/** Who can change a rule: an exception's owner is whose identity it is, and who approved it is another. */
function approverOf({ rules }: Snapshot, rule: RuleIndex, contact: string): string {
  const { owner, approvedBy } = rules.terms[rules.term[rule]!]!;
  return approvedBy === null ? owner : contact || approvedBy;
}

/** A stub appends its search suffixes before it tries the name itself: such a denial is nobody's mistake. */
export function isSearchMiss(identity: Identity, { subject }: Decision): boolean {
  if (identity.search.length === 0) return false;
  const name = subject.name.subarray(0, nameEnd(subject.name));
  return identity.search.some((suffix) => name.length > suffix.length && isAtOrUnder(name, suffix));
}

function nameEnd(name: Uint8Array): number {
  let at = 0;
  while (name[at] !== 0) at += 1 + name[at]!;
  return at + 1;
}
