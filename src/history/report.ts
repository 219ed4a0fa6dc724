import { EVERY_NAME } from '../detect/patterns/outages.ts';
import { type AccountFacts, type AskedFacts, MOST_READ } from './questions.ts';
import type { RefusedFacts } from './refused-rows.ts';
import { type DirectPart, directOf } from './report-direct.ts';

/** What a report says of one question. Times are RFC 3339. */
export interface ReportRow {
  readonly name: string;
  /** Names under `name`, or where it is `.` of many domains, that have no row of their own. */
  readonly folded: boolean;
  readonly types: readonly string[];
  readonly verdict: string;
  readonly stage: string;
  readonly ground: string;
  /** Another stage of the identity that approves it. */
  readonly approved_stage?: string;
  readonly rule?: string;
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

/** An approved name that had answers and failed upstream while the job ran, or EVERY_NAME: no fault of the job's. */
export interface FailedDependency {
  readonly name: string;
  /** RFC 3339; `until` null while it fails. */
  readonly since: string;
  readonly until: string | null;
  /** Whom to ask, and what people do meanwhile. */
  readonly next: string;
}

export const SECTIONS = [
  'unapproved',
  'unproven',
  'contained',
  'empty',
  'would_deny',
  'expected',
  'noise',
  'allowed',
] as const;

export type Section = (typeof SECTIONS)[number];

/** A wildcard of which a job has spent most of its budget. Sizes are octets. */
export interface NearBudget {
  readonly wildcard: string;
  /** The lease, or the client without one. */
  readonly subject: string;
  readonly spent: number;
  readonly contain: number;
  /** About how many new names that is. */
  readonly names_left: number;
}

/** How many servers were asked, and which did not tell all. */
export interface ReportServers {
  readonly asked: number;
  readonly complete: number;
  /** Those that did not answer, each with why. */
  readonly silent: readonly string[];
}

/** The account of some leases, for people and machines. */
export interface Report {
  /** One sentence. */
  readonly verdict: string;
  readonly complete: boolean;
  /** Why something may be missing; empty where it is complete. */
  readonly missing: readonly string[];
  readonly identities: readonly string[];
  readonly owners: readonly string[];
  readonly leases: readonly string[];
  readonly job: Readonly<Record<string, string>>;
  readonly policies: readonly string[];
  readonly servers: ReportServers;
  /** The end of an audit, or null. */
  readonly audit_until: string | null;
  /** Whom to ask. */
  readonly ask: string;
  /** Different questions and all questions of each section, whether or not their rows are here. */
  readonly totals: Readonly<Record<Section, { readonly names: number; readonly questions: number }>>;
  readonly sections: Readonly<Record<Section, readonly ReportRow[]>>;
  /** What the firewall refused; absent where that is nothing. */
  readonly direct?: DirectPart;
  /** Approved names that failed upstream. */
  readonly dependencies: readonly FailedDependency[];
  readonly near_budget: readonly NearBudget[];
  /** Clients with denials that did not come back over TCP: their resolvers may have none. */
  readonly without_tcp: readonly string[];
  /** Rows that are left out. */
  readonly left_out: number;
  /** What to write so that noise is known as such. */
  readonly search_hint: string | null;
}

/** What the policy of now says of those who are reported of. */
export interface ReportTerms {
  /** Suffixes of search lists, in presentation form. */
  readonly search: readonly string[];
  readonly auditUntil: string | null;
  readonly ask: string;
  /** What failed upstream in the time of the accounts, whoever asked. */
  readonly dependencies: readonly FailedDependency[];
  readonly nearBudget: readonly NearBudget[];
  /** A type's mnemonic. */
  readonly typeToText: (type: number) => string;
}

/** Rows of one report. */
const MOST_ROWS = 500;
/** Suffixes of a search list (resolv.conf(5)). */
const MOST_SUFFIXES = 6;
const TOO_MANY = 'there are more rows than a report reads: name a lease, or a later time';

export function reportOf(
  accounts: readonly AccountFacts[],
  rows: readonly AskedFacts[],
  terms: ReportTerms,
  refused: readonly RefusedFacts[] = [],
): Report {
  const asked = new Set(rows.filter(({ folded }) => folded === 0).map(({ name }) => name));
  const proven = new Set(rows.filter((row) => row.proven === 1).map(keyOf));
  const sorted = new Map<Section, Map<string, AskedFacts[]>>(SECTIONS.map((section) => [section, new Map()]));
  for (const row of rows) {
    // A stub that came back over TCP has proved what it had asked over UDP.
    if (row.proven === 0 && proven.has(keyOf(row))) continue;
    const section = sorted.get(sectionOf(row, asked, terms.search))!;
    const key = `${row.name} ${row.folded} ${row.stage}`;
    const same = section.get(key);
    if (same === undefined) section.set(key, [row]);
    else same.push(row);
  }
  let room = MOST_ROWS;
  let all = 0;
  const sections = {} as Record<Section, ReportRow[]>;
  const totals = {} as Record<Section, { names: number; questions: number }>;
  for (const section of SECTIONS) {
    const groups = [...sorted.get(section)!.values()];
    const counted = groups.flat().reduce((sum, { count }) => sum + count, 0);
    totals[section] = { names: groups.length, questions: counted };
    const shown = groups.slice(0, section === 'allowed' ? Math.min(room, 100) : room);
    sections[section] = shown.map((group) => rowOf(group, terms));
    room -= shown.length;
    all += groups.length - shown.length;
  }
  const missing = distinct([
    ...accounts.flatMap(({ missing: why }) => why ?? []),
    ...(rows.length < MOST_READ ? [] : [TOO_MANY]),
  ]);
  const complete = accounts.every((account) => account.complete === 1) && rows.length < MOST_READ;
  const denied = (['unapproved', 'unproven', 'would_deny'] as const).flatMap((section) => [
    ...sorted.get(section)!.values(),
  ]);
  const unproven = [...sorted.get('unproven')!.values()].flat();
  const direct = directOf(refused);
  // Where there are too many rows, not all of them are here.
  const dependencies = terms.dependencies.filter(
    ({ name }) => asked.has(name) || name === EVERY_NAME || rows.length >= MOST_READ,
  );
  return {
    verdict: verdictOf(totals, sections, dependencies, direct),
    complete,
    missing,
    identities: distinct(accounts.map(({ identity }) => identity)),
    owners: distinct(accounts.map(({ owner }) => owner)),
    leases: accounts.flatMap(({ id }) => (id === null ? [] : [id])),
    job: accounts.length === 1 ? (JSON.parse(accounts[0]!.job ?? '{}') as Record<string, string>) : {},
    policies: distinct(accounts.map(({ policy }) => policy)).filter((policy) => policy !== ''),
    servers: { asked: 1, complete: complete ? 1 : 0, silent: [] },
    audit_until: terms.auditUntil,
    ask: terms.ask,
    totals,
    sections,
    ...(direct === undefined ? {} : { direct }),
    dependencies,
    near_budget: terms.nearBudget,
    without_tcp: distinct(unproven.flatMap(({ clients }) => clients?.split(',') ?? [])),
    left_out: all,
    search_hint: terms.search.length === 0 ? suffixHint(denied, asked) : null,
  };
}

function sectionOf(row: AskedFacts, asked: ReadonlySet<string>, search: readonly string[]): Section {
  const { verdict, audited, expected, proven } = row;
  if (verdict === 'allow' || verdict === 'local') return 'allowed';
  if (audited === 1) return 'would_deny';
  if (verdict === 'empty') return 'empty';
  if (expected === 1) return 'expected';
  // A name that is special for everybody cannot be approved: browsers ask for a canary, and no job is to blame for it.
  if (row.ground === 'special' || isNoise(row, asked, search)) return 'noise';
  if (proven === 0) return 'unproven';
  return verdict === 'contain' ? 'contained' : 'unapproved';
}

/** A stub went through its search list: the same lease asked for the name without the suffix too. */
function isNoise(
  { name, folded }: AskedFacts,
  asked: ReadonlySet<string>,
  search: readonly string[],
): boolean {
  return (
    folded === 0 &&
    search.some((suffix) => name.endsWith(`.${suffix}`) && asked.has(name.slice(0, -suffix.length - 1)))
  );
}

/** Suffixes under which three names or more were denied that were asked without it too: those that a stub went through. */
function suffixHint(groups: readonly (readonly AskedFacts[])[], asked: ReadonlySet<string>): string | null {
  const counts = new Map<string, number>();
  for (const name of new Set(groups.map(([{ name } = { name: '' }]) => name))) {
    for (let at = name.indexOf('.'); at > 0; at = name.indexOf('.', at + 1)) {
      if (!asked.has(name.slice(0, at))) continue;
      const suffix = name.slice(at + 1);
      counts.set(suffix, (counts.get(suffix) ?? 0) + 1);
    }
  }
  const found = [...counts]
    .filter(([, count]) => count >= 3)
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST_SUFFIXES);
  return found.length === 0
    ? null
    : `search: [${found.map(([suffix]) => JSON.stringify(suffix)).join(', ')}]`;
}

