import { approve, fits, walk } from '../decide/decide.ts';
import { Decision, GROUND, type Ground } from '../decide/decision.ts';
import { Joined, joinView } from '../decide/view.ts';
import { KIND, NODE, type RuleIndex, type Snapshot, type View } from '../snapshot.ts';
import { FAMILY, findChild, NO_NODE, type Node } from '../tree.ts';

/**
 * Says what comes nearest to approving a question that neither the view nor another stage approves: a rule that has ended, or
 * a pattern that just misses the name. Writes `near`; leaves it where nothing comes near. `decided`: as `decide` left it, of
 * that view. Allocates nothing, and costs nothing for a name that no rule of anybody comes near.
 */
export function findNear(snapshot: Snapshot, view: View, decided: Decision): Ground | null {
  decided.near = -1;
  if (decided.node === NO_NODE && (decided.seen & PATTERN) === 0) return null;
  const { subject, now, type } = decided;
  walk(snapshot, subject, 0, probe);
  probe.type = type;
  // Before all ends every rule holds.
  probe.now = 0;
  if (approve(snapshot, view, probe)) return take(decided, GROUND.ENDED, probe.rule);
  probe.now = now;
  const beside = ruleBeside(snapshot, view);
  return beside < 0 ? null : take(decided, GROUND.BESIDE, beside);
}

const PATTERN = NODE.STAR | NODE.GLOBSTAR | NODE.FAMILY;
/** Not re-entrant. */
const probe = new Decision();
const joined = new Joined();

function take(decided: Decision, ground: Ground, rule: RuleIndex): Ground {
  decided.near = rule;
  return ground;
}

/** The rule of the nearest wildcard or family above the walked name, or -1. */
function ruleBeside(snapshot: Snapshot, view: View): RuleIndex {
  const { nodeFlags } = snapshot;
  for (let depth = probe.depth; depth >= 0; depth--) {
    const node = probe.path[depth]!;
    const flags = nodeFlags[node]!;
    if ((flags & NODE.FAMILY) !== 0 && depth === probe.count - 1) {
      const rule = familyBeside(snapshot, view, node);
      if (rule >= 0) return rule;
    }
    if ((flags & (NODE.STAR | NODE.GLOBSTAR)) === 0) continue;
    const rule = liveAt(snapshot, view, node, true);
    if (rule >= 0) return rule;
  }
  return -1;
}

/** A family whose prefix the name has, though its number is another. */
function familyBeside(snapshot: Snapshot, view: View, parent: Node): RuleIndex {
  const { name, labels } = probe.subject;
  const at = labels[0]! + 1;
  for (let prefix = name[at - 1]! - 1; prefix >= 0; prefix--) {
    const octet = name[at + prefix]!;
    if (octet < 0x30 || octet > 0x39) continue;
    const node = findChild(snapshot.tree, (parent | FAMILY) >>> 0, name, at, prefix);
    const rule = node === NO_NODE ? -1 : liveAt(snapshot, view, node, false);
    if (rule >= 0) return rule;
  }
  return -1;
}

/** A live rule of the view at a node: a wildcard, or a family. */
function liveAt(snapshot: Snapshot, view: View, node: Node, wildcard: boolean): RuleIndex {
  const { postings, rules } = snapshot;
  const end = postings.start[node + 1]!;
  for (let at = joinView(postings, view, postings.start[node]!, end, joined); at < end; ) {
    for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
      const kind = rules.kind[rule]!;
      const wanted = wildcard ? kind === KIND.STAR || kind === KIND.GLOBSTAR : kind === KIND.FAMILY;
      if (wanted && rules.terms[rules.term[rule]!]!.until > probe.now) return rule;
    }
    at = joinView(postings, view, at + 1, end, joined);
  }
  return -1;
}

/** Why a wildcard or family does not match a name that it comes near. */
export type Miss = 'base' | 'labels' | 'length' | 'number' | 'type';

/** `rule`: as `findNear` found it for what was decided. */
export function missOf(snapshot: Snapshot, rule: RuleIndex, decided: Decision): Miss {
  const { rules } = snapshot;
  if (rules.kind[rule] === KIND.FAMILY) return 'number';
  const terms = rules.terms[rules.term[rule]!]!;
  const most = rules.kind[rule] === KIND.STAR ? 1 : terms.maxLabels;
  const node = rules.node[rule]!;
  const free = decided.count - Math.max(0, decided.path.subarray(0, decided.depth + 1).indexOf(node));
  if (free === 0) return 'base';
  if (free > most) return 'labels';
  return fits(terms, free, decided) ? 'type' : 'length';
}
