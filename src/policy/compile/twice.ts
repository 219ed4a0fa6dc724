import { explainRule } from '../explain/rule-text.ts';
import type { DestinationInput, ListInput, PolicyInput, RuleInput } from '../input.ts';
import { patternText } from '../pattern/pattern.ts';
import { type Position, type Problem, warning } from '../problem.ts';
import { KIND, type RuleIndex, type Snapshot, type View } from '../snapshot.ts';

/** Sets with rules at one name that are compared with one another: a name that so many have is no oversight. */
const MOST_SETS = 8;

/** A pattern that two sets have on the same terms: the first time that it was seen, and how often. */
interface Shared {
  readonly sets: readonly [number, number];
  readonly rules: readonly [RuleIndex, RuleIndex];
  count: number;
}

/**
 * Warns of patterns that stand twice on the same terms, so that one of them says nothing: in a list, and in two destinations of
 * which whoever allows one allows the other. Patterns of one `names` are told where they are read.
 */
export function warnOfTwins(input: PolicyInput, snapshot: Snapshot, problems: Problem[]): void {
  const { postings, rules } = snapshot;
  const { start, set } = postings;
  const grants = grantsOf(snapshot);
  const lists = new Map(input.destinations.flatMap((each) => each.lists).map((list) => [list.file, list]));
  const inOne = new Map<string, Shared>();
  const inTwo = new Map<string, Shared>();
  const note = (into: Map<string, Shared>, key: string, made: Shared): void => {
    const known = into.get(key);
    if (known === undefined) into.set(key, made);
    else known.count++;
  };
  for (let node = 0; node + 1 < start.length; node++) {
    const end = start[node + 1]!;
    // Nearly every name has one rule.
    if (isSingle(start[node]!, end, postings.rule, rules.next)) continue;
    for (let at = start[node]!; at < end; at++) {
      for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
        const earlier = twinOf(snapshot, grants, rule, rules.next[rule]! - 1);
        if (earlier < 0) continue;
        const file = fileOf(snapshot, rule);
        const isSpot = snapshot.sets[set[at]!] === null;
        if (isSpot || lists.has(file) || lists.has(fileOf(snapshot, earlier)))
          note(inOne, file, { sets: [set[at]!, set[at]!], rules: [earlier, rule], count: 1 });
      }
      for (let other = at + 1; other < Math.min(end, at + MOST_SETS); other++) {
        for (let rule = postings.rule[other]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
          const twin = twinOf(snapshot, grants, rule, postings.rule[at]! - 1);
          if (twin < 0) continue;
          const sets = [set[at]!, set[other]!] as const;
          note(inTwo, sets.join(' '), { sets, rules: [twin, rule], count: 1 });
        }
      }
    }
  }
  const place = (rule: RuleIndex): Position => positionOf(input, lists, snapshot, rule);
  for (const { rules: pair, count, sets } of inOne.values()) {
    const { pattern } = explainRule(snapshot, pair[1]);
    const { file, line } = place(pair[0]);
    const message = `${pattern} stands in ${nameOf(snapshot, sets[0])} twice; the first is in ${file}:${line}${more(count)}`;
    problems.push(warning('pattern-twice', place(pair[1]), message, 'remove one'));
  }
  if (inTwo.size === 0) return;
  const views = viewsBySet(snapshot);
  const told = new Set<RuleIndex>();
  for (const { rules: pair, count, sets } of inTwo.values()) {
    const idle = [1, 0].find((at) => goesWith(views.get(sets[at]!) ?? [], sets[at]!, sets[1 - at]!));
    if (idle === undefined || told.has(pair[idle]!)) continue;
    told.add(pair[idle]!);
    const { file, line } = place(pair[1 - idle]!);
    const { pattern } = explainRule(snapshot, pair[idle]!);
    const message = `${pattern} stands in ${nameOf(snapshot, sets[1 - idle]!)} too (${file}:${line})${more(count)}`;
    const fix = 'remove it here: whoever is allowed this is allowed the other';
    problems.push(warning('pattern-twice', place(pair[idle]!), message, fix));
  }
}

