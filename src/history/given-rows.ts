import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';

const HOUR: Milliseconds = 3_600_000;
/** Addresses of one question that are written down in one hour. */
const MOST_IN_HOUR = 16;

/** The table `given`: which addresses a question was answered with. */
export class GivenRows {
  readonly #current: StatementSync;
  readonly #has: StatementSync;
  readonly #countSince: StatementSync;
  readonly #put: StatementSync;
  readonly #end: StatementSync;

  constructor(database: DatabaseSync) {
    this.#current = database.prepare('SELECT number, address FROM given WHERE asked = ? AND current = 1');
    this.#has = database.prepare('SELECT 1 FROM given WHERE asked = ? AND address = ?');
    this.#countSince = database.prepare('SELECT count(*) AS count FROM given WHERE asked = ? AND first >= ?');
    this.#put = database.prepare(`
      INSERT INTO given (asked, address, first, last, current) VALUES (?, ?, ?, ?, 1)
      ON CONFLICT (asked, address) DO UPDATE SET last = excluded.last, current = 1`);
    this.#end = database.prepare('UPDATE given SET current = 0, last = MAX(last, ?) WHERE number = ?');
  }

  /** From `at` on (milliseconds since 1970) a question's answers hold these addresses and no others. */
  take(asked: number, addresses: readonly string[], at: EpochMilliseconds): void {
    for (const { number, address } of this.#current.all(asked)) {
      if (!addresses.includes(address as string)) this.#end.run(at, number as number);
    }
    for (const address of addresses) {
      if (this.#has.get(asked, address) === undefined) {
        const { count } = this.#countSince.get(asked, at - (at % HOUR)) as { count: number };
        if (count >= MOST_IN_HOUR) continue;
      }
      this.#put.run(asked, address, at, at);
    }
  }
}
