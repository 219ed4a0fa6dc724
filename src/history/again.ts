import type { DatabaseSync } from 'node:sqlite';
import { typeToText } from '../wire/iana.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import { type TailEvent, wordOf } from './tail.ts';

/** Rows that are looked up at once, the most frequent: those who look on see no more of one moment. */
const MOST_ROWS = 500;

/** What was asked again, by row of `asked`: for those who look on. */
export function* againEvents(
  database: DatabaseSync,
  again: ReadonlyMap<number, number>,
): Generator<TailEvent> {
  if (again.size === 0) return;
  const find = database.prepare('SELECT * FROM question WHERE number = ?');
  const most = [...again].sort(([, a], [, b]) => b - a).slice(0, MOST_ROWS);
  for (const [number, count] of most) {
    const row = find.get(number) as unknown as Row | undefined;
    if (row === undefined) continue;
    const { stage, lease, job, client, approved_stage: other, rule, policy } = row;
    yield {
      time: new Date(row.last).toISOString(),
      identity: row.identity,
      verdict: wordOf(row.verdict, row.audited === 1),
      name: row.name,
      type: typeToText(row.type),
      count,
      ...(row.folded === 0 ? {} : { folded: true }),
      ...(stage === '' ? {} : { stage }),
      ...(lease === null ? {} : { lease }),
      ...(job === null ? {} : { job: JSON.parse(job) as object }),
      client,
      ground: row.ground,
      ...(other === null ? {} : { approved_stage: other }),
      ...(rule === null ? {} : { rule }),
      policy,
      proven: row.proven === 1,
      ...(row.expected === 1 ? { expected: true } : {}),
    };
  }
}

interface Row {
  readonly identity: string;
  readonly verdict: string;
  readonly audited: number;
  readonly name: string;
  readonly type: number;
  readonly folded: number;
  readonly stage: string;
  readonly lease: string | null;
  readonly job: string | null;
  readonly client: string;
  readonly ground: string;
  readonly approved_stage: string | null;
  readonly rule: string | null;
  readonly policy: string;
  readonly proven: number;
  readonly expected: number;
  readonly last: EpochMilliseconds;
}
