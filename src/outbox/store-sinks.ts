import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import type { DeadLetter, FeedEvent, Kind, Placed } from './event.ts';
import type { SentSpan } from './quota.ts';

/** Dead letters that are kept of one sink: the oldest go. */
const MOST_DEAD = 10_000;

/** Keys of the table `state` for how far each sink was sent at most. */
const SENT_KEY = 'sent ';
/** Positions that are noted ahead as sent, so that not each event costs a row. */
const AHEAD = 32;

/** A sink, and what it takes. */
export interface Taker {
  readonly name: string;
  readonly kinds: Iterable<Kind>;
}

/** How far each sink has come, and what its receiver does not take. */
export class StoreSinks {
  readonly #cursors = new Map<string, number>();
  readonly #acknowledged = new Map<string, EpochMilliseconds>();
  #takers: ReadonlyMap<string, ReadonlySet<Kind>> = new Map();
  /** Position up to which a sink may have been sent events, also by another run; it never goes back. */
  readonly #sent = new Map<string, number>();
  /** The same as the database has it: some positions ahead. */
  readonly #sentNoted = new Map<string, number>();
  readonly #set: StatementSync;
  readonly #note: StatementSync;
  readonly #bury: StatementSync;
  readonly #trim: StatementSync;
  readonly #dead: StatementSync;
  readonly #forget: StatementSync;
  readonly #countDead: StatementSync;

  constructor(database: DatabaseSync) {
    const rows = database.prepare('SELECT name, position, acknowledged FROM sink').all() as unknown as {
      name: string;
      position: number;
      acknowledged: number | null;
    }[];
    for (const { name, position, acknowledged } of rows) {
      this.#cursors.set(name, position);
      if (acknowledged !== null) this.#acknowledged.set(name, acknowledged);
    }
    const sent = database
      .prepare('SELECT key, value FROM state WHERE substr(key, 1, ?) = ?')
      .all(SENT_KEY.length, SENT_KEY) as unknown as { key: string; value: string }[];
    for (const { key, value } of sent) {
      this.#sent.set(key.slice(SENT_KEY.length), Number(value));
      this.#sentNoted.set(key.slice(SENT_KEY.length), Number(value));
    }
    this.#set = database.prepare('INSERT OR REPLACE INTO sink VALUES (?, ?, ?)');
    this.#note = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?)');
    this.#bury = database.prepare(
      'INSERT INTO dead (sink, position, at, reason, body) VALUES (?, ?, ?, ?, ?)',
    );
    this.#trim = database.prepare(
      `DELETE FROM dead WHERE sink = ?1 AND number <=
       (SELECT number FROM dead WHERE sink = ?1 ORDER BY number DESC LIMIT 1 OFFSET ${MOST_DEAD})`,
    );
    this.#dead = database.prepare(
      'SELECT number, position, at, reason, body FROM dead WHERE sink = ? ORDER BY number LIMIT ?',
    );
    this.#forget = database.prepare('DELETE FROM dead WHERE sink = ? AND number = ?');
    this.#countDead = database.prepare('SELECT count(*) AS rows FROM dead WHERE sink = ?');
  }

  /** The sinks that there are: what others have not had is owed to nobody. Returns those that are new. */
  configure(takers: readonly Taker[]): string[] {
    this.#takers = new Map(takers.map(({ name, kinds }) => [name, new Set<Kind>([...kinds, 'dropped'])]));
    return this.names.filter((name) => !this.#cursors.has(name));
  }

  get names(): readonly string[] {
    return [...this.#takers.keys()];
  }

  /** Whether some sink takes an event and has not acknowledged it. */
  isOwed(position: number, kind: Kind): boolean {
    for (const [name, kinds] of this.#takers)
      if (position > this.cursor(name) && kinds.has(kind)) return true;
    return false;
  }

  /** The sinks that an event is owed to: those that it was never sent to, and those that may have it though nobody knows. */
  owed(
    position: number,
    kind: Kind,
  ): { readonly lacking: readonly string[]; readonly doubtful: readonly string[] } {
    const [lacking, doubtful]: [string[], string[]] = [[], []];
    for (const [name, kinds] of this.#takers) {
      if (position <= this.cursor(name) || !kinds.has(kind)) continue;
      (position <= (this.#sent.get(name) ?? 0) ? doubtful : lacking).push(name);
    }
    return { lacking, doubtful };
  }

  /** What sinks may have been sent and have not acknowledged, `most` events of each: the first span first. */
  spansSent(most: number): SentSpan[] {
    const spans: SentSpan[] = [];
    for (const name of this.names) {
      const after = this.cursor(name);
      const upTo = Math.min(this.#sent.get(name) ?? 0, after + most);
      if (upTo > after) spans.push({ after, upTo });
    }
    return spans.sort((a, b) => a.after - b.after);
  }

  /** Events up to a position are sent now. Another run knows of it, unless the disk is full. */
  setSent(name: string, position: number): void {
    if (position <= (this.#sent.get(name) ?? 0)) return;
    this.#sent.set(name, position);
    if (position <= (this.#sentNoted.get(name) ?? 0)) return;
    try {
      this.#note.run(`${SENT_KEY}${name}`, String(position + AHEAD));
      this.#sentNoted.set(name, position + AHEAD);
    } catch {
      // A sink is told of a full disk too. The next batch tries again.
    }
  }

  cursor(name: string): number {
    return this.#cursors.get(name) ?? 0;
  }

  /** Milliseconds since 1970 of the last acknowledgement, or null. */
  acknowledged(name: string): EpochMilliseconds | null {
    return this.#acknowledged.get(name) ?? null;
  }

  set(name: string, position: number, acknowledged: EpochMilliseconds | null): void {
    this.#set.run(name, position, acknowledged);
    this.#cursors.set(name, position);
    if (acknowledged !== null) this.#acknowledged.set(name, acknowledged);
  }

  bury(name: string, { position, event }: Placed, reason: string, now: EpochMilliseconds): void {
    this.#bury.run(name, position, now, reason, JSON.stringify(event));
    this.#trim.run(name);
  }

  dead(name: string, limit: number): DeadLetter[] {
    const rows = this.#dead.all(name, limit) as unknown as {
      number: number;
      position: number;
      at: number;
      reason: string;
      body: string;
    }[];
    return rows.map(({ body, ...rest }) => ({ ...rest, event: JSON.parse(body) as FeedEvent }));
  }

  forgetDead(name: string, numbers: readonly number[]): void {
    for (const number of numbers) this.#forget.run(name, number);
  }

  countDead(name: string): number {
    return (this.#countDead.get(name) as { rows: number }).rows;
  }
}
