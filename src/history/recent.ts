import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';

const MINUTE: Milliseconds = 60_000;
/** Minutes that are remembered. */
const MOST_MINUTES = 10;
/** Rows that are told apart in one minute; of others there is a count. */
const MOST_ROWS = 5_000;

interface Minute {
  /** Of the time since 1970. */
  readonly number: number;
  /** Questions by the number of their row. */
  readonly rows: Map<number, number>;
  others: number;
}

/** How often rows of `asked` were asked in the last minutes: what the table has forgotten, for it has totals alone. */
export class Recent {
  /** Milliseconds since 1970 from which on all was heard. */
  readonly since: EpochMilliseconds;
  readonly #minutes: Minute[] = [];
  /** Of a transaction that is not committed: questions with a slot of their own, and those that were counted. */
  #told = new Map<number, number>();
  #counted = new Map<number, number>();

  constructor(since: EpochMilliseconds) {
    this.since = since;
  }

  tell(row: number): void {
    this.#told.set(row, (this.#told.get(row) ?? 0) + 1);
  }

  count(row: number, count: number): void {
    this.#counted.set(row, (this.#counted.get(row) ?? 0) + count);
  }

  /** The transaction holds. Gives what was counted in it, by row. */
  keep(now: EpochMilliseconds): ReadonlyMap<number, number> {
    const counted = this.#counted;
    if (this.#told.size + counted.size > 0) {
      const minute = this.#minuteOf(now);
      for (const rows of [this.#told, counted]) {
        for (const [row, count] of rows) add(minute, row, count);
      }
    }
    this.forget();
    return counted;
  }

  /** The transaction was taken back. */
  forget(): void {
    this.#told = new Map();
    this.#counted = new Map();
  }

  /** Questions of the last `minutes` by row, and how many are not told apart. */
  within(
    minutes: number,
    now: EpochMilliseconds,
  ): { readonly rows: ReadonlyMap<number, number>; readonly others: number } {
    const last = Math.floor(now / MINUTE);
    const rows = new Map<number, number>();
    let others = 0;
    for (const minute of this.#minutes) {
      if (minute.number <= last - minutes || minute.number > last) continue;
      others += minute.others;
      for (const [row, count] of minute.rows) rows.set(row, (rows.get(row) ?? 0) + count);
    }
    return { rows, others };
  }

  #minuteOf(now: EpochMilliseconds): Minute {
    const number = Math.floor(now / MINUTE);
    const found = this.#minutes.at(-1);
    if (found?.number === number) return found;
    const minute = { number, rows: new Map<number, number>(), others: 0 };
    this.#minutes.push(minute);
    if (this.#minutes.length > MOST_MINUTES) this.#minutes.shift();
    return minute;
  }
}

function add(minute: Minute, row: number, count: number): void {
  const known = minute.rows.get(row);
  if (known === undefined && minute.rows.size >= MOST_ROWS) minute.others += count;
  else minute.rows.set(row, (known ?? 0) + count);
}
