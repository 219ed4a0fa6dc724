import type { DatabaseSync } from 'node:sqlite';
import type { LeaseNote } from '../policy/lease/lease-note.ts';
import type { DirectNote } from '../resolve/grants/direct-note.ts';
import { type EpochMilliseconds, unreachable } from '../wire/quantity.ts';
import { AccountRows } from './account-rows.ts';
import { Entries } from './entries.ts';
import { GivenRows } from './given-rows.ts';
import type { HeardAsked, HeardCounts, HeardGiven } from './heard.ts';
import { openHistory } from './history-database.ts';
import { type Asked, QuestionRows } from './question-rows.ts';
import { Recent } from './recent.ts';
import { RefusedRows } from './refused-rows.ts';
import { Room, type RoomSetting } from './room.ts';
import { Unreporteds } from './unreported.ts';

/** Something that was heard, in order. What a slot said is copied. */
export type Heard =
  | HeardAsked
  | HeardGiven
  | { readonly record: 'lease'; readonly note: LeaseNote }
  | { readonly record: 'direct'; readonly note: DirectNote };

/** One transaction: what was heard, and up to where. */
export interface HistoryBatch {
  readonly heard: readonly Heard[];
  /** The place in the ring behind the last record, as `place` gives it back. */
  readonly place: string;
  /** Counts are to be written down. */
  readonly counts: HeardCounts | null;
}

const LOST =
  'what was asked had no room for a moment: the disk was full or slow, or a client asked very much';

/** Writes the history. One thread has it. What a call throws is SQLite's, and then nothing of the call has happened. */
export class HistoryStore {
  readonly #database: DatabaseSync;
  readonly #accounts: AccountRows;
  readonly #questions: QuestionRows;
  readonly #given: GivenRows;
  readonly #refused: RefusedRows;
  readonly #entries: Entries;
  readonly #room: Room;
  readonly unreported: Unreporteds;
  readonly recent: Recent;
  /** Questions that were counted as lost. */
  #lost: number;
  /** Questions that were written down since the start. */
  #written = 0;

  /** `registered`: where the registered domain of a wire name starts. `now`: milliseconds since 1970. Throws a DatabaseRefusal. */
  constructor(path: string, registered: (name: Uint8Array) => number, now: EpochMilliseconds) {
    const database = openHistory(path);
    this.#database = database;
    this.#accounts = new AccountRows(database);
    this.#questions = new QuestionRows(database, this.#accounts, registered);
    this.#given = new GivenRows(database);
    this.#refused = new RefusedRows(database, this.#accounts);
    this.#entries = new Entries(database);
    this.#room = new Room(database);
    this.unreported = new Unreporteds(database);
    this.recent = new Recent(now);
    this.#lost = Number(this.state('lost') ?? 0);
  }

  get database(): DatabaseSync {
    return this.#database;
  }

  state(key: string): string | null {
    const row = this.#database.prepare('SELECT value FROM state WHERE key = ?').get(key);
    return row === undefined ? null : (row['value'] as string);
  }

  keep(key: string, value: string): void {
    this.#database
      .prepare(
        'INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      )
      .run(key, value);
  }

  /** Gives what was counted without a slot, by row of `asked`. */
  commit({ heard, place, counts }: HistoryBatch, now: EpochMilliseconds): ReadonlyMap<number, number> {
    this.#transact(() => {
      for (const each of heard) this.#take(each);
      if (counts !== null) this.#sweep(counts);
      this.keep('place', place);
    }, counts);
    return this.recent.keep(now);
  }

  /** What was asked from `from` to `to` may be missing in the accounts that were live then. */
  lose(why: string, from: EpochMilliseconds, to: EpochMilliseconds): void {
    this.#transact(() => this.#accounts.lose(why, from, to), null);
  }

  /** Entries of the table of counts mean nothing any more. */
  forgetEntries(): void {
    this.#transact(() => this.#entries.clear(), null);
  }

  /** Drops the oldest accounts where there is need; true where more may have to go. `now`: milliseconds since 1970. */
  makeRoom(setting: RoomSetting, now: EpochMilliseconds): boolean {
    let more = false;
    this.#transact(() => {
      more = this.#room.make(setting, now);
    }, null);
    if (more) {
      this.#forget();
      this.#room.giveBack();
    }
    return more;
  }

  /** For the metrics. `questions`: written down since the start; `lost`: since the table of counts was made. */
  get figures(): { readonly octets: number; readonly questions: number; readonly lost: number } {
    return { octets: this.#room.size, questions: this.#written, lost: this.#lost };
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #take(each: Heard): void {
    switch (each.record) {
      case 'asked': {
        const { entry, generation, before } = each;
        const known = this.#entries.get(entry);
        if (known !== undefined && known.generation === before.generation && before.count > known.counted)
          this.#count(known.asked, before.count - known.counted, before.last);
        const asked = this.#questions.take(each);
        this.recent.tell(asked.number);
        this.#written++;
        this.#entries.put(entry, generation, asked);
        break;
      }
      case 'given': {
        const { entry, generation, question } = each;
        const known = this.#entries.get(entry);
        if (known?.generation === generation && known.asked.folded === 0)
          this.#given.take(known.asked.number, question.draft.addresses ?? [], question.at);
        break;
      }
      case 'lease':
        this.#accounts.take(each.note);
        break;
      case 'direct':
        this.#refused.take(each.note);
        break;
      default:
        unreachable(each);
    }
  }

  #count(asked: Asked, count: number, last: EpochMilliseconds): void {
    this.#questions.add(asked, count, last);
    this.recent.count(asked.number, count);
    this.#written += count;
  }

  #sweep(counts: HeardCounts): void {
    counts.sweep((number, generation, count, last) => {
      const entry = this.#entries.get(number);
      // The slot that says what it is waits in the ring.
      if (entry?.generation !== generation) return false;
      if (count <= entry.counted) return true;
      this.#count(entry.asked, count - entry.counted, last);
      this.#entries.counted(number, entry, count);
      return true;
    });
    const { count, from, to } = counts.lost;
    if (count === this.#lost) return;
    this.#accounts.lose(LOST, from, to);
    this.#lost = count;
    this.keep('lost', String(count));
  }

  #transact(work: () => void, counts: HeardCounts | null): void {
    const [lost, written] = [this.#lost, this.#written];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite itself may have taken the transaction back.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#lost = lost;
      this.#written = written;
      counts?.again();
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#accounts.forget();
    this.#questions.forget();
    this.recent.forget();
    this.#entries.load();
  }
}
