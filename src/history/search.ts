import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { type EpochMilliseconds, unreachable } from '../wire/quantity.ts';
import { reverseOf } from './question-rows.ts';

/** Who asked for a name or was given an address. Times are milliseconds since 1970. */
export interface SearchQuestion {
  readonly what: 'find';
  readonly by: 'name' | 'address' | 'lease' | 'identity';
  readonly values: readonly string[];
  readonly since: EpochMilliseconds;
  readonly until: EpochMilliseconds;
  /** Of these alone: what others asked takes no place and is not told of. Null: of all. */
  readonly identities: readonly string[] | null;
  readonly limit: number;
}

/** What the history has of one question. */
export interface QuestionFacts {
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
  readonly first: EpochMilliseconds;
  readonly last: EpochMilliseconds;
  readonly count: number;
}

/** One line of an answer to who asked what. */
export interface FoundFacts extends QuestionFacts {
  readonly account: number;
  readonly lease: string | null;
  readonly identity: string;
  readonly client: string;
  readonly job: string | null;
  /** Where an address was looked for; else null. */
  readonly address: string | null;
}

/** Rows that are looked up one by one: beyond, rows are read in their order until there are enough. */
const MOST_LOOKED_UP = 100_000;

/**
 * Of each value the earliest lines, `limit` of all: `most` rows are looked up one by one. None reads the whole table of questions. Numbers of rows grow in the order
 * in which the worker heard of them, and indexes have them: so what matches is neither read nor sorted whole.
 */
export function search(
  database: DatabaseSync,
  { by, values, limit, ...bounds }: SearchQuestion,
  most = MOST_LOOKED_UP,
): FoundFacts[] {
  const searcher = new Searcher(database, bounds, most);
  const found: FoundFacts[] = [];
  for (const value of values) {
    if (found.length >= limit) break;
    const match = matchFor(by, value);
    for (const row of searcher.find(match, limit - found.length)) found.push(row);
  }
  return found;
}

/** Which rows of a table are searched for; `asked` or `given` names it by an index. */
export interface SearchMatch {
  /** What leads to rows of `asked` or `given`, and is the same for many values. */
  readonly by: 'name' | 'below' | 'address' | 'lease' | 'identity';
  readonly where: string;
  readonly parameters: readonly SQLInputValue[];
}

function matchFor(by: SearchQuestion['by'], value: string): SearchMatch {
  switch (by) {
    case 'address':
      return { by, where: 'given.address = ?', parameters: [value] };
    case 'lease':
      return { by, where: 'lease.id = ?', parameters: [value] };
    case 'identity':
      return { by, where: 'lease.identity = ?', parameters: [value] };
    case 'name': {
      const below = /^\*\*?\.(.+)$/.exec(value);
      if (below === null) return { by, where: 'name.text = ?', parameters: [value] };
      // All below a name stand side by side; one label below has no dot more.
      const start = `${reverseOf(below[1]!)}.`;
      const end = `${start.slice(0, -1)}/`;
      const one = value.startsWith('**')
        ? ''
        : ` AND instr(substr(name.reverse, ${start.length + 1}), '.') = 0`;
      return {
        by: 'below',
        where: `name.reverse >= ? AND name.reverse < ?${one}`,
        parameters: [start, end],
      };
    }
    default:
      unreachable(by);
  }
}

/** A condition and what it is bound to. */
type Condition = readonly [where: string, parameters: readonly SQLInputValue[]];

/** How rows are found: FROM and ON, with an index at each step but the first of `many`, which reads in the order of numbers. */
interface Ways {
  /** What is counted; indexes alone tell it. */
  readonly count: string;
  /** From what is looked for to its questions. */
  readonly few: string;
  /** From the leases of a time to their questions; null where `few` does so. */
  readonly within: string | null;
  readonly many: string;
}

const OF_NAME = 'name CROSS JOIN asked ON asked.name = name.number';
const OF_LEASE = 'lease CROSS JOIN asked ON asked.lease = lease.number';
const OF_ADDRESS = 'given CROSS JOIN asked ON asked.number = given.asked';
const TO_LEASE = 'asked CROSS JOIN lease ON lease.number = asked.lease';

const WAYS: Readonly<Record<SearchMatch['by'], Ways>> = {
  name: {
    count: OF_NAME,
    few: OF_NAME,
    within:
      'name CROSS JOIN lease CROSS JOIN asked ON asked.lease = lease.number AND asked.name = name.number',
    many: OF_NAME,
  },
  below: {
    count: OF_NAME,
    few: OF_NAME,
    within: `${OF_LEASE} CROSS JOIN name ON name.number = asked.name`,
    many: 'asked CROSS JOIN name ON name.number = asked.name',
  },
  address: {
    count: 'given',
    few: OF_ADDRESS,
    within: `${OF_LEASE} CROSS JOIN given ON given.asked = asked.number`,
    many: OF_ADDRESS,
  },
  lease: { count: OF_LEASE, few: OF_LEASE, within: null, many: OF_LEASE },
  identity: { count: OF_LEASE, few: OF_LEASE, within: null, many: TO_LEASE },
};

