import { isTrustType, TYPE } from '../../wire/iana.ts';
import type { EpochSeconds, RrType } from '../../wire/quantity.ts';
import { FOREVER } from '../input.ts';
import { KIND, NODE, type RuleTree, type Snapshot, type Terms, type View } from '../snapshot.ts';
import { FAMILY, findChild, NO_NODE, type Node } from '../tree.ts';
import { type Decision, GROUND, type Subject, VERDICT } from './decision.ts';
import { isHostOctet } from './host-octet.ts';
import { Joined, joinView } from './view.ts';

/**
 * Decides one question for a view. `dnssec` is whether the client sent DO or CD, `now` whole seconds
 * since 1970: a fraction would be boxed at each call. Fills `out`. Walks labels, allocates nothing, and its cost depends on the name: not on how many rules there are.
 */
export function decide(
  snapshot: Snapshot,
  view: View,
  subject: Subject,
  type: RrType,
  dnssec: boolean,
  now: EpochSeconds,
  out: Decision,
): void {
  walk(snapshot, subject, 0, out);
  out.type = type;
  out.now = now;
  out.ground = GROUND.NOTHING;
  out.near = -1;
  out.verdict = VERDICT.DENY;
  if (out.special !== NO_NODE) {
    out.ground = GROUND.SPECIAL;
    out.verdict = (snapshot.nodeFlags[out.special]! & NODE.CANARY) !== 0 ? VERDICT.DENY : VERDICT.LOCAL;
    out.rule = -1;
    out.dynamic = false;
    out.until = FOREVER;
  } else if (approve(snapshot, view, out)) {
    out.ground = GROUND.RULE;
    out.verdict = isLocal(snapshot, out) ? VERDICT.LOCAL : VERDICT.ALLOW;
  } else {
    out.rule = out.refused;
    const written = out.node !== NO_NODE && isWrittenBelow(snapshot, view, out.node, now);
    // Local data is local for every type: nothing about an approved name that has some is asked outside.
    const outside = out.refused >= 0 ? !isLocal(snapshot, out) : written;
    if (dnssec && outside && isTrustType(type)) {
      out.ground = GROUND.CHAIN_OF_TRUST;
      out.verdict = VERDICT.ALLOW;
      if (out.refused >= 0) approveWhatever(snapshot, view, out);
    } else if (out.refused >= 0) {
      out.ground = GROUND.RULE;
      out.verdict = VERDICT.EMPTY;
    } else if (written || isAboveSpecial(snapshot, out)) {
      out.ground = GROUND.ABOVE;
      out.verdict = VERDICT.EMPTY;
    } else if (out.strange) out.ground = GROUND.CHARACTER;
  }
}

/** A name's DS and DNSKEY are approved by the rule that decides for the name, and for as long. */
function approveWhatever(snapshot: Snapshot, view: View, out: Decision): void {
  const { type } = out;
  out.type = TYPE.ANY;
  approve(snapshot, view, out);
  out.type = type;
}

/** Whether operator-written data stands at the walked name. */
function isLocal(snapshot: Snapshot, out: Decision): boolean {
  return out.node !== NO_NODE && (snapshot.nodeFlags[out.node]! & NODE.LOCAL) !== 0;
}

/** Finds the nodes on the way from the root to the subject, less its `first` leftmost labels. */
export function walk(snapshot: RuleTree, subject: Subject, first: number, out: Decision): void {
  const { tree, nodeFlags } = snapshot;
  const { name, labels } = subject;
  const last = subject.labelCount - 1;
  const count = subject.labelCount - first;
  out.subject = subject;
  out.first = first;
  out.count = count;
  out.special = NO_NODE;
  out.privateReverse = false;
  out.path[0] = 0;
  let seen = nodeFlags[0]!;
  let node = 0;
  let depth = 0;
  while (depth < count) {
    const at = labels[last - depth]!;
    const child = findChild(tree, node, name, at + 1, name[at]!);
    if (child === NO_NODE) break;
    node = child;
    out.path[++depth] = node;
    const flags = nodeFlags[node]!;
    seen |= flags;
    if ((flags & NODE.SPECIAL) !== 0) {
      out.special = node;
      break;
    }
    if ((flags & NODE.PRIVATE_REVERSE) !== 0) out.privateReverse = true;
  }
  out.depth = depth;
  out.seen = seen;
  out.node = depth === count ? node : NO_NODE;
}

/**
 * Looks for a live rule that approves the walked name for `out.type`, the most specific first: exact, family, `*.`, the
 * longest `**.`. Fills rule, dynamic and until, or `refused`.
 */
export function approve(snapshot: RuleTree, view: View, out: Decision): boolean {
  const { nodeFlags } = snapshot;
  const count = out.count;
  out.refused = -1;
  out.strange = false;
  out.rule = -1;
  out.dynamic = false;
  out.until = FOREVER;
  if (out.node !== NO_NODE && bestAt(snapshot, view, out.node, KIND.EXACT, 0, out)) return true;
  if (count === 0 || (out.seen & (NODE.STAR | NODE.GLOBSTAR | NODE.FAMILY)) === 0) return false;
  if (out.depth >= count - 1) {
    const parent = out.path[count - 1]!;
    const flags = nodeFlags[parent]!;
    if ((flags & NODE.FAMILY) !== 0 && bestFamily(snapshot, view, parent, out)) return true;
    if ((flags & NODE.STAR) !== 0 && bestAt(snapshot, view, parent, KIND.STAR, 1, out)) return true;
  }
  for (let depth = Math.min(out.depth, count - 1); depth >= 0; depth--) {
    const node = out.path[depth]!;
    if ((nodeFlags[node]! & NODE.GLOBSTAR) === 0) continue;
    if (bestAt(snapshot, view, node, KIND.GLOBSTAR, count - depth, out)) return true;
  }
  return false;
}

