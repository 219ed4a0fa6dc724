import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { LeaseNote } from '../policy/lease/lease-note.ts';
import { type EpochMilliseconds, type Milliseconds, passOver } from '../wire/quantity.ts';
import type { HeardQuestion } from './heard.ts';

const DAY: Milliseconds = 86_400_000;
/** Accounts that are remembered. */
const MOST_KNOWN = 20_000;

/** An account as the writer needs it. */
export interface KnownAccount {
  readonly number: number;
  names: number;
  domains: number;
}

/** Whose account it is. */
type Asker = Pick<HeardQuestion, 'identity' | 'at' | 'network' | 'draft'>;

/** The table `lease`: finds and makes accounts, opens and ends those of leases, and says which are not complete. */
export class AccountRows {
  readonly #known = new Map<string, KnownAccount>();
  readonly #byLease: StatementSync;
  readonly #byClient: StatementSync;
  readonly #insert: StatementSync;
  readonly #open: StatementSync;
  readonly #end: StatementSync;
  readonly #grow: StatementSync;
  readonly #touch: StatementSync;
  readonly #begin: StatementSync;
  readonly #lose: StatementSync;
  readonly #database: DatabaseSync;
  /** Leases that were told of since the start. */
  readonly #live = new Set<string>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#byLease = database.prepare('SELECT number, names, domains FROM lease WHERE id = ?');
    this.#byClient = database.prepare(
      'SELECT number, names, domains FROM lease WHERE identity = ? AND day = ? AND client = ? AND id IS NULL',
    );
    this.#insert = database.prepare(`
      INSERT INTO lease (id, identity, owner, client, day, job, opened, policy, last, complete, missing)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#open = database.prepare(`
      INSERT INTO lease (id, identity, owner, client, claim, job, opener, holder, opened, enforced, policy, last, complete, missing)
      VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, '', ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET
        owner = excluded.owner, claim = excluded.claim, job = excluded.job, opener = excluded.opener, holder = excluded.holder,
        opened = min(opened, excluded.opened), enforced = excluded.enforced, ended = NULL, how = NULL`);
    this.#end = database.prepare('UPDATE lease SET ended = ?, how = ? WHERE id = ? AND ended IS NULL');
    this.#grow = database.prepare('UPDATE lease SET names = ?, domains = ? WHERE number = ?');
    this.#touch = database.prepare(`
      UPDATE lease SET last = MAX(last, ?), client = iif(client = '', ?, client), policy = iif(policy = '', ?, policy)
      WHERE number = ?`);
    // No question is earlier than its account, whatever the clock did: searches count on it.
    this.#begin = database.prepare(
      'UPDATE lease SET begin = coalesce(begin, ?), opened = min(opened, ?), last = max(last, ?) WHERE number = ?',
    );
    this.#lose = database.prepare(`
      UPDATE lease SET complete = 0, missing = coalesce(missing, ?)
      WHERE opened <= ? AND (id IS NOT NULL AND (ended IS NULL OR ended >= ?) OR id IS NULL AND day BETWEEN ? AND ?)`);
  }

  /** The account of a question. `others`: its client is one of many that are not told apart. */
  of({ identity, at, network, draft }: Asker, others: boolean): KnownAccount {
    const { lease, certificate, owner = '', policy = '', job } = draft;
    const day = Math.floor(at / DAY);
    const client = others ? 'others' : (certificate?.san ?? certificate?.fingerprint ?? network);
    const key = lease === undefined ? `${day} ${identity} ${client}` : `lease ${lease}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const row = lease === undefined ? this.#byClient.get(identity, day, client) : this.#byLease.get(lease);
    if (row !== undefined) {
      const account = row as unknown as KnownAccount;
      this.#touch.run(at, client, policy, account.number);
      return this.#keep(key, { ...account });
    }
    // The beginning of a lease is told before its first question.
    const isWhole = lease === undefined;
    const { lastInsertRowid } = this.#insert.run(
      lease ?? null,
      identity,
      owner,
      client,
      isWhole ? day : null,
      job === undefined ? null : JSON.stringify(job),
      at,
      policy,
      at,
      isWhole ? 1 : 0,
      isWhole ? null : 'its beginning is not in the history',
    );
    return this.#keep(key, { number: Number(lastInsertRowid), names: 0, domains: 0 });
  }

  /** Writes down how many rows an account has. */
  grew({ number, names, domains }: KnownAccount): void {
    this.#grow.run(names, domains, number);
  }

  asked(number: number, last: EpochMilliseconds): void {
    this.#touch.run(last, '', '', number);
  }

  /** A row of `asked` was made for a question of that time. */
  began(number: number, row: number, at: EpochMilliseconds): void {
    this.#begin.run(row, at, at, number);
  }

  take(note: LeaseNote): void {
    const { what, id, at } = note;
    switch (what) {
      case 'opened':
      case 'live': {
        const { identity = '', owner = '', claim, job, opener = null, holder = null } = note;
        const opened = Math.round(note.opened ?? at);
        this.#live.add(id);
        this.#open.run(
          id,
          identity,
          owner,
          claim === undefined ? null : JSON.stringify(claim),
          job === undefined || job === null ? null : JSON.stringify(job),
          opener,
          holder,
          opened,
          note.enforced === true ? 1 : 0,
          opened,
          what === 'opened' ? 1 : 0,
          what === 'opened' ? null : 'its beginning is not in the history',
        );
        break;
      }
      case 'ended':
      case 'expired':
        this.#live.delete(id);
        this.#end.run(Math.round(at), what, id);
        break;
      case 'all':
        this.#endOthers();
        break;
      default:
        passOver(what);
    }
  }

  /** What was asked from `from` to `to` may be missing: says so of each account that was live then. */
  lose(why: string, from: EpochMilliseconds, to: EpochMilliseconds): void {
    this.#lose.run(why, to, from, Math.floor(from / DAY), Math.floor(to / DAY));
  }

  /** What was remembered may not be so: a transaction was taken back, or accounts were dropped. */
  forget(): void {
    this.#known.clear();
  }

  /** Whoever lives has been told: the others ended while nobody listened. */
  #endOthers(): void {
    const rows = this.#database.prepare('SELECT id FROM lease WHERE id IS NOT NULL AND ended IS NULL').all();
    const end = this.#database.prepare("UPDATE lease SET ended = last, how = 'expired' WHERE id = ?");
    for (const { id } of rows) if (!this.#live.has(id as string)) end.run(id as string);
  }

  #keep(key: string, account: KnownAccount): KnownAccount {
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(key, account);
    return account;
  }
}
