import { newNames, USUAL_NAME } from '../../detect/estimate.ts';
import { type Blast, blastRadius } from '../../policy/explain/blast.ts';
import { type ExplainedRule, explainRule } from '../../policy/explain/rule-text.ts';
import { KIND, type Snapshot, type View } from '../../policy/snapshot.ts';
import type { BudgetSetting } from '../../settings/settings.ts';
import { sizeText } from '../size-text.ts';
import { count, enumerate, escapeText, type Terminal } from '../terminal.ts';

/**
 * What each pattern of a policy matches, and how much a question under it can carry: a heading for each destination,
 * and for what is written on the spot, with whom it is for. Patterns that are many and alike are counted. `usual`: the budget
 * of wildcards that have none of their own.
 */
export function patternLines(terminal: Terminal, snapshot: Snapshot, usual: BudgetSetting): string[] {
  const users = usersBySet(snapshot);
  const listNames = snapshot.rules.count <= LISTED_IN_ALL;
  return rulesBySet(snapshot).flatMap((rules, set) => {
    const who = users[set]!;
    const destination = snapshot.sets[set] ?? (who.exceptions ? 'exceptions' : 'on the spot');
    const title = terminal.paint('bold', escapeText(destination));
    const names = who.names.length === 0 ? 'nobody' : enumerate(who.names);
    return [`${title} (for ${names})`, ...setLines(snapshot, rules, listNames, usual)];
  });
}

/** What one view approves, a pattern each, in the order written. */
export function identityPatterns(
  snapshot: Snapshot,
  view: View,
): Pick<ExplainedRule, 'pattern' | 'destination' | 'until' | 'fallback'>[] {
  const bySet = rulesBySet(snapshot);
  return Array.from(view.sets).flatMap((set) =>
    (bySet[set] ?? [])
      .filter((rule) => !isRepeated(snapshot, rule))
      .map((rule) => {
        const { pattern, destination, until, fallback } = explainRule(snapshot, rule);
        return { pattern, destination, until, fallback };
      }),
  );
}

/** The rules of some views, each pattern once, in the order written. */
export function viewRules(snapshot: Snapshot, views: readonly View[]): ExplainedRule[] {
  const bySet = rulesBySet(snapshot);
  const sets = new Set(views.flatMap((view) => Array.from(view.sets)));
  const rules = [...sets].flatMap((set) => (bySet[set] ?? []).filter((rule) => !isRepeated(snapshot, rule)));
  const found = new Map(rules.map((rule) => explainRule(snapshot, rule)).map((rule) => [rule.pattern, rule]));
  return [...found.values()];
}

/** What rules open of their addresses, where they say it themselves, in the order written. */
export function rulePorts(snapshot: Snapshot): { pattern: string; at: string; ports: readonly string[] }[] {
  return rulesBySet(snapshot)
    .flat()
    .filter((rule) => !isRepeated(snapshot, rule))
    .flatMap((rule) => {
      const { pattern, file, line, ports } = explainRule(snapshot, rule);
      return ports === undefined ? [] : [{ pattern, at: `${file}:${line}`, ports }];
    });
}

/** The same of what an identity has as exceptions alone: without a stage, what is dynamic is one. */
export function exceptionRules(snapshot: Snapshot, view: View): ExplainedRule[] {
  const sets = view.sets.filter((_, i) => view.dynamic[i] === 1);
  return viewRules(snapshot, [{ ...view, sets }]);
}

/** Patterns of one kind that are listed one by one in a set; what stands in more is counted. */
const LISTED = 20;

/** Up to so many rules in all, names written out are listed; beyond, the list hides what matters. */
const LISTED_IN_ALL = 500;

