import { explainRule, type ExplainedRule } from './explain.ts';
import { KIND, type Snapshot } from './snapshot.ts';
import { nameOfNode } from './tree.ts';

/** What one rule matches, and how much a job could say with one question under it. */
export interface Blast {
  readonly rule: ExplainedRule;
  readonly kind: 'name' | 'family' | 'wildcard';
  /** In words. */
  readonly matches: string;
  /** Information that the choice of a question can carry, in bits, rounded up. */
  readonly bits: number;
}

/** Octets that a label can hold and that DNS tells apart: 256 less the 26 capital letters. */
const BITS_PER_OCTET = Math.log2(230);

/** The blast radius of a rule. */
export function blastRadius(snapshot: Snapshot, rule: number): Blast {
  const { rules, tree } = snapshot;
  const explained = explainRule(snapshot, rule);
  const { maxLabels, maxLabelLength } = rules.terms[rules.term[rule]!]!;
  switch (rules.kind[rule]) {
    case KIND.EXACT:
      return { rule: explained, kind: 'name', matches: 'that name alone', bits: 0 };
    case KIND.FAMILY: {
      const { low, high } = rules.families.get(rule)!;
      const names = high - low + 1;
      return { rule: explained, kind: 'family', matches: `${names} names`, bits: Math.ceil(Math.log2(names)) };
    }
    default: {
      const star = rules.kind[rule] === KIND.STAR;
      const room = 255 - nameOfNode(tree, rules.node[rule]!).length;
      const labels = star ? 1 : maxLabels;
      const length = Math.min(maxLabelLength, room - 1);
      const used = Math.min(labels, Math.ceil(room / (length + 1)));
      const octets = Math.min(used * length, room - used);
      const many = labels === 1 ? 'one label' : labels >= 127 ? 'any number of labels' : `1 to ${labels} labels`;
      const matches = `${many} of up to ${length} octets in front of the base`;
      return { rule: explained, kind: 'wildcard', matches, bits: Math.ceil(octets * BITS_PER_OCTET) };
    }
  }
}
