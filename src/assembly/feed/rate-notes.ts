import type { RatesNote } from '../../outbox/notes.ts';
import type { Standings, Underway } from '../../resolve/client/standing.ts';
import type { EpochMilliseconds, Monotonic } from '../../wire/quantity.ts';

/** Identities in one note. */
const MOST_OF_ONE = 100;

/** How much each identity asked since it was looked at last: from what is counted anyway. */
export class RateNotes {
  readonly #before = new WeakMap<Underway, { readonly queries: number; readonly txt: number }>();
  #at: Monotonic = Number.NaN;

  /** `at`: milliseconds since 1970; `now`: monotonic. Nothing the first time. */
  notes(standings: Standings, at: EpochMilliseconds, now: Monotonic): RatesNote[] {
    const span = Math.round(now - this.#at);
    this.#at = now;
    const rates: RatesNote['rates'][number][] = [];
    for (const { identity, underway } of standings.all()) {
      const { queries, txt } = underway;
      const before = this.#before.get(underway);
      if (before?.queries === queries) continue;
      this.#before.set(underway, { queries, txt });
      if (before === undefined && Number.isNaN(span)) continue;
      const { name, owner, limits } = identity;
      const since = before ?? { queries: 0, txt: 0 };
      const questions = queries - since.queries;
      rates.push({ identity: name, owner, questions, txt: txt - since.txt, qps: limits.qps });
    }
    if (!(span > 0)) return [];
    const notes: RatesNote[] = [];
    for (let i = 0; i < rates.length; i += MOST_OF_ONE)
      notes.push({ note: 'rates', at, span, rates: rates.slice(i, i + MOST_OF_ONE) });
    return notes;
  }
}
