import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DatabaseRefusal, isDamage, keepAside } from '../database/database.ts';
import { type EpochMilliseconds, type Milliseconds, passOver } from '../wire/quantity.ts';
import { againEvents } from './again.ts';
import { type HeardCounts, type HeardRecord, readHeardNote } from './heard.ts';
import { HISTORY_FILE } from './history-database.ts';
import { type Heard, HistoryStore } from './history-store.ts';
import { answerHistory, type HistoryQuestion } from './questions.ts';
import type { RoomSetting } from './room.ts';
import type { TailEvent } from './tail.ts';
import { type TopQuestion, topOf } from './top.ts';
import type { Unreported } from './unreported.ts';

/** What the history is opened with. */
export interface HistoryPlace {
  /** Absolute path of the state folder. */
  readonly folder: string;
  /** Of the ring: another when its file was made anew. */
  readonly ring: string;
  readonly counts: HeardCounts;
  readonly setting: { readonly history: RoomSetting | null };
  /** Where the registered domain of a wire name starts. */
  readonly registered: (name: Uint8Array) => number;
  /** Milliseconds since 1970. */
  readonly now: () => EpochMilliseconds;
  /** A database that could not be read is kept under another name. */
  readonly damaged: (text: string, copy: string) => void;
}

/** Who looks on: hears of questions that are known and were asked again. */
export interface HistoryWatcher {
  isWatched(now: EpochMilliseconds): boolean;
  again(event: TailEvent, now: EpochMilliseconds): void;
}

/** Between two looks at the table of counts. */
const SWEEP_MS: Milliseconds = 2_000;
/** Between two looks for accounts that are to go. */
const ROOM_MS: Milliseconds = 60_000;
/** What the system may not have written yet when the machine stops. */
const UNSYNCED_MS: Milliseconds = 60_000;
const STOPPED = 'the machine stopped, or files of the state folder were lost';
/** Between two looks for leases whose report nobody has read. */
const LOOK_MS: Milliseconds = 30_000;

const OFF_FILE = 'history.off';
const OFF = 'the history was off';

/** Keeps in mind, for whoever opens the history next, that nobody listens any more. Never throws. */
export function noteOff(folder: string): void {
  try {
    if (existsSync(join(folder, HISTORY_FILE))) writeFileSync(join(folder, OFF_FILE), '', { mode: 0o600 });
  } catch {
    // Accounts of leases that live all the while then look complete.
  }
}

/** The history while the worker runs: it hears what the ring says, and writes it down in batches. */
export class History {
  readonly #place: HistoryPlace;
  readonly #watcher: HistoryWatcher | null;
  readonly #path: string;
  #store: HistoryStore;
  #setting: RoomSetting;
  #heard: Heard[] = [];
  /** Up to where in the ring another run has written records down. */
  #done: number | null;
  #committed = 0;
  #nextSweep: EpochMilliseconds = 0;
  #nextLook: EpochMilliseconds = 0;
  #nextRoom: EpochMilliseconds = 0;

  /** Throws a DatabaseRefusal. */
  constructor(place: HistoryPlace, setting: RoomSetting, watcher: HistoryWatcher | null = null) {
    this.#place = place;
    this.#watcher = watcher;
    this.#setting = setting;
    this.#path = join(place.folder, HISTORY_FILE);
    this.#store = this.#open();
    this.#done = this.#begin();
  }