function rowOf(group: readonly AskedFacts[], { typeToText }: ReportTerms): ReportRow {
  const [first] = group as readonly [AskedFacts, ...AskedFacts[]];
  const stage = group.find(({ approved_stage: other }) => other !== null)?.approved_stage;
  const { rule } = first;
  return {
    name: first.name,
    folded: first.folded !== 0,
    types: distinct(group.map(({ type }) => typeToText(type))),
    verdict: first.verdict,
    stage: first.stage,
    ground: first.ground,
    ...(stage === null || stage === undefined ? {} : { approved_stage: stage }),
    ...(rule === null ? {} : { rule }),
    first: new Date(Math.min(...group.map(({ first: at }) => at))).toISOString(),
    last: new Date(Math.max(...group.map(({ last }) => last))).toISOString(),
    count: group.reduce((sum, { count }) => sum + count, 0),
  };
}

/** What stands first: one sentence. `failed`: approved names that failed upstream. */
export function verdictOf(
  totals: Report['totals'],
  sections: Report['sections'],
  dependencies: readonly FailedDependency[],
  direct?: DirectPart,
): string {
  const said = [
    ['unapproved', 'unapproved name', 'asked'],
    ['contained', 'name', 'beyond its budget'],
    ['unproven', 'unapproved name', 'of a client that did not prove its address'],
    ['would_deny', 'name', 'that would be denied'],
    ['empty', 'name', 'asked for a type that is not approved'],
  ] as const;
  const texts = said
    .filter(([section]) => totals[section].names > 0)
    .map(([section, what, how]) => {
      const { names } = totals[section];
      // Names that have no row of their own are counted by their domain.
      const isMore = sections[section].some(({ folded }) => folded);
      return `${names}${isMore ? ' or more' : ''} ${what}${names === 1 && !isMore ? '' : 's'} ${how}`;
    });
  const failed = dependencies.filter(({ name }) => name !== EVERY_NAME).length;
  const failing = failed === 0 ? [] : [`${failed} approved name${failed === 1 ? '' : 's'} failed upstream`];
  if (failed < dependencies.length) failing.unshift('the upstream failed as a whole');
  const tried = (direct?.proven ?? 0) + (direct?.unproven ?? 0);
  if (tried > 0) texts.push(`${tried} address${tried === 1 ? '' : 'es'} tried that no answer gave`);
  return [...failing, ...(texts.length === 0 ? ['all that was asked is approved'] : texts)].join('; ');
}

function keyOf({ name, type, verdict, folded }: AskedFacts): string {
  return `${name} ${type} ${verdict} ${folded}`;
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
