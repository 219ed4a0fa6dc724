import { chmodSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import { AgeClock } from './age-clock.ts';
import { DiskLimits } from './disk-limits.ts';
import type { Batch, Draft, Loss } from './draft.ts';
import {
  DECISIONS,
  type DeadLetter,
  type EventSource,
  type FeedEvent,
  KINDS,
  type Placed,
  SEVERITIES,
  type Selection,
} from './event.ts';
import { EventPages } from './event-pages.ts';
import { EventRoom } from './event-room.ts';
import { type FindingList, type FindingSelection, keptFindings } from './kept-findings.ts';
import { kindNumber, Losses } from './losses.ts';
import { openOutbox } from './outbox-database.ts';
import type { StoreOptions, StoreSetting } from './store-options.ts';
import { StoreSinks, type Taker } from './store-sinks.ts';
import { Statements } from './store-statements.ts';
import type { StoreStatus } from './store-status.ts';
import { ulid } from './ulid.ts';

/** Key of the table `state` for what the clock of ages keeps. */
const AGE_KEY = 'age';
/** The number under which `sequence` keeps the last position. */
const POSITION = -1;

/**
 * The events that wait, in one SQLite database: numbered when they are committed, read by sinks in their order, and dropped
 * only by quota or age. One thread has it. What a call throws is SQLite's, and then nothing of the call has happened.
 */
export class Store implements EventSource {
  readonly #options: StoreOptions;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #sinks: StoreSinks;
  readonly #pages: EventPages;
  readonly #losses = new Losses();
  readonly #room: EventRoom;
  readonly #ages: AgeClock;
  /** What it keeps, as the database has it. */
  #age: string;
  #setting: StoreSetting;
  #last = 0;
  /** The last number of each kind, by the kind's own. */
  #numbers: number[] = KINDS.map(() => 0);

  /** Throws a DatabaseRefusal. */
  constructor(options: StoreOptions) {
    const { path, setting } = options;
    this.#options = options;
    this.#setting = setting;
    this.#database = openOutbox(path, setting.isDurable);
    chmodSync(path, 0o600);
    this.#statements = new Statements(this.#database);
    this.#sinks = new StoreSinks(this.#database);
    this.#pages = new EventPages(this.#database);
    this.#room = new EventRoom(
      this.#database,
      new DiskLimits(this.#database, path),
      setting,
      this.#sinks,
      this.#losses,
    );
    const [age] = this.state(AGE_KEY);
    this.#age = age?.[1] ?? '';
    const running = options.running ?? (() => performance.now());
    this.#ages = new AgeClock(options.now, running, this.#pages.newest(), this.#age);
    const rows = this.#database.prepare('SELECT kind, last FROM sequence').all() as unknown as {
      kind: number;
      last: number;
    }[];
    for (const { kind, last } of rows) {
      if (kind === POSITION) this.#last = last;
      else this.#numbers[kind] = last;
    }
    for (const [key, value] of this.state('loss ')) this.#losses.restore(key.slice(5), value);
  }

  /** The position of the last event. */
  get last(): number {
    return this.#last;
  }

  /** What is kept under keys that begin so. */
  state(prefix: string): [string, string][] {
    const rows = this.#database
      .prepare('SELECT key, value FROM state WHERE substr(key, 1, ?) = ? ORDER BY key')
      .all(prefix.length, prefix) as unknown as { key: string; value: string }[];
    return rows.map(({ key, value }) => [key, value]);
  }

  configure(setting: StoreSetting, sinks: readonly Taker[]): void {
    this.#setting = setting;
    this.#room.configure(setting);
    this.#database.exec(`PRAGMA synchronous = ${setting.isDurable ? 'FULL' : 'NORMAL'}`);
    for (const name of this.#sinks.configure(sinks)) this.#sinks.set(name, this.#last, null);
    this.#losses.keep(new Set(this.#sinks.names));
  }

  /** Commits a batch: numbers its events, keeps its state, and makes room where a quota is full. */
  commit({ drafts, losses, state }: Batch): void {
    this.#transact(() => {
      for (const draft of drafts) this.#take(draft);
      for (const loss of losses) this.#lose(loss);
      for (const [key, value] of state) this.#keep(key, value);
      this.#keepAge();
      // From here on nobody looks at the clock of ages: what it tells until then is dated.
      this.#room.make(this.#ages);
      this.#tellLosses();
      this.#keepLosses();
      for (const [key, value] of this.#room.changes()) this.#keep(key, value);
      for (const [kind, number] of this.#numbers.entries()) {
        if (number > 0) this.#statements.setSequence.run(kind, number);
      }
      this.#statements.setSequence.run(POSITION, this.#last);
    });
    this.#ages.dated();
  }

  page(after: number, selection: Selection, limit: number, octets: number): ReturnType<EventSource['page']> {
    return this.#pages.read(after, this.#last, selection, limit, octets);
  }

  cursor(sink: string): number {
    return this.#sinks.cursor(sink);
  }

  advance(sink: string, position: number): void {
    if (position <= this.cursor(sink)) return;
    this.#sinks.set(sink, position, this.#options.now());
    if (this.#losses.arrived(sink, position)) this.#keepLosses();
  }

  underWay(sink: string, position: number): void {
    this.#sinks.setSent(sink, position);
    this.#losses.returned(sink, position);
  }

  /** Whether a commit of nothing would tell what was lost, or make more room. */
  get isBehind(): boolean {
    return this.#room.isBehind || this.#losses.isDue(this.#options.now());
  }

  replay(sink: string, since: EpochMilliseconds): number {
    const position = Math.min(this.#pages.before(since), this.cursor(sink));
    this.#sinks.set(sink, position, this.#sinks.acknowledged(sink));
    return position;
  }

  deadLetter(sink: string, placed: Placed, reason: string): void {
    this.#sinks.bury(sink, placed, reason, this.#options.now());
  }

  dead(sink: string, limit: number): readonly DeadLetter[] {
    return this.#sinks.dead(sink, limit);
  }

  forgetDead(sink: string, numbers: readonly number[]): void {
    this.#sinks.forgetDead(sink, numbers);
  }

  status(): StoreStatus {
    const { decisions, findings, hole } = this.#room;
    return {
      last: this.#last,
      numbers: Object.fromEntries(KINDS.map((kind, i) => [kind, this.#numbers[i]!])),
      decisions: filling(decisions),
      findings: filling(findings),
      lost: { ...this.#losses.counts },
      sinks: this.#sinks.names.map((name) => ({
        name,
        cursor: this.#sinks.cursor(name),
        acknowledged: this.#sinks.acknowledged(name),
        dead: this.#sinks.countDead(name),
        ...this.#pages.waiting(
          this.#sinks.cursor(name),
          this.#last,
          { decision: decisions.rows, finding: findings.rows },
          hole,
        ),
      })),
    };
  }

  /** Gives the log of the database back to the system: where a disk is full, that is the room there is. */
  shrink(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  findings(selection: FindingSelection): FindingList {
    return keptFindings(this.#database, selection);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #transact(work: () => void): void {
    const before = {
      last: this.#last,
      numbers: [...this.#numbers],
      losses: this.#losses.copy(),
      room: this.#room.copy(),
      age: this.#age,
    };
    try {
      this.#statements.begin.run();
      work();
      this.#statements.commit.run();
    } catch (error) {
      // SQLite itself may have taken the transaction back.
      if (this.#database.isTransaction) this.#statements.rollback.run();
      this.#last = before.last;
      this.#numbers = before.numbers;
      this.#losses.reset(before.losses);
      this.#room.reset(before.room);
      this.#age = before.age;
      throw error;
    }
  }

  #take(draft: Draft): void {
    const isDecision = DECISIONS.has(draft.kind);
    const { decisions, findings } = this.#room;
    if (isDecision && this.#setting.full === 'drop_new' && decisions.isFull) {
      this.#room.make(this.#ages);
      if (decisions.isFull) {
        const { kind: of, at, identity = 'other', count = 1 } = draft;
        this.#lose({ of, why: 'quota', lost: { [identity]: count }, from: at, to: at }, 1);
        return;
      }
    }
    const { at, kind: name, ...body } = draft;
    const kind = kindNumber(name);
    const seq = ++this.#numbers[kind]!;
    const { server, version } = this.#options;
    const event: FeedEvent = {
      id: ulid(at),
      seq,
      kind: name,
      server,
      time: new Date(at).toISOString(),
      version,
      ...body,
    };
    const text = JSON.stringify(event);
    const position = ++this.#last;
    if (isDecision) {
      this.#statements.addDecision.run(position, at, kind, seq, text);
      decisions.added(text, at);
    } else {
      // Only findings are chosen by their severity: that something was lost is told to everybody.
      const severity =
        name === 'finding' ? SEVERITIES.indexOf(draft.severity ?? 'medium') : SEVERITIES.length;
      this.#statements.addFinding.run(position, at, kind, seq, severity, text);
      findings.added(text, at);
    }
  }

  /** Gives what is lost its numbers: one a question, or as many as it had events. */
  #lose(loss: Loss, events?: number): void {
    const kind = kindNumber(loss.of);
    const count = events ?? Object.values(loss.lost).reduce((sum, each) => sum + each, 0);
    const first = this.#numbers[kind]! + 1;
    this.#numbers[kind] = this.#numbers[kind]! + count;
    this.#losses.add(loss, first, this.#numbers[kind]!);
  }

  #tellLosses(): void {
    for (const body of this.#losses.take(this.#options.now())) {
      this.#take({ kind: 'dropped', severity: 'operations', ...body });
    }
  }

  #keepLosses(): void {
    for (const [key, value] of this.#losses.changes()) this.#keep(`loss ${key}`, value);
  }

  #keepAge(): void {
    const { kept } = this.#ages;
    if (kept === this.#age) return;
    this.#keep(AGE_KEY, kept === '' ? null : kept);
    this.#age = kept;
  }

  #keep(key: string, value: string | null): void {
    if (value === null) this.#statements.dropState.run(key);
    else this.#statements.setState.run(key, value);
  }
}

function filling({ octets, rows, setting }: EventRoom['decisions']): StoreStatus['decisions'] {
  return { octets, rows, quota: setting.octets };
}