  take(record: HeardRecord, position: number): void {
    const next = (position + 1) >>> 0;
    if (this.#done !== null) {
      // What another run has written down and not given back.
      if (((this.#done - next) | 0) >= 0) return;
      this.#done = null;
    }
    switch (record.record) {
      case 'asked':
      case 'given':
        this.#heard.push({ ...record, question: copyOf(record.question) });
        break;
      case 'note': {
        const note = readHeardNote(record.text);
        if (note?.note === 'lease') this.#heard.push({ record: 'lease', note });
        else if (note !== null) this.#heard.push({ record: 'direct', note });
        break;
      }
      default:
        // The ring has more records than the history hears: decisions, findings, outcomes and losses.
        passOver(record);
    }
  }

  flush(_now: EpochMilliseconds, all: boolean): void {
    if (all) this.#nextSweep = 0;
  }

  commit(position: number): void {
    this.#committed = position;
    const now = this.#place.now();
    const isDue = now >= this.#nextSweep || this.#nextSweep - now > SWEEP_MS;
    if (this.#heard.length === 0 && !isDue) return;
    const { ring, counts } = this.#place;
    try {
      const again = this.#store.commit(
        { heard: this.#heard, place: `${ring} ${position} ${now}`, counts: isDue ? counts : null },
        now,
      );
      if (this.#watcher?.isWatched(now) === true)
        for (const event of againEvents(this.#store.database, again)) this.#watcher.again(event, now);
      if (now >= this.#nextRoom || this.#nextRoom - now > ROOM_MS)
        this.#nextRoom = this.#store.makeRoom(this.#setting, now) ? 0 : now + ROOM_MS;
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#renew();
      return;
    }
    this.#heard = [];
    if (isDue) this.#nextSweep = now + SWEEP_MS;
  }

  /** Leases of which nobody read the report, though something was refused: each once. To be called a few times a minute. */
  unreported(now: EpochMilliseconds): Unreported[] {
    if (now < this.#nextLook && this.#nextLook - now <= LOOK_MS) return [];
    this.#nextLook = now + LOOK_MS;
    try {
      return this.#store.unreported.take(now);
    } catch {
      // The next look finds them.
      return [];
    }
  }

  /** Answers with all that was heard and counted. */
  answer(question: HistoryQuestion | TopQuestion): unknown {
    this.#nextSweep = 0;
    this.commit(this.#committed);
    if (question.what === 'top')
      return topOf(this.#store.database, this.#store.recent, question, this.#place.now());
    if (question.what === 'rows') this.#store.unreported.read(question.accounts, this.#place.now());
    return answerHistory(this.#store.database, question);
  }

  figures(): Readonly<Record<string, number>> {
    const { octets, questions, lost } = this.#store.figures;
    return {
      historyOctets: octets,
      historyQuota: this.#setting.size,
      historyQuestions: questions,
      historyLost: lost,
    };
  }

  configure({ history }: { readonly history: RoomSetting | null }): void {
    if (history === null) return;
    this.#setting = history;
    this.#nextRoom = 0;
  }

  close(): void {
    try {
      this.#store.keep('clean', '1');
    } catch {
      // Then it counts as a crash.
    }
    this.#store.close();
  }

  /** What another run left: says of whom something may be missing, and where in the ring it was. */
  #begin(): number | null {
    const { ring, counts, now } = this.#place;
    const store = this.#store;
    const boot = bootId();
    const [oldRing, position, seen] = store.state('place')?.split(' ') ?? [];
    const isClean = store.state('clean') !== '0';
    const isSame = oldRing === ring && store.state('counts') === counts.id;
    if (!isClean && (store.state('boot') !== boot || !isSame))
      store.lose(STOPPED, Number(seen ?? 0) - UNSYNCED_MS, now());
    const offFile = join(this.#place.folder, OFF_FILE);
    if (existsSync(offFile)) {
      store.lose(OFF, Number(seen ?? 0), now());
      rmSync(offFile, { force: true });
    }
    if (store.state('counts') !== counts.id) {
      store.forgetEntries();
      counts.forget();
    }
    store.keep('counts', counts.id);
    store.keep('boot', boot);
    store.keep('clean', '0');
    return oldRing === ring && position !== undefined ? Number(position) : null;
  }

  #open(): HistoryStore {
    try {
      return new HistoryStore(this.#path, this.#place.registered, this.#place.now());
    } catch (error) {
      const copy = (error as Partial<DatabaseRefusal>).why === 'damaged' ? keepAside(this.#path) : null;
      if (copy === null) throw error;
      this.#place.damaged((error as Error).message, copy);
      return new HistoryStore(this.#path, this.#place.registered, this.#place.now());
    }
  }

  /** The database is damaged: it is kept aside, and another is begun with what is in hand. */
  #renew(): void {
    this.#store.close();
    const copy = keepAside(this.#path);
    if (copy === null) throw new Error(`${this.#path} is damaged and cannot be renamed`);
    this.#place.damaged(`${this.#path} cannot be read any more`, copy);
    this.#store = this.#open();
    this.#begin();
  }
}

/** A question whose draft and name outlive the slot. */
function copyOf(
  question: Heard extends infer H ? (H extends { question: infer Q } ? Q : never) : never,
): typeof question {
  const { identity, proven, at, name, type, network, draft } = question;
  return { identity, proven, at, name: Uint8Array.from(name), type, network, draft };
}

/** Which start of the machine this is. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
