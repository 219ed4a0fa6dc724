import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import { SharedTable } from '../shared-table.ts';
import type { KeptChanges } from './kept-changes.ts';
import type { Thresholds } from './kinds.ts';
import type { UpstreamOutcome } from './observed.ts';

/** Names of which an answer is remembered, of one identity and of all: some 400 octets each. */
const MOST_OF_ONE = 2_048;
const MOST_OF_ALL = 8_192;
/** Types of one name that are told apart. */
const MOST_TYPES = 4;
/** What is kept of a name that goes on having answers is so old at most. */
const STALE_MS: Milliseconds = 3_600_000;
/** What one call of `changes` gives. */
const MOST_CHANGES = 256;

export const DEPENDENCY_KEY = 'detect dependency ';

/** What questions of one type got. Milliseconds since 1970; -1 for never, and for not. */
interface OfType {
  readonly type: number;
  /** The last answer, and the last that held data. */
  answered: EpochMilliseconds;
  data: EpochMilliseconds;
  failing: EpochMilliseconds;
}

interface Dependency {
  readonly number: number;
  readonly identity: string;
  readonly name: string;
  readonly types: OfType[];
  /** It is told that it fails. */
  told: boolean;
  /** When it was written down last; -1 for never. */
  keptAt: EpochMilliseconds;
}

/**
 * Whether approved names that had answers still have them, by identity, name and type: an outage may take the addresses of one
 * family alone. Who was answered longest ago makes room, and an identity that has more than its share makes it itself.
 */
export class Dependencies {
  readonly #known = new SharedTable<Dependency>(MOST_OF_ONE, MOST_OF_ALL);
  readonly #changed = new Map<number, Dependency | null>();
  #next = 1;

  get count(): number {
    return this.#known.size;
  }

  /**
   * `name`: a text of its own for each name. `notBefore`: until then its upstream failed as a whole. Says whether it is to be
   * told; `over`: what was told is over.
   */
  take(
    { identity, type, at, outcome }: Pick<UpstreamOutcome, 'identity' | 'type' | 'at' | 'outcome'>,
    name: string,
    limits: NonNullable<Thresholds['dependency']>,
    notBefore: EpochMilliseconds = -1,
  ): 'failed' | 'over' | null {
    const known = this.#known.get(identity, name);
    const of = known?.types.find((one) => one.type === type);
    const isRecent = (time: EpochMilliseconds): boolean => time >= 0 && at - time <= limits.known;
    // Where there was data, none is no answer; where there never was any, that is the answer.
    const isGood =
      outcome === 'good' ||
      (outcome === 'empty' && (of === undefined || (of.failing < 0 && !isRecent(of.data))));
    if (isGood) return this.#good(known, of, { identity, name, type, at, hasData: outcome === 'good' });
    // A name that never had an answer is no dependency.
    if (known === undefined || of === undefined) return null;
    if (of.failing < 0) {
      if (!isRecent(outcome === 'empty' ? of.data : of.answered)) return null;
      of.failing = at;
      this.#changed.set(known.number, known);
    }
    if (of.failing < notBefore) of.failing = at;
    if (at - of.failing < limits.for) return null;
    if (!known.told) this.#changed.set(known.number, known);
    known.told = true;
    return 'failed';
  }

  #good(
    before: Dependency | undefined,
    ofBefore: OfType | undefined,
    {
      identity,
      name,
      type,
      at,
      hasData,
    }: { identity: string; name: string; type: number; at: EpochMilliseconds; hasData: boolean },
  ): 'over' | null {
    const known = before ?? {
      number: this.#next++,
      identity,
      name,
      types: [],
      told: false,
      keptAt: -1,
    };
    // The newest stands last.
    if (before !== undefined) this.#known.delete(identity, name);
    const evicted = this.#known.add(identity, name, known);
    if (evicted !== null) this.#forget(evicted.value);
    const of = ofBefore ?? newType(known, type);
    const wasFailing = of.failing >= 0;
    of.answered = at;
    if (hasData) of.data = at;
    of.failing = -1;
    const isOver = known.told && wasFailing;
    if (isOver) {
      known.told = false;
      for (const other of known.types) other.failing = -1;
    }
    const isStale = known.keptAt < 0 || at - known.keptAt >= STALE_MS || at < known.keptAt;
    if (wasFailing || isStale) this.#changed.set(known.number, known);
    return isOver ? 'over' : null;
  }

  #forget({ number, keptAt }: Dependency): void {
    if (keptAt < 0) this.#changed.delete(number);
    else this.#changed.set(number, null);
  }

  /** Adds what has to be kept since the last call, the oldest first: some of it, where it is much. */
  changes(out: KeptChanges): void {
    let left = MOST_CHANGES;
    for (const [number, known] of this.#changed) {
      if (left-- === 0) return;
      this.#changed.delete(number);
      if (known !== null) known.keptAt = Math.max(...known.types.map(({ answered }) => answered));
      out.set(`${DEPENDENCY_KEY}${number}`, known === null ? null : JSON.stringify(known));
    }
  }

  /** Takes up what `changes` gave to another run. */
  restore(kept: Iterable<readonly [key: string, text: string]>): void {
    for (const [, text] of kept) {
      const known = JSON.parse(text) as Dependency;
      this.#next = Math.max(this.#next, known.number + 1);
      const evicted = this.#known.add(known.identity, known.name, known);
      if (evicted !== null) this.#forget(evicted.value);
    }
  }
}

/** Of a name with many types one that does not fail makes room. */
function newType({ types }: Dependency, type: number): OfType {
  if (types.length >= MOST_TYPES)
    types.splice(
      Math.max(
        0,
        types.findIndex(({ failing }) => failing < 0),
      ),
      1,
    );
  const of: OfType = { type, answered: -1, data: -1, failing: -1 };
  types.push(of);
  return of;
}
