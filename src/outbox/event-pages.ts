import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import {
  DECISIONS,
  type EventSource,
  type FeedEvent,
  type Placed,
  SEVERITIES,
  type Selection,
} from './event.ts';
import { kindNumber } from './losses.ts';

/** Positions that one page looks at, at most, where few of them are selected. */
const SPAN = 20_000;

const TABLES = ['decision', 'finding'] as const;
type Table = (typeof TABLES)[number];

interface BodyRow {
  readonly position: number;
  readonly body: string;
}

/** Reads events of both tables in their one order. */
export class EventPages {
  readonly #decisions: StatementSync;
  readonly #findings: StatementSync;
  readonly #before: StatementSync;
  readonly #ends: StatementSync;
  readonly #newest: StatementSync;
  readonly #oldest: StatementSync;
  readonly #between: Readonly<Record<Table, StatementSync>>;

  constructor(database: DatabaseSync) {
    this.#decisions = database.prepare(
      `SELECT position, body FROM decision
       WHERE position > ? AND position <= ? AND (1 << kind) & ? != 0 ORDER BY position LIMIT ?`,
    );
    this.#findings = database.prepare(
      `SELECT position, body FROM finding
       WHERE position > ? AND position <= ? AND (1 << kind) & ? != 0 AND severity >= ? ORDER BY position LIMIT ?`,
    );
    this.#before = database.prepare(
      `SELECT min(position) AS position FROM (
         SELECT min(position) AS position FROM decision WHERE at >= ?1 UNION ALL
         SELECT min(position) AS position FROM finding WHERE at >= ?1)`,
    );
    this.#ends = database.prepare(
      'SELECT (SELECT min(position) FROM decision) AS decision, (SELECT min(position) FROM finding) AS finding',
    );
    this.#newest = database.prepare(
      `SELECT max(at) AS at FROM (
         SELECT at FROM (SELECT at FROM decision ORDER BY position DESC LIMIT 1) UNION ALL
         SELECT at FROM (SELECT at FROM finding ORDER BY position DESC LIMIT 1))`,
    );
    this.#oldest = database.prepare(
      `SELECT (SELECT at FROM decision WHERE position > ?1 ORDER BY position LIMIT 1) AS decision,
              (SELECT at FROM finding WHERE position > ?1 ORDER BY position LIMIT 1) AS finding`,
    );
    const between = (table: Table): StatementSync =>
      database.prepare(`SELECT count(*) AS rows FROM ${table} WHERE position > ? AND position < ?`);
    this.#between = { decision: between('decision'), finding: between('finding') };
  }

  /** As `EventSource.page`; `last` is the position of the last event that there is. */
  read(
    after: number,
    last: number,
    { kinds, minSeverity }: Selection,
    limit: number,
    octets: number,
  ): ReturnType<EventSource['page']> {
    const upTo = Math.min(last, after + SPAN);
    const mask = (of: (isDecision: boolean) => boolean): number =>
      [...kinds].reduce((bits, kind) => (of(DECISIONS.has(kind)) ? bits | (1 << kindNumber(kind)) : bits), 0);
    const decisions = mask((isDecision) => isDecision);
    const others = mask((isDecision) => !isDecision);
    const severity = SEVERITIES.indexOf(minSeverity);
    const rows: BodyRow[] = [];
    if (decisions !== 0)
      rows.push(...(this.#decisions.all(after, upTo, decisions, limit) as unknown as BodyRow[]));
    if (others !== 0)
      rows.push(...(this.#findings.all(after, upTo, others, severity, limit) as unknown as BodyRow[]));
    rows.sort((a, b) => a.position - b.position);
    const events: Placed[] = [];
    let size = 0;
    for (const { position, body } of rows) {
      size += body.length;
      if (events.length === limit || (events.length > 0 && size > octets)) {
        return { events, reached: events.at(-1)!.position };
      }
      events.push({ position, event: JSON.parse(body) as FeedEvent });
    }
    // One more may lie behind a full page.
    const isWhole = rows.length < limit;
    return { events, reached: isWhole ? Math.max(after, upTo) : events.at(-1)!.position };
  }

  /** The time of the last event, in milliseconds since 1970; null without one. */
  newest(): EpochMilliseconds | null {
    return (this.#newest.get() as { at: EpochMilliseconds | null }).at;
  }

  /** The position before the first event of that time or later; Infinity where there is none. */
  before(since: EpochMilliseconds): number {
    const { position } = this.#before.get(since) as { position: number | null };
    return position === null ? Number.POSITIVE_INFINITY : position - 1;
  }

  /**
   * How many events come after a position, and the time of the first of them. `rows`: of each table. A quarter of a GiB waits
   * for a sink that is down, so rows are not counted where it can be known: each event has the position behind the one before,
   * and behind `hole` a table loses its oldest rows alone.
   */
  waiting(
    after: number,
    last: number,
    rows: Readonly<Record<Table, number>>,
    hole: number,
  ): { readonly depth: number; readonly oldest: EpochMilliseconds | null } {
    const ends = this.#ends.get() as Record<Table, number | null>;
    const first = { decision: ends.decision ?? last + 1, finding: ends.finding ?? last + 1 };
    const [longer, shorter] = first.decision <= first.finding ? TABLES : ([TABLES[1], TABLES[0]] as const);
    const whole = first[shorter];
    const count = (table: Table, from: number, upTo: number): number =>
      (this.#between[table].get(from, upTo) as { rows: number }).rows;
    const from = Math.max(after, hole);
    let depth = 0;
    if (after < Math.min(first[longer], whole)) depth = rows.decision + rows.finding;
    else if (from >= whole - 1) depth = last - from;
    else depth = count(longer, from, whole) + last - whole + 1;
    if (after < hole && after >= first[longer])
      depth += TABLES.reduce((sum, table) => sum + count(table, after, hole + 1), 0);
    const { decision, finding } = this.#oldest.get(after) as Record<Table, EpochMilliseconds | null>;
    const times = [decision, finding].filter((at) => at !== null);
    return { depth: Math.max(0, depth), oldest: times.length === 0 ? null : Math.min(...times) };
  }
}
