import { addressToText } from '../policy/address.ts';
import { denialReason } from '../policy/explain/reason.ts';
import { rangesRemedy } from '../policy/explain/remedy.ts';
import { explainRule, ruleText } from '../policy/explain/rule-text.ts';
import { seenAs } from '../resolve/client/unclaimed.ts';
import { rangesOf } from '../resolve/story/bounds.ts';
import type { Turn } from '../resolve/story/turn.ts';
import { nameToText } from '../wire/name.ts';
import type { StoryFinding } from './findings.ts';

/** What else a person needs so as to act on a finding: who asked, under which rule, and what to write. */
export function factsOf(turn: Turn, kind: StoryFinding['kind']): Readonly<Record<string, unknown>> {
  return { ...askerFacts(turn), ...ruleFacts(turn, kind), ...culpritFacts(turn, kind) };
}

function askerFacts({ asker }: Turn): Record<string, unknown> {
  const { bound, client } = asker;
  const lease = bound === null || bound.lease === '' ? {} : { lease: bound.lease, job: bound.job };
  return { client: seenAs(client), ...lease };
}

function ruleFacts({ decision, inForce, asker }: Turn, kind: StoryFinding['kind']): Record<string, unknown> {
  if (kind === 'would_deny') {
    const reason = denialReason(asker.standing.identity, decision);
    return reason === '' ? {} : { reason };
  }
  if (decision.rule < 0 || (kind !== 'private-address' && kind !== 'unapproved-target')) return {};
  return { rule: ruleText(explainRule(inForce.snapshot, decision.rule)) };
}

function culpritFacts(turn: Turn, kind: StoryFinding['kind']): Record<string, unknown> {
  const { decision, inForce, course, end, query } = turn;
  const { culprit } = end;
  if (culprit === null) return {};
  if (kind !== 'private-address') {
    const target = nameToText(culprit);
    const remedy = { remedy: `approve ${target} too` };
    return { target, ...(kind === 'would_deny' ? {} : remedy) };
  }
  const address = addressToText(culprit);
  if (decision.rule < 0) return { address };
  const name = course.redirect === null ? null : nameToText(query.name.subarray(0, query.nameLength));
  return { address, remedy: rangesRemedy(inForce.snapshot, decision.rule, rangesOf(turn), culprit, name) };
}
