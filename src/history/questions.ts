import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { refusedOf } from './refused-rows.ts';
import type { TailQuestion } from './tail.ts';
import type { TopQuestion } from './top.ts';

/** All that goes to the worker about the history. */
export type HistoryAsk = HistoryQuestion | TailQuestion | TopQuestion;

/** What people ask of the history, by way of the worker that writes it. Times are milliseconds since 1970. */
export type HistoryQuestion =
  /** The accounts of a lease, of leases whose job says so, of an identity, or of a client without a lease. */
  | {
      readonly what: 'accounts';
      readonly by: 'lease' | 'job' | 'identity' | 'client';
      /** The lease's id, KEY=VALUE, the identity's name, or the client as `lease` has it. */
      readonly value: string;
      readonly since: number;
    }
  /** What accounts asked at `since` or later, by their numbers. */
  | { readonly what: 'rows'; readonly accounts: readonly number[]; readonly since: number }
  /** Where accounts tried to connect to at `since` or later, and were refused. */
  | { readonly what: 'refused'; readonly accounts: readonly number[]; readonly since: number }
  /** Who asked for a name or was given an address. */
  | {
      readonly what: 'find';
      readonly by: 'name' | 'address' | 'lease' | 'identity';
      readonly values: readonly string[];
      readonly since: number;
      readonly until: number;
      readonly limit: number;
    };

/** An account, as `lease` has it. */
export interface AccountFacts {
  readonly number: number;
  readonly id: string | null;
  readonly identity: string;
  readonly owner: string;
  readonly client: string;
  /** JSON: { addresses: [], certificate }, or null. */
  readonly claim: string | null;
  readonly job: string | null;
  readonly opener: string | null;
  readonly holder: string | null;
  readonly opened: number;
  /** Of the last question. */
  readonly last: number;
  readonly ended: number | null;
  readonly how: string | null;
  readonly policy: string;
  readonly complete: number;
  readonly missing: string | null;
}

