import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeadLetter, FeedEvent, Kind, Placed } from './event.ts';

/** Dead letters that are kept of one sink: the oldest go. */
const MOST_DEAD = 10_000;

/** A sink, and what it takes. */
export interface Taker {
  readonly name: string;
  readonly kinds: Iterable<Kind>;
}

/** How far each sink has come, and what its receiver does not take. */
export class StoreSinks {
  readonly #cursors = new Map<string, number>();
  readonly #acknowledged = new Map<string, number>();
  #takers: ReadonlyMap<string, ReadonlySet<Kind>> = new Map();
  /** Position up to which events are on their way. */
  readonly #underWay = new Map<string, number>();
  readonly #set: StatementSync;
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
    this.#set = database.prepare('INSERT OR REPLACE INTO sink VALUES (?, ?, ?)');
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

  /** The sinks that an event is owed to, and those of them that it is on its way to. */
  owed(
    position: number,
    kind: Kind,
  ): { readonly lacking: readonly string[]; readonly awaiting: readonly string[] } {
    const [lacking, awaiting]: [string[], string[]] = [[], []];
    for (const [name, kinds] of this.#takers) {
      if (position <= this.cursor(name) || !kinds.has(kind)) continue;
      (position <= (this.#underWay.get(name) ?? 0) ? awaiting : lacking).push(name);
    }
    return { lacking, awaiting };
  }

  setUnderWay(name: string, position: number): void {
    this.#underWay.set(name, position);
  }

  cursor(name: string): number {
    return this.#cursors.get(name) ?? 0;
  }

  /** Milliseconds since 1970 of the last acknowledgement, or null. */
  acknowledged(name: string): number | null {
    return this.#acknowledged.get(name) ?? null;
  }

  set(name: string, position: number, acknowledged: number | null): void {
    this.#set.run(name, position, acknowledged);
    this.#cursors.set(name, position);
    if (acknowledged !== null) this.#acknowledged.set(name, acknowledged);
  }

  bury(name: string, { position, event }: Placed, reason: string, now: number): void {
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
