import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { openReadOnly } from './schema.ts';

/** A lease, or an identity's client on one day. Times are milliseconds since 1970. */
export interface AccountRow {
  readonly number: number;
  /** Null where there is no lease: then `day` is set. */
  readonly id: string | null;
  readonly identity: string;
  readonly owner: string;
  readonly client: string;
  /** Days since 1970. */
  readonly day: number | null;
  readonly claim: string | null;
  readonly job: Readonly<Record<string, string>> | null;
  readonly opener: string | null;
  readonly holder: string | null;
  readonly opened: number;
  readonly ended: number | null;
  readonly how: 'ended' | 'expired' | null;
  readonly enforced: boolean;
  readonly policy: string;
  readonly last: number;
  readonly complete: boolean;
  readonly missing: string | null;
  readonly reported: number | null;
}

/** One question of one account: the same name, type, verdict and rules, however often. */
export interface QuestionRow {
  readonly number: number;
  /** The account's number. */
  readonly account: number;
  /** The lease's id, or null. */
  readonly lease: string | null;
  readonly identity: string;
  readonly client: string;
  readonly job: Readonly<Record<string, string>> | null;
  /** Presentation form, lower case, without the last dot; `.` is the root. */
  readonly name: string;
  /** 0: this name. 1: names under it that have no row of their own. 2: names of many domains; `name` is `.`. */
  readonly folded: 0 | 1 | 2;
  readonly type: number;
  readonly verdict: 'allow' | 'local' | 'empty' | 'deny' | 'contain';
  readonly audited: boolean;
  readonly proven: boolean;
  readonly ground: string;
  /** `FILE:LINE`, and the pattern that stood there; null where no rule decided. */
  readonly rule: string | null;
  readonly pattern: string | null;
  /** Empty where the identity has none. */
  readonly stage: string;
  readonly policy: string;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** Which questions are wanted: all that is named holds. */
export interface QuestionFilter {
  readonly account?: number;
  readonly lease?: string;
  readonly identity?: string;
  readonly stage?: string;
  /** Those asked at this time or later, and before this one. */
  readonly since?: number;
  readonly until?: number;
}

/** Reads the history beside the worker that writes it. Calls throw what SQLite throws. */
export class HistoryReader {
  readonly database: DatabaseSync;

  /** Throws a HistoryRefusal. */
  constructor(path: string) {
    this.database = openReadOnly(path);
  }

  /** The accounts of an identity (all: undefined) that asked something at `since` or later, the oldest first. */
  accounts({ identity, since = 0 }: { readonly identity?: string; readonly since?: number }): AccountRow[] {
    const where = identity === undefined ? '' : 'AND identity = ?';
    const rows = this.database
      .prepare(`SELECT * FROM lease WHERE last >= ? ${where} ORDER BY opened, number`)
      .all(since, ...(identity === undefined ? [] : [identity]));
    return rows.map(accountOf);
  }

  /** The account of a lease, or null. */
  lease(id: string): AccountRow | null {
    const row = this.database.prepare('SELECT * FROM lease WHERE id = ?').get(id);
    return row === undefined ? null : accountOf(row);
  }

  /** Questions, in the order in which they were asked first. One after the other: there may be millions. */
  *questions(filter: QuestionFilter): Generator<QuestionRow> {
    const { sql, values } = conditionOf(filter);
    const rows = this.database.prepare(`SELECT * FROM question ${sql} ORDER BY number`).iterate(...values);
    for (const row of rows) yield questionOf(row);
  }

  close(): void {
    this.database.close();
  }
}

type Row = Readonly<Record<string, unknown>>;

export function accountOf(row: Row): AccountRow {
  return {
    ...(row as unknown as AccountRow),
    job: jobOf(row),
    enforced: row['enforced'] === 1,
    complete: row['complete'] === 1,
  };
}

export function questionOf(row: Row): QuestionRow {
  return {
    ...(row as unknown as QuestionRow),
    job: jobOf(row),
    audited: row['audited'] === 1,
    proven: row['proven'] === 1,
  };
}

function jobOf({ job }: Row): Readonly<Record<string, string>> | null {
  return typeof job === 'string' ? (JSON.parse(job) as Record<string, string>) : null;
}

function conditionOf({ account, lease, identity, stage, since, until }: QuestionFilter): {
  sql: string;
  values: SQLInputValue[];
} {
  const parts: [string, SQLInputValue | undefined][] = [
    ['account = ?', account],
    ['lease = ?', lease],
    ['identity = ?', identity],
    ['stage = ?', stage],
    ['last >= ?', since],
    ['first < ?', until],
  ];
  const set = parts.filter((part): part is [string, SQLInputValue] => part[1] !== undefined);
  return {
    sql: set.length === 0 ? '' : `WHERE ${set.map(([text]) => text).join(' AND ')}`,
    values: set.map(([, value]) => value),
  };
}
