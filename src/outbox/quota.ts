import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { EventRow } from './store-statements.ts';

/** What the events of one table may have. */
export interface QuotaSetting {
  /** Octets of their JSON, and of what the database needs for each. */
  readonly octets: number;
  /** Milliseconds that an event is kept. */
  readonly age: Milliseconds;
}

/** Positions that stay as long as something else can go: those after `after`, up to `upTo`. */
export interface SentSpan {
  readonly after: number;
  readonly upTo: number;
}

const BEHIND_ALL: SentSpan = { after: Number.POSITIVE_INFINITY, upTo: Number.POSITIVE_INFINITY };

/** Octets that a row costs beside its JSON. */
const ROW = 64;
/** Rows that one transaction takes away at most, so that it stays short; it adds 256 at most. */
const MOST_ROWS = 1_024;
/** Octets of quota for each event that may stay since it may have been sent: most are smaller, so they do not fill it. */
const OCTETS_A_SENT = 1_024;

/** Keeps one table of events within its quota: what all sinks have goes first, and what somebody has not had is lost. */
export class Quota {
  octets: number;
  rows: number;
  /**
   * Position up to which rows may lack between others: what may have been sent stayed, and what came after it went. Behind it the
   * table lacks its oldest rows alone.
   */
  hole = 0;
  /** Of the oldest event, in milliseconds since 1970; Infinity without one. */
  #oldest: EpochMilliseconds;
  /** The last call took all that it may: the next may take more. */
  #isBehind = false;
  setting: QuotaSetting;
  /** Octets that there is room for, whatever the setting says. */
  limit = Number.POSITIVE_INFINITY;
  readonly #rowsAfter: StatementSync;
  readonly #delete: StatementSync;
  readonly #first: StatementSync;
  readonly #redate: StatementSync;

  constructor(database: DatabaseSync, table: 'decision' | 'finding', setting: QuotaSetting) {
    this.setting = setting;
    this.#rowsAfter = database.prepare(
      `SELECT position, at, kind, seq, body FROM ${table} WHERE position > ? ORDER BY position LIMIT ${MOST_ROWS}`,
    );
    this.#delete = database.prepare(`DELETE FROM ${table} WHERE position > ? AND position <= ?`);
    this.#first = database.prepare(`SELECT at FROM ${table} ORDER BY position LIMIT 1`);
    this.#redate = database.prepare(`UPDATE ${table} SET at = ?1 WHERE at > ?1`);
    const sum = database
      .prepare(
        `SELECT count(*) AS rows, coalesce(sum(length(CAST(body AS BLOB))), 0) AS octets FROM ${table}`,
      )
      .get() as { rows: number; octets: number };
    this.rows = sum.rows;
    this.octets = sum.octets + sum.rows * ROW;
    this.#oldest = this.#readOldest();
  }

  get isFull(): boolean {
    return this.octets >= Math.min(this.setting.octets, this.limit);
  }

  /** Whether another call of `makeRoom` would take more away, though nothing is added. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Events that stay for a sink at most, since they may have been sent to it. */
  get mostSent(): number {
    return Math.floor(this.setting.octets / OCTETS_A_SENT);
  }

  added(body: string, at: EpochMilliseconds): void {
    this.octets += Buffer.byteLength(body) + ROW;
    this.rows++;
    if (at < this.#oldest) this.#oldest = at;
  }

  /** What a clock dated ahead that was then set back would stay for as long as that: it grows old from now on. */
  redate(now: EpochMilliseconds): void {
    this.#redate.run(now);
    this.#oldest = this.#readOldest();
  }

  /**
   * Makes room; gives the rows that went though they are owed to somebody. `keepsOwed`: those stay however full it is, until they
   * are too old. `kept`: what goes last, the first span first.
   */
  makeRoom(
    now: EpochMilliseconds,
    isOwedNow: (row: EventRow) => boolean,
    keepsOwed: boolean,
    kept: readonly SentSpan[],
  ): EventRow[] {
    const lost: EventRow[] = [];
    this.#isBehind = false;
    if (!this.isFull && this.#oldest >= now - this.setting.age) return lost;
    const before = this.rows;
    let isAtEnd = this.#takeAway(now, isOwedNow, keepsOwed, kept, lost);
    // All that is left may have been sent: then the oldest of that goes.
    if (isAtEnd && this.isFull && !keepsOwed) isAtEnd = this.#takeAway(now, isOwedNow, false, [], lost);
    this.#oldest = this.#readOldest();
    this.#isBehind = !isAtEnd && before - this.rows >= MOST_ROWS;
    return lost;
  }

  /** For a transaction that is taken back. */
  get sums(): { readonly octets: number; readonly rows: number; readonly hole: number } {
    const { octets, rows, hole } = this;
    return { octets, rows, hole };
  }

  restore({ octets, rows, hole }: Quota['sums']): void {
    this.octets = octets;
    this.rows = rows;
    this.hole = hole;
    this.#oldest = this.#readOldest();
  }

  /** Takes rows away, the oldest first, but for those that are kept and not too old. Whether it came to the end of the table. */
  #takeAway(
    now: EpochMilliseconds,
    isOwedNow: (row: EventRow) => boolean,
    keepsOwed: boolean,
    kept: readonly SentSpan[],
    lost: EventRow[],
  ): boolean {
    const tooOld = now - this.setting.age;
    let from = 0;
    let left = MOST_ROWS;
    let hasPassed = false;
    for (const { after, upTo } of [...kept, BEHIND_ALL]) {
      let last = from;
      let seen = 0;
      let end: 'table' | 'span' | 'enough' = 'table';
      for (const row of this.#rowsAfter.iterate(from) as unknown as Iterable<EventRow>) {
        seen++;
        const isOwed = isOwedNow(row);
        const isOld = row.at < tooOld;
        if (left === 0) end = 'enough';
        else if (!isOld && row.position > after) end = 'span';
        else if (!isOld && (!this.isFull || (isOwed && keepsOwed))) end = 'enough';
        if (end !== 'table') break;
        if (isOwed) lost.push(row);
        last = row.position;
        left--;
        this.octets -= Buffer.byteLength(row.body) + ROW;
        this.rows--;
      }
      if (last > from) {
        this.#delete.run(from, last);
        if (hasPassed) this.hole = Math.max(this.hole, last);
      }
      if (end === 'enough' || (end === 'table' && seen === MOST_ROWS)) return false;
      if (end === 'table') return true;
      hasPassed ||= upTo > last;
      from = Math.max(last, upTo);
    }
    return true;
  }

  #readOldest(): EpochMilliseconds {
    const row = this.#first.get() as { at: EpochMilliseconds } | undefined;
    return row?.at ?? Number.POSITIVE_INFINITY;
  }
}
