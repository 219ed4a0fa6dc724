import { KIND, type Snapshot } from '../snapshot.ts';
import { nameOfNode } from '../tree.ts';
import { type ExplainedRule, explainRule } from './rule-text.ts';

/** What one rule matches, and how much a job could say with one question under it. */
export interface Blast {
  readonly rule: ExplainedRule;
  readonly kind: 'name' | 'family' | 'wildcard';
  /** In words. */
  readonly matches: string;
  /** Information that the choice of a name can carry, in bits, rounded up. */
  readonly bits: number;
}

/** The blast radius of a rule. A family that was compiled into its names is a family still. */
export function blastRadius(snapshot: Snapshot, rule: number): Blast {
  const { rules, tree } = snapshot;
  const explained = explainRule(snapshot, rule);
  switch (rules.kind[rule]) {
    case KIND.EXACT:
      return { rule: explained, kind: 'name', matches: 'that name alone', bits: 0 };
    case KIND.MEMBER: {
      const [, low, high] = /\{(\d+)\.\.(\d+)\}/.exec(explained.pattern)!;
      return family(explained, Number(low), Number(high));
    }
    case KIND.FAMILY: {
      const { low, high } = rules.families.get(rule)!;
      return family(explained, low, high);
    }
    default: {
      const { maxLabels, maxLabelLength } = rules.terms[rules.term[rule]!]!;
      const room = 255 - nameOfNode(tree, rules.node[rule]!).length;
      const labels = rules.kind[rule] === KIND.STAR ? 1 : maxLabels;
      const length = Math.max(0, Math.min(maxLabelLength, room - 1));
      const many =
        labels === 1 ? 'one label' : labels >= 127 ? 'any number of labels' : `1 to ${labels} labels`;
      const matches = `${many} of up to ${length} octets in front of the base`;
      return { rule: explained, kind: 'wildcard', matches, bits: wildcardBits(room, labels, length) };
    }
  }
}

function family(rule: ExplainedRule, low: number, high: number): Blast {
  const names = high - low + 1;
  return { rule, kind: 'family', matches: `${names} names`, bits: Math.ceil(Math.log2(names)) };
}

/** Octets that a label can hold and that DNS tells apart: 256 less the 26 capital letters. */
const OCTETS = 230;

const known = new Map<string, number>();

/**
 * log2 of how many names fit into `room` octets in front of a base, as 1 to `labels` labels of 1 to `length` octets,
 * rounded up. They are counted by the octets that they fill: `ways[n]` is how many sequences of so many labels fill n,
 * divided by OCTETS^n, which keeps it within a double.
 */
function wildcardBits(room: number, labels: number, length: number): number {
  const key = `${room} ${labels} ${length}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const all = new Float64Array(room + 1);
  let ways = new Float64Array(room + 1);
  ways[0] = 1;
  // A label fills two octets at least.
  for (let count = 1; count <= Math.min(labels, room >> 1); count++) {
    const next = new Float64Array(room + 1);
    const top = Math.min(room, count * (length + 1));
    for (let n = 2; n <= top; n++) {
      // Added up anew each time: a running sum would lose the small numbers at the far end, which weigh most.
      let sum = 0;
      for (let used = Math.max(0, n - 1 - length); used <= n - 2; used++) sum += ways[used]!;
      next[n] = sum / OCTETS;
      all[n]! += next[n]!;
    }
    ways = next;
  }
  const top = Math.min(room, labels * (length + 1));
  const names = all.reduce((sum, share, n) => (n > top ? sum : sum + share * OCTETS ** (n - top)), 0);
  const bits = names === 0 ? 0 : Math.ceil(Math.log2(names) + top * Math.log2(OCTETS));
  known.set(key, bits);
  return bits;
}
