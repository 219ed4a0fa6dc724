import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';

/** After its end a lease has so long for its report to be read. */
const GRACE_MS: Milliseconds = 600_000;
/** What ended longer ago is told no more. */
const OLD_MS: Milliseconds = 86_400_000;
const AT_ONCE = 20;
const SHOWN_NAMES = 5;

/** A lease whose time ran out, whose job was refused something, and of which nobody read the report. */
export interface Unreported {
  readonly lease: string;
  readonly identity: string;
  readonly owner: string;
  readonly names: readonly string[];
}

/** Who has read reports, and which ones nobody has. */
export class Unreporteds {
  readonly #read: StatementSync;
  readonly #find: StatementSync;
  readonly #names: StatementSync;
  readonly #told: StatementSync;

  constructor(database: DatabaseSync) {
    const refused = `verdict IN ('deny', 'contain') AND audited = 0 AND proven = 1 AND expected = 0`;
    this.#read = database.prepare(
      'UPDATE lease SET reported = ? WHERE number IN (SELECT value FROM json_each(?)) AND id IS NOT NULL',
    );
    this.#find = database.prepare(`
      SELECT number, id, identity, owner FROM lease
      WHERE how = 'expired' AND reported IS NULL AND ended BETWEEN ? AND ?
        AND (EXISTS (SELECT 1 FROM asked WHERE asked.lease = lease.number AND ${refused})
          OR EXISTS (SELECT 1 FROM refused WHERE refused.lease = lease.number AND proven = 1)) LIMIT ${AT_ONCE}`);
    this.#names = database.prepare(
      `SELECT DISTINCT name FROM question WHERE account = ? AND ${refused} LIMIT ${SHOWN_NAMES}`,
    );
    this.#told = database.prepare('UPDATE lease SET reported = 0 WHERE number = ?');
  }

  /** Somebody reads the report of these accounts. `now`: milliseconds since 1970. */
  read(accounts: readonly number[], now: EpochMilliseconds): void {
    this.#read.run(now, JSON.stringify(accounts));
  }

  /** Those that are to be told now, each once. */
  take(now: EpochMilliseconds): Unreported[] {
    return this.#find.all(now - OLD_MS, now - GRACE_MS).map(({ number, id, identity, owner }) => {
      const names = this.#names.all(number as number).map(({ name }) => name as string);
      this.#told.run(number as number);
      return { lease: id as string, identity: identity as string, owner: owner as string, names };
    });
  }
}