function setLines(
  snapshot: Snapshot,
  rules: readonly number[],
  listNames: boolean,
  usual: BudgetSetting,
): string[] {
  const lines: string[] = [];
  const names = rules.filter((rule) => isPlainName(snapshot, rule));
  const patterns = rules.filter((rule) => !isPlainName(snapshot, rule) && !isRepeated(snapshot, rule));
  const unlisted = listNames ? names.length > LISTED : names.length > 1;
  if (!unlisted) for (const rule of names) lines.push(blastLine(blastRadius(snapshot, rule)));
  for (const rule of patterns.slice(0, LISTED))
    lines.push(blastLine(blastRadius(snapshot, rule), budgetText(snapshot, rule, usual)));
  if (patterns.length > LISTED) lines.push(restLine(snapshot, patterns.slice(LISTED)));
  if (unlisted) lines.push(`  ${count(names.length, 'name')}, each that name alone`);
  return lines;
}

function blastLine({ rule, matches, bits }: Blast, budget = ''): string {
  const ports = rule.ports === undefined ? '' : `; opens ${rule.ports.join(', ')}`;
  const keep = rule.keep === undefined ? '' : '; until the lease ends';
  const leak = bits === 0 ? '' : `; a question can carry ${bits} bits`;
  const until = rule.until === null ? '' : `; until ${rule.until}`;
  return `  ${escapeText(rule.pattern).padEnd(40)} ${matches}${leak}${budget}${ports}${keep}${until}`;
}

/** What the budget of a wildcard means to whoever reviews it; empty for other rules. */
function budgetText({ rules }: Snapshot, rule: number, usual: BudgetSetting): string {
  if (rules.kind[rule]! < KIND.STAR) return '';
  const { budget, maxLabels, maxLabelLength } = rules.terms[rules.term[rule]!]!;
  const { alert, contain } = budget ?? usual;
  const told = alert === 0 ? 'without an alert' : `alert from ${sizeText(alert)}`;
  if (contain === 0) return `; a job and day: new names without bound (${told})`;
  const labels = rules.kind[rule] === KIND.STAR ? 1 : maxLabels;
  const length = Math.min(USUAL_NAME, labels * (maxLabelLength + 1) - 1);
  const names = newNames(contain, length);
  const many = names === 0 ? 'no new name' : `about ${count(names, 'new name')}`;
  return `; a job and day: ${many} of ${length} octets (${told}, at most ${sizeText(contain)})`;
}

function restLine(snapshot: Snapshot, rules: readonly number[]): string {
  const most = rules.reduce((bits, rule) => Math.max(bits, blastRadius(snapshot, rule).bits), 0);
  return `  ${count(rules.length, 'more pattern')}; a question can carry up to ${most} bits`;
}

function isPlainName({ rules }: Snapshot, rule: number): boolean {
  return rules.kind[rule] === 0 && !rules.written.has(rule);
}

/** A family with labels in front of its number is compiled into its names, one rule each: the first stands for all. */
function isRepeated({ rules }: Snapshot, rule: number): boolean {
  const text = rules.written.get(rule);
  return (
    text !== undefined &&
    rule > 0 &&
    rules.written.get(rule - 1) === text &&
    rules.line[rule - 1] === rules.line[rule] &&
    rules.term[rule - 1] === rules.term[rule]
  );
}

interface Users {
  /** Identities, with the stage in brackets where only a stage has it. */
  readonly names: string[];
  /** Somebody has it as an exception, and nobody otherwise. */
  exceptions: boolean;
}

function usersBySet(snapshot: Snapshot): Users[] {
  const users = snapshot.sets.map((): Users => ({ names: [], exceptions: false }));
  for (const { name, view, stages } of snapshot.identities) {
    const own = new Set(view.sets);
    view.sets.forEach((set, i) => {
      users[set]!.names.push(name);
      // Without a stage, what is dynamic is an exception.
      if (view.dynamic[i] === 1) users[set]!.exceptions = true;
    });
    for (const stage of stages) {
      for (const set of stage.view.sets) if (!own.has(set)) users[set]!.names.push(`${name} (${stage.name})`);
    }
  }
  return users;
}

/** The rules of each set in the order written. */
function rulesBySet({ postings, rules, sets }: Snapshot): number[][] {
  const bySet: number[][] = sets.map(() => []);
  for (let at = 0; at < postings.set.length; at++) {
    for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
      bySet[postings.set[at]!]!.push(rule);
    }
  }
  for (const list of bySet) list.sort((a, b) => a - b);
  return bySet;
}
