import { TYPE } from '../../wire/iana.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { NODE, type Snapshot, type View } from '../snapshot.ts';
import { NO_NODE } from '../tree.ts';
import { approve, isAboveSpecial, isWrittenBelow, walk } from './decide.ts';
import { Decision, type Subject } from './decision.ts';

/** For what is decided beside the question. Not re-entrant. */
const probe = new Decision();

/**
 * The closest ancestor in the view of the question that was decided, as how many labels it has; 0 is the root. With
 * `self` the question itself counts: it is in the tree, and only its type or data is missing. A name that a wildcard
 * approves is in the tree.
 */
export function closestAncestor(snapshot: Snapshot, view: View, decided: Decision, self: boolean): number {
  const { subject, count } = decided;
  probe.now = decided.now;
  probe.type = TYPE.ANY;
  // Beyond what the tree knows, only a pattern on the way approves: `*.` and families one label, `**.` any number.
  const reach = (decided.seen & NODE.GLOBSTAR) !== 0 ? count : decided.depth + 1;
  const known = (decided.seen & (NODE.STAR | NODE.FAMILY | NODE.GLOBSTAR)) !== 0 ? reach : decided.depth;
  let labels = Math.min(count, known);
  if (labels === count && !self) labels--;
  for (; labels > 0; labels--) {
    walk(snapshot, subject, count - labels, probe);
    if (probe.special !== NO_NODE) {
      // The canary and what lies below it are in nobody's tree; another special name is one zone with what lies below it.
      if ((snapshot.nodeFlags[probe.special]! & NODE.CANARY) !== 0) continue;
      return probe.depth;
    }
    if (isAboveSpecial(snapshot, probe)) return labels;
    if (probe.node !== NO_NODE && isWrittenBelow(snapshot, view, probe.node, probe.now)) return labels;
    if (approve(snapshot, view, probe)) return labels;
  }
  return 0;
}

/** Whether the view approves the name, for any type: what a target of MX, SRV, SVCB or HTTPS must be. */
export function approvesName(snapshot: Snapshot, view: View, subject: Subject, now: EpochSeconds): boolean {
  walk(snapshot, subject, 0, probe);
  probe.now = now;
  probe.type = TYPE.ANY;
  return probe.special === NO_NODE && approve(snapshot, view, probe);
}

/** Whether the decided name is one that NXDOMAIN must never be said of: something of the view lies below it (RFC 8020). */
export function isNonTerminal(snapshot: Snapshot, view: View, decided: Decision): boolean {
  const { node, now } = decided;
  return node !== NO_NODE && (isWrittenBelow(snapshot, view, node, now) || isAboveSpecial(snapshot, decided));
}
