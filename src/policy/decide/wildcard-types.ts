import { TYPE } from '../../wire/iana.ts';
import { type Identity, KIND, NODE, type Snapshot } from '../snapshot.ts';
import type { Decision } from './decision.ts';
import { Joined, joinView } from './view.ts';

/**
 * How many types the wildcards of an identity approve for the name of a question, at all of its stages together: whoever can
 * choose among rules, and when the next stage comes, chooses among the types of all of them. Rules that have ended count, so
 * that the number changes with a reload alone, and is counted once for each place in the tree. At least 1.
 */
export function wildcardTypes(
  snapshot: Snapshot,
  identity: Pick<Identity, 'view' | 'stages'>,
  decision: Pick<Decision, 'path' | 'count' | 'depth'>,
): number {
  const { path, count, depth } = decision;
  const labels = Math.min(depth, count - 1);
  let known = counts.get(identity);
  if (known === undefined) {
    known = new Map();
    counts.set(identity, known);
  }
  // The nodes above it are always the same ones; a `*.` there matters only right in front of the first label.
  const key = 2 * path[labels]! + (labels === count - 1 ? 1 : 0);
  let types = known.get(key);
  if (types === undefined) {
    types = countTypes(snapshot, identity, decision);
    known.set(key, types);
  }
  return types;
}

/** What was counted, by identity, which is another object in each snapshot: no more than the policy has nodes. */
const counts = new WeakMap<object, Map<number, number>>();

function countTypes(
  { postings, nodeFlags, rules }: Snapshot,
  { view, stages }: Pick<Identity, 'view' | 'stages'>,
  { path, count, depth }: Pick<Decision, 'path' | 'count' | 'depth'>,
): number {
  low.fill(0);
  highCount = 0;
  for (let labels = Math.min(depth, count - 1); labels >= 0; labels--) {
    const node = path[labels]!;
    if ((nodeFlags[node]! & (NODE.STAR | NODE.GLOBSTAR)) === 0) continue;
    const end = postings.start[node + 1]!;
    for (let stage = -1; stage < stages.length; stage++) {
      const own = stage < 0 ? view : stages[stage]!.view;
      for (let at = joinView(postings, own, postings.start[node]!, end, joined); at < end; ) {
        for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
          const kind = rules.kind[rule]!;
          const matches = kind === KIND.GLOBSTAR || (kind === KIND.STAR && labels === count - 1);
          if (matches) add(rules.terms[rules.term[rule]!]!);
        }
        at = joinView(postings, own, at + 1, end, joined);
      }
    }
  }
  let types = highCount;
  for (let word = 0; word < low.length; word++) types += bitsIn(low[word]!);
  return Math.max(1, types);
}

/** Types below 256, a bit each, and the others. Not re-entrant. */
const low = new Int32Array(8);
const high = new Uint16Array(64);
let highCount = 0;
const joined = new Joined();

function add({ typeBits, highTypes }: Snapshot['rules']['terms'][number]): void {
  if (typeBits === null) {
    // What a wildcard approves unless its rule says otherwise.
    low[0]! |= (1 << TYPE.A) | (1 << TYPE.CNAME) | (1 << TYPE.AAAA);
    return;
  }
  for (let word = 0; word < low.length; word++) low[word]! |= typeBits[word]!;
  for (let i = 0; i < highTypes.length; i++) {
    let known = false;
    for (let at = 0; at < Math.min(highCount, high.length); at++) known ||= high[at] === highTypes[i];
    if (known) continue;
    // Beyond what there is room for each counts, whether or not it did before.
    if (highCount < high.length) high[highCount] = highTypes[i]!;
    highCount++;
  }
}

function bitsIn(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
