import { openHistory } from '../../../src/history/history-database.ts';
import { reverseOf } from '../../../src/history/question-rows.ts';

/** What a test puts into a history: one question of one lease. */
export interface Filled {
  readonly lease: string;
  readonly name: string;
  readonly identity?: string;
  readonly stage?: string;
  readonly type?: number;
  readonly verdict?: string;
  readonly audited?: boolean;
  readonly proven?: boolean;
  readonly ground?: string;
  readonly job?: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly at?: number;
  readonly count?: number;
}

/** Makes a history as the worker would. */
export function fillHistory(path: string, rows: Iterable<Filled>): void {
  const database = openHistory(path);
  const leases = new Map<string, number>();
  const names = new Map<string, number>();
  const views = new Map<string, number>();
  const insertLease = database.prepare(
    "INSERT INTO lease (id, identity, owner, client, job, opened, policy, last) VALUES (?, ?, 'o', '10.0.0.1', ?, ?, '0', ?)",
  );
  const insertName = database.prepare('INSERT INTO name (text, reverse) VALUES (?, ?)');
  const insertView = database.prepare("INSERT INTO view (stage, policy) VALUES (?, '0')");
  const insertAsked = database.prepare(`
    INSERT INTO asked (lease, name, folded, type, verdict, audited, proven, expected, ground, view, first, last, count)
    VALUES (?, ?, 0, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`);
  const numberOf = (known: Map<string, number>, key: string, insert: () => number | bigint): number => {
    let number = known.get(key);
    if (number === undefined) {
      number = Number(insert());
      known.set(key, number);
    }
    return number;
  };
  database.exec('BEGIN');
  for (const row of rows) {
    const {
      identity = 'job',
      stage = '',
      type = 1,
      verdict = 'deny',
      ground = 'nothing',
      at = Date.now(),
      count = 1,
    } = row;
    const { audited = true, proven = true, job } = row;
    const lease = numberOf(
      leases,
      row.lease,
      () =>
        insertLease.run(row.lease, identity, job === undefined ? null : JSON.stringify(job), at, at)
          .lastInsertRowid,
    );
    const name = numberOf(
      names,
      row.name,
      () => insertName.run(row.name, reverseOf(row.name)).lastInsertRowid,
    );
    const view = numberOf(views, stage, () => insertView.run(stage).lastInsertRowid);
    insertAsked.run(lease, name, type, verdict, audited ? 1 : 0, proven ? 1 : 0, ground, view, at, at, count);
  }
  database.exec(`
    UPDATE lease SET (begin, opened, last) = (SELECT min(number), min(first), max(last) FROM asked WHERE lease = lease.number);
    COMMIT`);
  database.close();
}
