import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DirectNote } from '../resolve/grants/direct-note.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { AccountRows, KnownAccount } from './account-rows.ts';

/** Places of an account that have rows of their own; what is beyond has one row without an address. */
const MOST_PLACES = 500;
/** Rows of one answer. */
const MOST_READ = 1_000;

/** Where some accounts tried to connect to without an answer that said so, the same place of all of them as one. */
export interface RefusedFacts {
  /** Empty for many that are not told apart; then there is no protocol. */
  readonly address: string;
  readonly protocol: string;
  /** 0 for none. */
  readonly port: number;
  readonly proven: number;
  /** The name that the address was granted with last, to anybody. */
  readonly name: string | null;
  readonly first: EpochMilliseconds;
  readonly last: EpochMilliseconds;
  readonly count: number;
}

/** The table `refused`. */
export class RefusedRows {
  readonly #accounts: AccountRows;
  readonly #count: StatementSync;
  readonly #has: StatementSync;
  readonly #put: StatementSync;

  constructor(database: DatabaseSync, accounts: AccountRows) {
    this.#accounts = accounts;
    this.#count = database.prepare('SELECT count(*) AS count FROM refused WHERE lease = ?');
    this.#has = database.prepare(
      'SELECT 1 FROM refused WHERE lease = ? AND address = ? AND protocol = ? AND port = ? AND proven = ?',
    );
    this.#put = database.prepare(`
      INSERT INTO refused (lease, address, protocol, port, proven, name, first, last, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (lease, address, protocol, port, proven) DO UPDATE SET
        name = coalesce(excluded.name, name), last = MAX(last, excluded.last), count = count + excluded.count`);
  }

  take({
    at,
    network,
    identity,
    owner,
    lease,
    job,
    proven,
    address,
    protocol,
    port,
    count,
    granted,
  }: DirectNote): void {
    const draft = { owner, ...(lease === null ? {} : { lease }), ...(job === null ? {} : { job }) };
    const account = this.#accounts.of({ identity, at, network, draft }, false);
    const place = [address ?? '', protocol ?? '', port ?? 0] as const;
    const [own, what, where] = this.#hasRoom(account, place, proven) ? place : (['', '', 0] as const);
    this.#put.run(
      account.number,
      own,
      what,
      where,
      Number(proven),
      own === '' ? null : granted,
      at,
      at,
      count,
    );
    this.#accounts.asked(account.number, at);
  }

  #hasRoom({ number }: KnownAccount, place: readonly [string, string, number], proven: boolean): boolean {
    if (this.#has.get(number, ...place, Number(proven)) !== undefined) return true;
    return (this.#count.get(number) as { count: number }).count < MOST_PLACES;
  }
}

/** What was refused to accounts at `since` (milliseconds since 1970) or later; whoever was most often refused first. */
export function refusedOf(
  database: DatabaseSync,
  accounts: readonly number[],
  since: EpochMilliseconds,
): RefusedFacts[] {
  return database
    .prepare(`
      SELECT address, protocol, port, proven, max(name) AS name, min(first) AS first, max(last) AS last, sum(count) AS count
      FROM refused WHERE lease IN (SELECT value FROM json_each(?)) AND last >= ?
      GROUP BY address, protocol, port, proven ORDER BY proven DESC, count DESC, address LIMIT ${MOST_READ}`)
    .all(JSON.stringify(accounts), since) as unknown as RefusedFacts[];
}
