import { WireError } from '../../wire/error.ts';
import { isMetaType, TYPE } from '../../wire/iana.ts';
import { nameFromText, nameToText } from '../../wire/name.ts';
import type { EpochMilliseconds, EpochSeconds } from '../../wire/quantity.ts';
import { specialAt } from '../compile/vet.ts';
import { Decision, VERDICT } from '../decide/decision.ts';
import { findExpected } from '../decide/expected.ts';
import { decideAgain } from '../explain/explain.ts';
import type { Pattern } from '../pattern/pattern.ts';
import { registeredDomain, type SuffixTable } from '../pattern/suffix.ts';
import type { Identity, Snapshot, Stage } from '../snapshot.ts';
import { type AskedRow, SearchNoise } from './asked-row.ts';
import { groupNumbered } from './families.ts';

export interface ProposalOptions {
  /** What one account alone asked is proposed too. */
  readonly once: boolean;
  /** Seconds since 1970. */
  readonly now: EpochSeconds;
  readonly suffixes: SuffixTable;
  /** The file that an earlier proposal was written to: what it approves is proposed again. Empty for none. */
  readonly ownFile: string;
}

/** What an identity was refused and would need, by stage; no star is ever in it. */
export interface Proposal {
  readonly identity: Identity;
  readonly stages: readonly ProposedStage[];
  /** Rows that are left out, by why. */
  readonly left: Readonly<Record<LeftOut, number>>;
}

/** `once`: one account alone. `folded`: a row of many names. */
export type LeftOut = 'once' | 'noise' | 'expected' | 'special' | 'unproven' | 'folded' | 'type' | 'name';

export interface ProposedStage {
  /** Null for the identity's own list. */
  readonly stage: string | null;
  readonly domains: readonly ProposedDomain[];
}

export interface ProposedDomain {
  /** Registered domain as text. */
  readonly domain: string;
  readonly rules: readonly ProposedRule[];
}

export interface ProposedRule {
  readonly pattern: Pattern;
  /** Null for the default of the pattern; else ascending. */
  readonly types: readonly number[] | null;
  /** Different names that were asked of it. */
  readonly names: number;
  /** Accounts and questions. */
  readonly jobs: number;
  readonly questions: number;
  /** Milliseconds since 1970. */
  readonly first: EpochMilliseconds;
  readonly last: EpochMilliseconds;
  /** Repositories that the jobs said, sorted. */
  readonly repositories: readonly string[];
}

interface Needed {
  readonly row: AskedRow;
  readonly name: Uint8Array;
  readonly stage: Stage | null;
}

/**
 * Proposes what an identity was refused: names that two accounts or more asked and that were denied or would have been, and
 * that the policy in force still refuses. `rows`: all questions of the identity, read twice.
 */
export function propose(
  rows: Iterable<AskedRow>,
  snapshot: Snapshot,
  identity: Identity,
  options: ProposalOptions,
): Proposal {
  const noise = new SearchNoise(identity.search.map(nameToText));
  const refused: AskedRow[] = [];
  for (const row of rows) {
    noise.see(row);
    if (row.verdict === 'deny' || row.verdict === 'empty') refused.push(row);
  }
  const left = { once: 0, noise: 0, expected: 0, special: 0, unproven: 0, folded: 0, type: 0, name: 0 };
  const needed: Needed[] = [];
  for (const row of refused) {
    const found = judge(row, snapshot, identity, noise, options);
    if (typeof found === 'string') left[found]++;
    else if (found !== null) needed.push(found);
  }
  const stages = [null, ...identity.stages].map((stage): ProposedStage => {
    const of = needed.filter((each) => each.stage === stage);
    const start = (name: Uint8Array): number => registeredDomain(name, options.suffixes);
    const rules = groupNumbered(of, ({ name }) => name, start).flatMap((group): ProposedRule[] => {
      const jobs = new Set(group.items.map(({ row }) => row.account)).size;
      if (jobs >= 2 || options.once) return [ruleOf(group.pattern, group.names, jobs, group.items)];
      left.once += group.items.length;
      return [];
    });
    return { stage: stage?.name ?? null, domains: byDomain(rules, options.suffixes) };
  });
  return { identity, stages: stages.filter(({ domains }) => domains.length > 0), left };
}

/** What is needed of a row, why it is left out, or null where it is refused no more. */
function judge(
  row: AskedRow,
  snapshot: Snapshot,
  identity: Identity,
  noise: SearchNoise,
  { now, ownFile }: ProposalOptions,
): Needed | LeftOut | null {
  if (row.folded !== 0) return 'folded';
  // Anybody may have sent it in the job's name.
  if (!row.proven) return 'unproven';
  if (noise.isNoise(row)) return 'noise';
  const name = nameFromText(row.name);
  if (name instanceof WireError) return 'name';
  if (specialAt(name) !== null) return 'special';
  const stage = row.stage === '' ? null : identity.stages.find((each) => each.name === row.stage);
  // A stage that the policy has no more binds nobody.
  if (stage === undefined) return null;
  decideAgain(snapshot, identity, stage, name, row.type, now, decision);
  const { verdict, rule } = decision;
  if (verdict === VERDICT.ALLOW || verdict === VERDICT.LOCAL) {
    const { rules } = snapshot;
    const isOwn = ownFile !== '' && rule >= 0 && rules.terms[rules.term[rule]!]!.file === ownFile;
    return isOwn ? { row, name, stage } : null;
  }
  // A name above an approved one is no mistake: stubs and libraries walk up.
  if (row.verdict === 'empty' && row.ground === 'above') return null;
  if (findExpected(snapshot, identity, decision) >= 0) return 'expected';
  if (isMetaType(row.type) && row.type !== TYPE.ANY) return 'type';
  return { row, name, stage };
}

/** Not re-entrant. */
const decision = new Decision();

/** Types that a name written out has without `types:`. */
const USUAL = new Set<number>([TYPE.A, TYPE.AAAA, TYPE.CNAME, TYPE.HTTPS]);

function ruleOf(pattern: Pattern, names: number, jobs: number, items: readonly Needed[]): ProposedRule {
  const rows = items.map(({ row }) => row);
  const asked = new Set(rows.map(({ type }) => type).filter((type) => type !== TYPE.ANY));
  const unusual = [...asked].filter((type) => !USUAL.has(type));
  // Who asks for one address type asks for the others as well.
  const usual = asked.size > unusual.length ? USUAL : new Set<number>();
  const repositories = new Set(rows.flatMap(({ job }) => job?.['repository'] ?? []));
  return {
    pattern,
    types: unusual.length === 0 ? null : [...usual, ...unusual].sort((a, b) => a - b),
    names,
    jobs,
    questions: rows.reduce((sum, { count }) => sum + count, 0),
    first: rows.reduce((least, { first }) => Math.min(least, first), Number.POSITIVE_INFINITY),
    last: rows.reduce((most, { last }) => Math.max(most, last), 0),
    repositories: [...repositories].sort(),
  };
}

function byDomain(rules: readonly ProposedRule[], suffixes: SuffixTable): ProposedDomain[] {
  const groups = Map.groupBy(rules, ({ pattern }) => {
    const name = pattern.kind === 'exact' ? pattern.name : pattern.base;
    return nameToText(name.subarray(registeredDomain(name, suffixes)));
  });
  return [...groups]
    .map(([domain, of]) => ({
      domain,
      rules: of.sort((a, b) => b.jobs - a.jobs || b.questions - a.questions),
    }))
    .sort((a, b) => (a.domain < b.domain ? -1 : 1));
}