/** What some accounts asked, the same question of all of them as one. */
export interface AskedFacts {
  readonly name: string;
  readonly folded: number;
  readonly type: number;
  readonly verdict: string;
  readonly audited: number;
  readonly proven: number;
  readonly expected: number;
  readonly ground: string;
  readonly approved_stage: string | null;
  readonly stage: string;
  readonly rule: string | null;
  /** Who asked, with commas, where the client has not proved its address; else null. */
  readonly clients: string | null;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** One line of an answer to who asked what. */
export interface FoundFacts extends Omit<AskedFacts, 'clients'> {
  readonly account: number;
  readonly lease: string | null;
  readonly identity: string;
  readonly client: string;
  readonly job: string | null;
  /** Where an address was looked for; else null. */
  readonly address: string | null;
}

const MOST_ACCOUNTS = 1_000;
/** Rows that are read for one report; denials come first. */
export const MOST_READ = 20_000;

/** Answers from the database; throws what SQLite throws. */
export function answerHistory(database: DatabaseSync, question: HistoryQuestion): unknown {
  switch (question.what) {
    case 'accounts':
      return accountsOf(database, question);
    case 'rows':
      return rowsOf(database, question);
    case 'refused':
      return refusedOf(database, question.accounts, question.since);
    case 'find':
      return find(database, question);
  }
}

const BY = {
  lease: 'id = ?',
  job: "id IS NOT NULL AND json_extract(job, '$.' || json_quote(?)) = ?",
  identity: 'identity = ?',
  client: 'id IS NULL AND client = ?',
} as const;

function accountsOf(
  database: DatabaseSync,
  { by, value, since }: Extract<HistoryQuestion, { what: 'accounts' }>,
): AccountFacts[] {
  const at = value.indexOf('=');
  const values = by === 'job' ? [value.slice(0, at), value.slice(at + 1)] : [value];
  return database
    .prepare(`SELECT * FROM lease WHERE ${BY[by]} AND last >= ? ORDER BY opened DESC LIMIT ${MOST_ACCOUNTS}`)
    .all(...values, by === 'lease' ? 0 : since) as unknown as AccountFacts[];
}

function rowsOf(
  database: DatabaseSync,
  { accounts, since }: Extract<HistoryQuestion, { what: 'rows' }>,
): AskedFacts[] {
  return database
    .prepare(`
      SELECT name, folded, type, verdict, audited, proven, expected, min(ground) AS ground,
        max(approved_stage) AS approved_stage, stage, max(rule) AS rule,
        iif(proven = 0, group_concat(DISTINCT client), NULL) AS clients,
        min(first) AS first, max(last) AS last, sum(count) AS count
      FROM question WHERE account IN (SELECT value FROM json_each(?)) AND last >= ?
      GROUP BY name, folded, type, verdict, audited, proven, expected, stage
      ORDER BY verdict IN ('allow', 'local'), count DESC, name LIMIT ${MOST_READ}`)
    .all(JSON.stringify(accounts), since) as unknown as AskedFacts[];
}

const FOUND = `
  question.account AS account, lease, identity, client, job, name, folded, type, verdict, audited, proven, expected, ground,
  approved_stage, stage, rule`;

/** Of each value the earliest lines, `limit` of all. */
function find(
  database: DatabaseSync,
  { by, values, since, until, limit }: Extract<HistoryQuestion, { what: 'find' }>,
): FoundFacts[] {
  const found: FoundFacts[] = [];
  for (const value of values) {
    if (found.length >= limit) break;
    const most = limit - found.length;
    const rows =
      by === 'address'
        ? database.prepare(BY_ADDRESS).all(value, since, until, most)
        : questionsOf(database, numbersOf(database, matchFor(by, value), since, until, most));
    for (const row of rows) found.push(row as unknown as FoundFacts);
  }
  return found;
}

const BY_ADDRESS = `
  SELECT ${FOUND}, answer.address AS address, answer.first AS first, answer.last AS last, question.count AS count
  FROM answer JOIN question ON question.number = answer.question
  WHERE answer.address = ? AND answer.last >= ? AND answer.first < ? ORDER BY answer.first LIMIT ?`;

function questionsOf(database: DatabaseSync, numbers: readonly number[]): unknown[] {
  if (numbers.length === 0) return [];
  return database
    .prepare(`
      SELECT ${FOUND}, NULL AS address, first, last, count FROM question
      WHERE question.number IN (SELECT value FROM json_each(?)) ORDER BY first, question.number`)
    .all(JSON.stringify(numbers));
}

/** Which rows of a table that `asked` names are searched for. */
interface Match {
  readonly table: 'lease' | 'name';
  readonly where: string;
  readonly parameters: readonly SQLInputValue[];
}

/** Where more than one row in so many matches, questions are read in their order until there are enough. */
const DENSE = 20;

/**
 * The earliest questions. Their numbers grow in the order in which the worker heard of them, and an index has the numbers, so
 * that what matches is neither read nor sorted whole.
 */
function numbersOf(
  database: DatabaseSync,
  { table, where, parameters }: Match,
  since: number,
  until: number,
  limit: number,
): number[] {
  const counted = database
    .prepare(`
      SELECT count(*) AS matches, (SELECT max(number) FROM ${table}) / ${DENSE} AS many FROM
        (SELECT 1 FROM ${table} WHERE ${where} LIMIT (SELECT max(number) / ${DENSE} + 1 FROM ${table}))`)
    .get(...parameters) as { matches: number; many: number };
  if (counted.matches === 0) return [];
  const from = counted.matches > counted.many ? `asked CROSS JOIN ${table}` : `${table} CROSS JOIN asked`;
  // Where no time is asked for, the index alone tells.
  const isAlways = since === 0 && until === Number.MAX_SAFE_INTEGER;
  const times = isAlways ? '' : 'AND asked.last >= ? AND asked.first < ?';
  const statement = database.prepare(`
    SELECT asked.number FROM ${from} ON asked.${table} = ${table}.number
    WHERE ${where} ${times} ORDER BY asked.number LIMIT ?`);
  return statement
    .all(...parameters, ...(isAlways ? [] : [since, until]), limit)
    .map(({ number }) => number as number);
}

function matchFor(by: 'name' | 'lease' | 'identity', value: string): Match {
  if (by === 'lease') return { table: 'lease', where: 'lease.id = ?', parameters: [value] };
  if (by === 'identity') return { table: 'lease', where: 'lease.identity = ?', parameters: [value] };
  const below = /^\*\*?\.(.+)$/.exec(value);
  if (below === null) return { table: 'name', where: 'name.text = ?', parameters: [value] };
  // All below a name stand side by side; one label below has no dot more.
  const start = `${reversed(below[1]!)}.`;
  const end = `${start.slice(0, -1)}/`;
  const one = value.startsWith('**') ? '' : ` AND instr(substr(reverse, ${start.length + 1}), '.') = 0`;
  return { table: 'name', where: `reverse >= ? AND reverse < ?${one}`, parameters: [start, end] };
}

/** As `reverse` of the table `name` has it. */
function reversed(name: string): string {
  return (name.match(/(?:\\.|[^.\\])+/g) ?? [])
    .reverse()
    .map((label) => `.${label}`)
    .join('');
}
