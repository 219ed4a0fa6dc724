import { Joined, joinView } from '../decide/view.ts';
import { MOST_WILDCARDS } from '../decide/wildcards.ts';
import { explainRule } from '../explain/rule-text.ts';
import { error, type Problem } from '../problem.ts';
import { KIND, NODE, type RuleIndex, type Snapshot, type View } from '../snapshot.ts';
import { FAMILY } from '../tree.ts';

/**
 * Refuses wildcards with more of them above than a question can be charged to: its name would tell something to the widest
 * zones that nobody counts. Counted for whoever is allowed all of them at once.
 */
export function checkNesting(snapshot: Snapshot, problems: Problem[]): void {
  const { nodeFlags, tree } = snapshot;
  const { parents } = tree;
  /** Wildcards of anybody at each node and above it. */
  const counts = new Uint8Array(parents.length);
  for (let node = 1; node < parents.length; node++) {
    const isWild = (nodeFlags[node]! & WILD) !== 0;
    counts[node] = Math.min(255, counts[parents[node]! & ~FAMILY]! + (isWild ? 1 : 0));
    if (!isWild || counts[node]! <= MOST_WILDCARDS) continue;
    const rule = snapshot.views.map((view) => ruleBeyond(snapshot, view, node)).find((each) => each >= 0);
    if (rule === undefined) continue;
    const { pattern, file, line } = explainRule(snapshot, rule);
    const message = `${pattern} lies under ${MOST_WILDCARDS} other wildcards or more, and a question is charged to ${MOST_WILDCARDS} at most`;
    const fix = 'remove it, or one of those above: the widest approves what it does';
    problems.push(error('wildcards-nested', { file, line, column: 1 }, message, fix));
  }
}

const WILD = NODE.STAR | NODE.GLOBSTAR;

/** The rule of a wildcard at this node under which a view has too many above; else -1. */
function ruleBeyond(snapshot: Snapshot, view: View, node: number): RuleIndex {
  const { parents } = snapshot.tree;
  const rule = wildcardAt(snapshot, view, node);
  let count = 0;
  for (let at = node; rule >= 0 && at !== 0; at = parents[at]! & ~FAMILY)
    if ((snapshot.nodeFlags[at]! & WILD) !== 0 && wildcardAt(snapshot, view, at) >= 0) count++;
  return count > MOST_WILDCARDS ? rule : -1;
}

function wildcardAt({ postings, rules }: Snapshot, view: View, node: number): RuleIndex {
  const end = postings.start[node + 1]!;
  for (let at = joinView(postings, view, postings.start[node]!, end, joined); at < end; ) {
    for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1)
      if (rules.kind[rule]! >= KIND.STAR) return rule;
    at = joinView(postings, view, at + 1, end, joined);
  }
  return -1;
}

const joined = new Joined();
