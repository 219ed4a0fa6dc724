import { TYPE, typeToText } from '../../wire/iana.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { ContentHash } from '../compile/content-hash.ts';
import { FOREVER } from '../input.ts';
import { patternText } from '../pattern/pattern.ts';
import { KIND, type RuleIndex, type RuleTree } from '../snapshot.ts';
import { FAMILY, nameOfNode } from '../tree.ts';

/** A rule as interfaces show it. */
export interface ExplainedRule {
  readonly pattern: string;
  readonly destination: string | null;
  readonly file: string;
  readonly line: number;
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601, or null where it does not end. */
  readonly until: string | null;
  /** What a grant of it opens; absent for the server's default. */
  readonly ports?: readonly string[];
  readonly keep?: 'lease';
  /** What people do while it fails: a sentence, or `redirect NAME`; null where nothing is written. */
  readonly fallback: string | null;
}

/** A rule with its pattern as text and where it is written. */
export function explainRule(snapshot: RuleTree, rule: RuleIndex): ExplainedRule {
  const { rules } = snapshot;
  const terms = rules.terms[rules.term[rule]!]!;
  return {
    pattern: patternOf(snapshot, rule),
    destination: terms.destination,
    file: terms.file,
    line: rules.line[rule]!,
    owner: terms.owner,
    reason: terms.reason,
    until: terms.until === FOREVER ? null : isoTime(terms.until),
    ...(terms.ports === null ? {} : { ports: terms.ports }),
    ...(terms.keep === null ? {} : { keep: terms.keep }),
    fallback: terms.fallback?.text ?? null,
  };
}

/** `rule PATTERN of DESTINATION (FILE:LINE)`. */
export function ruleText({ pattern, destination, file, line }: ExplainedRule): string {
  return `rule ${pattern}${destination === null ? '' : ` of ${destination}`} (${file}:${line})`;
}

/** `seconds`: since 1970. */
export function isoTime(seconds: EpochSeconds): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** The types that a rule approves, as they would be written. */
export function typesOf({ rules }: RuleTree, rule: RuleIndex): string[] {
  const { types } = rules.terms[rules.term[rule]!]!;
  if (types !== null) return types.map(typeToText);
  const common = [TYPE.A, TYPE.AAAA, TYPE.CNAME].map(typeToText);
  return rules.kind[rule]! <= KIND.FAMILY ? [...common, typeToText(TYPE.HTTPS)] : common;
}

/** 16 hexadecimal digits for all that a rule says, wherever it is written: an edit of its line is another rule. */
export function ruleHash(snapshot: RuleTree, rule: RuleIndex): string {
  const { file: _file, line: _line, ...said } = explainRule(snapshot, rule);
  const { rules } = snapshot;
  const { private: granted } = rules.terms[rules.term[rule]!]!;
  const hash = new ContentHash();
  hash.text(JSON.stringify([said, typesOf(snapshot, rule), granted]));
  return [hash.a, hash.b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function patternOf(snapshot: RuleTree, rule: RuleIndex): string {
  const { rules, tree } = snapshot;
  const written = rules.written.get(rule);
  if (written !== undefined) return written;
  const node = rules.node[rule]!;
  switch (rules.kind[rule]) {
    case KIND.STAR:
      return patternText({ kind: 'star', base: nameOfNode(tree, node) });
    case KIND.GLOBSTAR:
      return patternText({ kind: 'globstar', base: nameOfNode(tree, node) });
    case KIND.FAMILY: {
      const at = tree.labelAt[node]! + 1;
      const prefix = tree.labels.subarray(at, at + tree.labels[at - 1]!);
      const base = nameOfNode(tree, (tree.parents[node]! & ~FAMILY) >>> 0);
      const front = new Uint8Array(0);
      return patternText({ kind: 'family', front, prefix, base, ...rules.families.get(rule)! });
    }
    default:
      return patternText({ kind: 'exact', name: nameOfNode(tree, node) });
  }
}
