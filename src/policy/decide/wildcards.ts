import type { EpochSeconds } from '../../wire/quantity.ts';
import { KIND, NODE, type Snapshot, type View } from '../snapshot.ts';
import type { Decision } from './decision.ts';
import { Joined, joinView } from './view.ts';

/** Wildcards that a name lies under at most: a policy with more of them above one another is refused. */
export const MOST_WILDCARDS = 8;

/** The wildcards of a view that a name lies under, by how many labels their bases have, the rule's own first. */
export class WildcardsAbove {
  count = 0;
  readonly labels = new Int32Array(MOST_WILDCARDS);
}

/**
 * Finds the base of the wildcard that decided a question, and of every live wildcard of the view above it: whoever owns a
 * name in a wider zone can be told through the narrower one. `out.count` is 0 where no wildcard decided. Allocates nothing.
 */
export function wildcardsAbove(
  snapshot: Snapshot,
  view: View,
  decision: Decision,
  now: EpochSeconds,
  out: WildcardsAbove,
): void {
  out.count = 0;
  const { rules, nodeFlags } = snapshot;
  const { rule, path } = decision;
  if (rule < 0 || rules.kind[rule]! < KIND.STAR) return;
  const base = rules.node[rule]!;
  let labels = Math.min(decision.depth, decision.count);
  while (labels > 0 && path[labels] !== base) labels--;
  out.labels[out.count++] = labels;
  for (labels--; labels > 0 && out.count < MOST_WILDCARDS; labels--) {
    const node = path[labels]!;
    if ((nodeFlags[node]! & (NODE.STAR | NODE.GLOBSTAR)) === 0) continue;
    if (hasWildcard(snapshot, view, node, now)) out.labels[out.count++] = labels;
  }
}

function hasWildcard({ postings, rules }: Snapshot, view: View, node: number, now: EpochSeconds): boolean {
  const end = postings.start[node + 1]!;
  for (let at = joinView(postings, view, postings.start[node]!, end, joined); at < end; ) {
    for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
      if (rules.kind[rule]! >= KIND.STAR && rules.terms[rules.term[rule]!]!.until > now) return true;
    }
    at = joinView(postings, view, at + 1, end, joined);
  }
  return false;
}

/** Not re-entrant. */
const joined = new Joined();