/** Of an address that every answer still holds, the question's last time counts. */
const LAST_GIVEN = 'iif(given.current = 1, max(given.last, asked.last), given.last)';

/** One search: its statements are prepared once for all values. */
class Searcher {
  readonly #database: DatabaseSync;
  readonly #most: number;
  readonly #times: readonly [since: EpochMilliseconds, until: EpochMilliseconds];
  readonly #isAlways: boolean;
  readonly #statements = new Map<string, StatementSync>();

  /** JSON of the identities that may be told of, or null. */
  readonly #identities: string | null;

  constructor(
    database: DatabaseSync,
    { since, until, identities }: Pick<SearchQuestion, 'since' | 'until' | 'identities'>,
    most: number,
  ) {
    this.#database = database;
    this.#identities = identities === null ? null : JSON.stringify(identities);
    this.#most = most;
    this.#times = [since, until];
    this.#isAlways = since === 0 && until === Number.MAX_SAFE_INTEGER;
  }

  find(match: SearchMatch, limit: number): FoundFacts[] {
    const numbers = this.#numbers(match, limit);
    if (numbers.length === 0) return [];
    const rows = match.by === 'address' ? ANSWERS : QUESTIONS;
    return this.#all(rows, [JSON.stringify(numbers)]) as unknown as FoundFacts[];
  }

  #numbers({ by, where, parameters }: SearchMatch, limit: number): number[] {
    const { count, few, within, many } = WAYS[by];
    const match: Condition = [where, parameters];
    // Leases have times of their own, which spare their questions.
    const narrow = count === OF_LEASE && !this.#isAlways ? this.#then(match) : match;
    const rows = this.#count(count, narrow);
    if (rows === 0) return [];
    if (rows <= this.#most) return this.#read(by, few, narrow, limit);
    if (this.#isAlways) return this.#read(by, many, match, limit);
    if (within !== null) {
      const asked =
        by === 'name' ? this.#count(within, this.#then(match)) : this.#count(OF_LEASE, this.#then(null));
      if (asked <= this.#most) return this.#read(by, within, this.#then(match), limit);
    }
    if (by === 'address') return this.#read(by, many, match, limit);
    return this.#read(by, many, [`${where} AND asked.number >= ?`, [...parameters, this.#begin()]], limit);
  }

  /** With those leases alone that were there in the time. */
  #then(match: Condition | null): Condition {
    const [where, parameters] = match ?? ['true', []];
    return [`${where} AND lease.last >= ? AND lease.opened < ?`, [...parameters, ...this.#times]];
  }

  /** At most one more than are looked up. */
  #count(from: string, [where, parameters]: Condition): number {
    const sql = `SELECT count(*) AS number FROM (SELECT 1 FROM ${from} WHERE ${where} LIMIT ${this.#most + 1})`;
    return this.#all(sql, parameters)[0]!['number'] as number;
  }

  #read(by: SearchMatch['by'], from: string, [where, parameters]: Condition, limit: number): number[] {
    const table = by === 'address' ? 'given' : 'asked';
    const last = by === 'address' ? LAST_GIVEN : 'asked.last';
    // Where no time is asked for, the indexes alone tell.
    const then = this.#isAlways ? '' : ` AND ${last} >= ? AND ${table}.first < ?`;
    const whose = this.#identities === null ? '' : ` AND asked.lease IN (${LEASES_OF})`;
    const sql = `SELECT ${table}.number AS number FROM ${from} WHERE ${where}${then}${whose} ORDER BY ${table}.number LIMIT ?`;
    const times = this.#isAlways ? [] : this.#times;
    const identities = this.#identities === null ? [] : [this.#identities];
    return this.#all(sql, [...parameters, ...times, ...identities, limit]).map(
      ({ number }) => number as number,
    );
  }

  /** The least number of a question of the leases of the time. */
  #begin(): number {
    const [row] = this.#all(
      'SELECT min(begin) AS number FROM lease WHERE lease.last >= ? AND lease.opened < ?',
      this.#times,
    );
    return (row?.['number'] as number | null) ?? 0;
  }

  #all(sql: string, parameters: readonly SQLInputValue[]): Record<string, unknown>[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement.all(...parameters);
  }
}

const LEASES_OF = 'SELECT number FROM lease WHERE identity IN (SELECT value FROM json_each(?))';

const FOUND = `
  question.account AS account, lease, identity, client, job, name, folded, type, verdict, audited, proven, expected, ground,
  approved_stage, stage, rule`;

const QUESTIONS = `
  SELECT ${FOUND}, NULL AS address, first, last, count FROM question
  WHERE question.number IN (SELECT value FROM json_each(?)) ORDER BY first, question.number`;

const ANSWERS = `
  SELECT ${FOUND}, given.address AS address, given.first AS first,
    iif(given.current = 1, max(given.last, question.last), given.last) AS last, question.count AS count
  FROM given JOIN question ON question.number = given.asked
  WHERE given.number IN (SELECT value FROM json_each(?)) ORDER BY given.first, given.number`;
