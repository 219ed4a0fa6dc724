import type { DatabaseSync } from 'node:sqlite';
import { type EpochMilliseconds, unreachable } from '../wire/quantity.ts';
import { refusedOf } from './refused-rows.ts';
import { type QuestionFacts, type SearchQuestion, search } from './search.ts';
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
      readonly since: EpochMilliseconds;
    }
  /** What accounts asked at `since` or later, by their numbers. */
  | { readonly what: 'rows'; readonly accounts: readonly number[]; readonly since: EpochMilliseconds }
  /** Where accounts tried to connect to at `since` or later, and were refused. */
  | { readonly what: 'refused'; readonly accounts: readonly number[]; readonly since: EpochMilliseconds }
  | SearchQuestion;

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
  readonly opened: EpochMilliseconds;
  /** Of the last question. */
  readonly last: EpochMilliseconds;
  readonly ended: EpochMilliseconds | null;
  readonly how: string | null;
  readonly policy: string;
  readonly complete: number;
  readonly missing: string | null;
}

/** What some accounts asked, the same question of all of them as one. */
export interface AskedFacts extends QuestionFacts {
  /** Who asked, with commas, where the client has not proved its address; else null. */
  readonly clients: string | null;
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
      return search(database, question);
    default:
      unreachable(question);
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