function isSingle(from: number, end: number, heads: Uint32Array, next: Uint32Array): boolean {
  if (end - from !== 1) return end === from;
  const rule = heads[from]! - 1;
  return rule < 0 || next[rule] === 0;
}

function more(count: number): string {
  return count === 1 ? '' : `, and so ${count === 2 ? 'does one pattern' : `do ${count - 1} patterns`} more`;
}

function nameOf({ sets }: Snapshot, set: number): string {
  return sets[set] ?? 'a list of rules on the spot';
}

function fileOf({ rules }: Snapshot, rule: RuleIndex): string {
  return rules.terms[rules.term[rule]!]!.file;
}

/** The first of a chain of rules, from `first` on, that matches and grants what `rule` does; -1 for none. */
function twinOf(snapshot: Snapshot, grants: Int32Array, rule: RuleIndex, first: RuleIndex): RuleIndex {
  const { rules } = snapshot;
  const kind = rules.kind[rule]!;
  const grant = grants[rules.term[rule]!]!;
  if (grant < 0 || kind === KIND.MEMBER) return -1;
  // One name a thousand times in one list is not compared a million times.
  for (
    let other = first, looks = 0;
    other >= 0 && looks < MOST_SETS;
    other = rules.next[other]! - 1, looks++
  ) {
    if (rules.kind[other] !== kind || grants[rules.term[other]!] !== grant) continue;
    if (kind !== KIND.FAMILY || isSameRange(snapshot, rule, other)) return other;
  }
  return -1;
}

function isSameRange({ rules }: Snapshot, a: RuleIndex, b: RuleIndex): boolean {
  return JSON.stringify(rules.families.get(a)) === JSON.stringify(rules.families.get(b));
}

/** By terms: equal numbers grant the same, whoever says so and why; -1 for an exception, which is somebody's decision. */
function grantsOf({ rules }: Snapshot): Int32Array {
  const known = new Map<string, number>();
  return Int32Array.from(rules.terms, (terms) => {
    if (terms.approvedBy !== null) return -1;
    const { destination, owner, reason, file, typeBits, highTypes, ...granted } = terms;
    const key = JSON.stringify(granted);
    const number = known.get(key) ?? known.size;
    known.set(key, number);
    return number;
  });
}

function viewsBySet({ views }: Snapshot): Map<number, View[]> {
  const found = new Map<number, View[]>();
  for (const view of views) {
    for (const set of view.sets) {
      const those = found.get(set);
      if (those === undefined) found.set(set, [view]);
      else those.push(view);
    }
  }
  return found;
}

/** Whether each of the views, all of which hold `set`, holds `other` too, and for as long. */
function goesWith(views: readonly View[], set: number, other: number): boolean {
  return (
    views.length > 0 &&
    views.every(({ sets, dynamic }) => {
      const at = sets.indexOf(other);
      return at >= 0 && dynamic[at]! <= dynamic[sets.indexOf(set)]!;
    })
  );
}

/** Where a rule is written; a snapshot knows the line alone. */
function positionOf(
  input: PolicyInput,
  lists: ReadonlyMap<string, ListInput>,
  snapshot: Snapshot,
  rule: RuleIndex,
): Position {
  const file = fileOf(snapshot, rule);
  const line = snapshot.rules.line[rule]!;
  const list = lists.get(file);
  if (list !== undefined) return { file, line, column: columnOf(list, line) };
  const { pattern } = explainRule(snapshot, rule);
  const written = rulesOf(input).find(
    (each) => each.at.line === line && each.at.file === file && patternText(each.pattern) === pattern,
  );
  return written?.at ?? { file, line, column: 1 };
}

function columnOf({ text }: ListInput, line: number): number {
  const written = text.split('\n')[line - 1] ?? '';
  return Math.max(written.search(/\S/), 0) + 1;
}

function rulesOf({ destinations, identities }: PolicyInput): readonly RuleInput[] {
  const ofDestination = (each: DestinationInput): readonly RuleInput[] => each.rules;
  const spots = identities.flatMap(({ allow, stages }) =>
    [allow, ...stages.map(({ entries }) => entries)].flat(),
  );
  return [...destinations.flatMap(ofDestination), ...spots.filter((entry) => 'pattern' in entry)];
}
