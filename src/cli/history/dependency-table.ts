import type { PatternUse } from '../../history/dependency-rows.ts';
import type { KeptFinding } from '../../outbox/kept-findings.ts';
import type { ExplainedRule } from '../../policy/explain/rule-text.ts';
import type { Identity, Snapshot, View } from '../../policy/snapshot.ts';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import { viewRules } from '../policy/patterns.ts';

/** What an identity may need at a stage. Times are RFC 3339. */
export interface Dependency {
  /** Null for a rule that is written on the spot. */
  readonly destination: string | null;
  readonly owner: string;
  readonly identity: string;
  /** Empty without one. */
  readonly stage: string;
  readonly patterns: readonly string[];
  /** Null where the history has no use of it. */
  readonly last_used: string | null;
  readonly questions: number;
  /** `failing`: now; `failed`: in the last day, and answers again; `unused`: the history knows no use of it. */
  readonly state: 'failing' | 'failed' | 'good' | 'unused';
  readonly failures: readonly DependencyFailure[];
  /** What people do while it fails. */
  readonly fallbacks: readonly string[];
}

export interface DependencyFailure {
  readonly name: string;
  readonly first: string;
  readonly last: string;
  readonly now: boolean;
}

const DAY: Milliseconds = 86_400_000;

/** Destinations by identities and stages. `findings`: of the kind `dependency`. `now`: milliseconds since 1970. */
export function dependenciesOf(
  snapshot: Snapshot,
  identities: readonly Identity[],
  uses: readonly PatternUse[],
  findings: readonly KeptFinding[],
  now: EpochMilliseconds,
): Dependency[] {
  const used = new Map(uses.map((use) => [`${use.identity} ${use.stage} ${use.pattern}`, use]));
  const failed = Map.groupBy(
    findings.filter(({ state, last }) => state === 'open' || Date.parse(last) >= now - DAY),
    ({ identity, rule }) => `${identity} ${rule}`,
  );
  return identities.flatMap((identity) =>
    placesOf(identity, uses).flatMap(({ stage, view }) => {
      const bySource = Map.groupBy(viewRules(snapshot, [view]), sourceOf);
      return [...bySource.values()].map((rules) => dependencyOf(identity.name, stage, rules, used, failed));
    }),
  );
}

/** Each stage; and what it has without one, where it has no stages or asked so. */
function placesOf(
  { name, view, stages }: Identity,
  uses: readonly PatternUse[],
): { stage: string; view: View }[] {
  const isStageless =
    stages.length === 0 || uses.some(({ identity, stage }) => identity === name && stage === '');
  return [
    ...(isStageless ? [{ stage: '', view }] : []),
    ...stages.map((stage) => ({ stage: stage.name, view: stage.view })),
  ];
}

/** A destination is one, however many names it has; what is written on the spot stands for itself. */
function sourceOf({ destination, pattern }: ExplainedRule): string {
  return destination === null ? `pattern ${pattern}` : `destination ${destination}`;
}

function dependencyOf(
  identity: string,
  stage: string,
  rules: readonly ExplainedRule[],
  used: ReadonlyMap<string, PatternUse>,
  failed: ReadonlyMap<string, readonly KeptFinding[]>,
): Dependency {
  const [{ destination, owner }] = rules as readonly [ExplainedRule, ...ExplainedRule[]];
  const found = rules.flatMap(({ pattern }) => used.get(`${identity} ${stage} ${pattern}`) ?? []);
  const places = new Set(rules.map(({ file, line }) => `${identity} ${file}:${line}`));
  const failures = [...places]
    .flatMap((place) => failed.get(place) ?? [])
    .map(({ key, names, first, last, state }) => ({
      name: key ?? names[0] ?? '',
      first,
      last,
      now: state === 'open',
    }));
  const last = found.length === 0 ? null : Math.max(...found.map((use) => use.last));
  return {
    destination,
    owner,
    identity,
    stage,
    patterns: rules.map(({ pattern }) => pattern),
    last_used: last === null ? null : new Date(last).toISOString(),
    questions: found.reduce((sum, { questions }) => sum + questions, 0),
    state: failures.some((failure) => failure.now)
      ? 'failing'
      : failures.length > 0
        ? 'failed'
        : last === null
          ? 'unused'
          : 'good',
    failures,
    fallbacks: [...new Set(rules.flatMap(({ fallback }) => fallback ?? []))],
  };
}