/**
 * Among the view's live rules of this kind at this node that approve the type, and the one that `out` has already, takes
 * the one that ends last. `extra` is how many labels stand in front of a wildcard's base; for a family, how many octets its
 * prefix has. Returns whether there is one.
 */
function bestAt(
  snapshot: RuleTree,
  view: View,
  node: Node,
  kind: number,
  extra: number,
  out: Decision,
): boolean {
  const { postings, rules } = snapshot;
  const { joined } = out;
  const end = postings.start[node + 1]!;
  let found = out.rule >= 0;
  for (let at = joinView(postings, view, postings.start[node]!, end, joined); at < end; ) {
    const dynamic = view.dynamic[joined.position] === 1;
    for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
      if (rules.kind[rule] !== kind) continue;
      const terms = rules.terms[rules.term[rule]!]!;
      if (terms.until <= out.now) continue;
      if (kind === KIND.FAMILY ? !inFamily(snapshot, rule, extra, out) : !fits(terms, extra, out)) continue;
      if (!approvesType(terms, kind, out.type)) {
        if (out.refused < 0) out.refused = rule;
        continue;
      }
      // Of two that end together, the one that the identity always has: its answers may live longer.
      if (found && (terms.until < out.until || (terms.until === out.until && (dynamic || !out.dynamic))))
        continue;
      found = true;
      out.rule = rule;
      out.until = terms.until;
      out.dynamic = dynamic;
    }
    at = joinView(postings, view, at + 1, end, joined);
  }
  return found;
}

/**
 * A family's label is a prefix, a number and a suffix: every prefix that ends before a digit may lead to one. All families
 * are equally specific, those that were compiled into their names among them.
 */
function bestFamily(snapshot: RuleTree, view: View, parent: number, out: Decision): boolean {
  const { name, labels } = out.subject;
  const at = labels[out.first]! + 1;
  let found = out.node !== NO_NODE && bestAt(snapshot, view, out.node, KIND.MEMBER, 0, out);
  for (let prefix = name[at - 1]! - 1; prefix >= 0; prefix--) {
    const octet = name[at + prefix]!;
    if (octet < 0x30 || octet > 0x39) continue;
    const node = findChild(snapshot.tree, (parent | FAMILY) >>> 0, name, at, prefix);
    if (node !== NO_NODE && bestAt(snapshot, view, node, KIND.FAMILY, prefix, out)) found = true;
  }
  return found;
}

function inFamily(snapshot: RuleTree, rule: number, prefix: number, out: Decision): boolean {
  const { name, labels } = out.subject;
  const at = labels[out.first]!;
  const family = snapshot.rules.families.get(rule)!;
  const digits = name[at]! - prefix - family.suffix.length;
  if (digits < family.width) return false;
  const first = at + 1 + prefix;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = name[first + i]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    value = value * 10 + digit;
  }
  // Only the width pads: 007 is no member of {0..199}, 0200 none of {000..999}.
  if (digits > family.width && name[first] === 0x30) return false;
  if (value < family.low || value > family.high) return false;
  for (let i = 0; i < family.suffix.length; i++)
    if (name[first + digits + i] !== family.suffix[i]) return false;
  return true;
}

/**
 * Whether the `free` labels in front of a wildcard's base keep within its terms, and hold what host names hold: other octets
 * are of no use to anybody but a message.
 */
export function fits(terms: Terms, free: number, out: Decision): boolean {
  if (free === 0) return true;
  if (free > terms.maxLabels) return false;
  const { name, labels } = out.subject;
  for (let i = 0; i < free; i++) if (name[labels[out.first + i]!]! > terms.maxLabelLength) return false;
  for (let i = 0; i < free; i++) {
    const at = labels[out.first + i]!;
    for (let j = 1; j <= name[at]!; j++) {
      if (isHostOctet(name[at + j]!)) continue;
      out.strange = true;
      return false;
    }
  }
  return true;
}

/** Default types: A, AAAA, CNAME, and HTTPS where the name is written out. ANY asks about the name itself. */
function approvesType(terms: Terms, kind: number, type: RrType): boolean {
  if (type === TYPE.ANY) return true;
  if (terms.typeBits === null) {
    return (
      type === TYPE.A ||
      type === TYPE.AAAA ||
      type === TYPE.CNAME ||
      (type === TYPE.HTTPS && kind <= KIND.FAMILY)
    );
  }
  if (type < 256) return (terms.typeBits[type >>> 5]! & (1 << (type & 31))) !== 0;
  return terms.highTypes.includes(type);
}

/** Where a set was found is of no interest: nobody reads it. */
const unread = new Joined();

/** Whether a live name of the view is written out under this node, or a wildcard or family stands on it. */
export function isWrittenBelow(snapshot: Snapshot, view: View, node: Node, now: EpochSeconds): boolean {
  const { postings } = snapshot;
  const end = postings.start[node + 1]!;
  for (let at = joinView(postings, view, postings.start[node]!, end, unread); at < end; ) {
    if (postings.below[at]! > now) return true;
    at = joinView(postings, view, at + 1, end, unread);
  }
  return false;
}

/** The root, and what special names lie under, exist for everyone. */
export function isAboveSpecial(snapshot: Snapshot, out: Decision): boolean {
  return (
    out.node === 0 || (out.node !== NO_NODE && (snapshot.nodeFlags[out.node]! & NODE.ABOVE_SPECIAL) !== 0)
  );
}
