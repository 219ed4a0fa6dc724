import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';

const DAY: Milliseconds = 86_400_000;
/** Accounts that go in one transaction, so that none of them is long. */
const AT_ONCE = 50;
/** What is free below the size that the history may have, so that it need not be made with each row. */
const SPARE = 0.05;
/** Pages that are given back to the system at once. */
const PAGES = 2_000;

export interface RoomSetting {
  /** Milliseconds for which an account is kept after its last question. */
  readonly keep: Milliseconds;
  /** Octets that the database may have. */
  readonly size: number;
}

/** Makes room: the oldest accounts go, never one that lives. */
export class Room {
  readonly #database: DatabaseSync;
  readonly #oldest: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#oldest = database.prepare(`
      SELECT number FROM lease
      WHERE last < ? AND (id IS NOT NULL AND ended IS NOT NULL OR id IS NULL AND day < ?) ORDER BY last LIMIT ${AT_ONCE}`);
  }

  /** Octets that rows take. */
  get size(): number {
    const number = (pragma: string): number =>
      Object.values(this.#database.prepare(`PRAGMA ${pragma}`).get() as Record<string, number>)[0]!;
    return (number('page_count') - number('freelist_count')) * number('page_size');
  }

  /** Drops some accounts if there is need; true where more may have to go. `now`: milliseconds since 1970. Within a transaction. */
  make({ keep, size }: RoomSetting, now: EpochMilliseconds): boolean {
    const today = Math.floor(now / DAY);
    const isLarge = this.size > size * (1 - SPARE);
    const rows = this.#oldest.all(isLarge ? now : now - keep, today);
    if (rows.length === 0) return false;
    this.#drop(rows.map(({ number }) => number as number));
    return true;
  }

  /** Gives free pages back. Not within a transaction. */
  giveBack(): void {
    this.#database.exec(`PRAGMA incremental_vacuum(${PAGES})`);
  }

  #drop(accounts: readonly number[]): void {
    const list = accounts.join(', ');
    this.#database.exec(`
      CREATE TEMP TABLE going AS SELECT number, name FROM asked WHERE lease IN (${list});
      DELETE FROM given WHERE asked IN (SELECT number FROM going);
      DELETE FROM entry WHERE asked IN (SELECT number FROM going);
      DELETE FROM asked WHERE lease IN (${list});
      DELETE FROM refused WHERE lease IN (${list});
      DELETE FROM lease WHERE number IN (${list});
      DELETE FROM name WHERE number IN (SELECT DISTINCT name FROM going)
        AND NOT EXISTS (SELECT 1 FROM asked WHERE asked.name = name.number);
      DROP TABLE going;
    `);
  }
}
