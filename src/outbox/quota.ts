import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EventRow } from './store-statements.ts';

/** What the events of one table may have. */
export interface QuotaSetting {
  /** Octets of their JSON, and of what the database needs for each. */
  readonly octets: number;
  /** Milliseconds that an event is kept. */
  readonly age: number;
}

/** Octets that a row costs beside its JSON. */
const ROW = 64;
/** Rows that one transaction takes away at most, so that it stays short; it adds 256 at most. */
const MOST_ROWS = 1_024;

/** Keeps one table of events within its quota: what all sinks have goes first, and what somebody has not had is lost. */
export class Quota {
  octets: number;
  rows: number;
  /** Of the oldest event, in milliseconds since 1970; Infinity without one. */
  #oldest: number;
  setting: QuotaSetting;
  readonly #oldestRows: StatementSync;
  readonly #delete: StatementSync;
  readonly #first: StatementSync;

  constructor(database: DatabaseSync, table: 'decision' | 'finding', setting: QuotaSetting) {
    this.setting = setting;
    this.#oldestRows = database.prepare(
      `SELECT position, at, kind, seq, body FROM ${table} ORDER BY position LIMIT ?`,
    );
    this.#delete = database.prepare(`DELETE FROM ${table} WHERE position <= ?`);
    this.#first = database.prepare(`SELECT at FROM ${table} ORDER BY position LIMIT 1`);
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
    return this.octets >= this.setting.octets;
  }

  added(body: string, at: number): void {
    this.octets += Buffer.byteLength(body) + ROW;
    this.rows++;
    if (at < this.#oldest) this.#oldest = at;
  }

  /**
   * Makes room; gives the rows that went though they are owed to somebody. `keepsOwed`: those stay however full it is, until they
   * are too old.
   */
  makeRoom(now: number, isOwedNow: (row: EventRow) => boolean, keepsOwed: boolean): EventRow[] {
    const lost: EventRow[] = [];
    const tooOld = now - this.setting.age;
    if (!this.isFull && this.#oldest >= tooOld) return lost;
    let last = -1;
    for (const row of this.#oldestRows.all(MOST_ROWS) as unknown as EventRow[]) {
      const isOld = row.at < tooOld;
      const isOwed = isOwedNow(row);
      if (!isOld && (!this.isFull || (isOwed && keepsOwed))) break;
      if (isOwed) lost.push(row);
      last = row.position;
      this.octets -= Buffer.byteLength(row.body) + ROW;
      this.rows--;
    }
    if (last >= 0) this.#delete.run(last);
    this.#oldest = this.#readOldest();
    return lost;
  }

  /** For a transaction that is taken back. */
  get sums(): { readonly octets: number; readonly rows: number } {
    return { octets: this.octets, rows: this.rows };
  }

  restore({ octets, rows }: Quota['sums']): void {
    this.octets = octets;
    this.rows = rows;
    this.#oldest = this.#readOldest();
  }

  #readOldest(): number {
    const row = this.#first.get() as { at: number } | undefined;
    return row?.at ?? Number.POSITIVE_INFINITY;
  }
}
