import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds } from '../wire/quantity.ts';

/** What the store asks of its database, prepared once. */
export class Statements {
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly rollback: StatementSync;
  readonly addDecision: StatementSync;
  readonly addFinding: StatementSync;
  readonly setSequence: StatementSync;
  readonly setState: StatementSync;
  readonly dropState: StatementSync;

  constructor(database: DatabaseSync) {
    this.begin = database.prepare('BEGIN IMMEDIATE');
    this.commit = database.prepare('COMMIT');
    this.rollback = database.prepare('ROLLBACK');
    this.addDecision = database.prepare('INSERT INTO decision VALUES (?, ?, ?, ?, ?)');
    this.addFinding = database.prepare('INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?)');
    this.setSequence = database.prepare('INSERT OR REPLACE INTO sequence VALUES (?, ?)');
    this.setState = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?)');
    this.dropState = database.prepare('DELETE FROM state WHERE key = ?');
  }
}

/** A row of `decision` or `finding`, as far as somebody asked for it. */
export interface EventRow {
  readonly position: number;
  readonly at: EpochMilliseconds;
  readonly kind: number;
  readonly seq: number;
  readonly body: string;
}
