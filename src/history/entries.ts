import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Asked } from './question-rows.ts';

/** What an entry of the shared table of counts stands for, and how much of its count is written down. */
export interface CountedEntry {
  readonly generation: number;
  readonly asked: Asked;
  counted: number;
}

/** The table `entry`. */
export class Entries {
  readonly #known = new Map<number, CountedEntry>();
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #count: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#put = database.prepare(
      'INSERT OR REPLACE INTO entry (number, generation, asked, counted) VALUES (?, ?, ?, 0)',
    );
    this.#count = database.prepare('UPDATE entry SET counted = ? WHERE number = ?');
    this.load();
  }

  /** Reads all anew: a transaction was taken back, or accounts were dropped. */
  load(): void {
    this.#known.clear();
    const rows = this.#database
      .prepare(`
        SELECT entry.number, generation, counted, asked.number AS asked, asked.lease, asked.rule, asked.folded
        FROM entry JOIN asked ON asked.number = entry.asked`)
      .all() as unknown as Readonly<
      Record<'number' | 'generation' | 'counted' | 'asked' | 'lease' | 'folded', number>
    >[] &
      { rule: number | null }[];
    for (const { number, generation, counted, asked, lease, rule, folded } of rows) {
      this.#known.set(number, {
        generation,
        counted,
        asked: { number: asked, account: lease, rule, folded },
      });
    }
  }

  get(number: number): CountedEntry | undefined {
    return this.#known.get(number);
  }

  put(number: number, generation: number, asked: Asked): void {
    this.#known.set(number, { generation, asked, counted: 0 });
    this.#put.run(number, generation, asked.number);
  }

  counted(number: number, entry: CountedEntry, count: number): void {
    entry.counted = count;
    this.#count.run(count, number);
  }

  /** Nobody knows any more what the entries stand for. */
  clear(): void {
    this.#known.clear();
    this.#database.exec('DELETE FROM entry');
  }
}
