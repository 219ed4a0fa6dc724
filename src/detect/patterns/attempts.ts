import type { EpochMilliseconds, EpochTick } from '../../wire/quantity.ts';
import { knownNameCost, newNameCost, occasionCost, TICK_MS } from '../charge.ts';
import { LONGEST_WAIT } from '../holder.ts';
import { isUnderArpa } from './clients.ts';
import {
  add,
  beginWith,
  DAY_TICKS,
  type DomainAttempt,
  emptied,
  foldInto,
  isManifold,
  type KeptAttempt,
  keptOf,
  newAttempt,
  OCTET,
  remembers,
  restored,
  setDomain,
  slide,
  tell,
  totalOf,
} from './domain-attempt.ts';
import type { KeptChanges } from './kept-changes.ts';
import type { Thresholds } from './kinds.ts';
import type { Observed, OctetHash } from './observed.ts';
import { SharedPlaces } from './shared-places.ts';

/** A denied question is charged as one of a wildcard's rule: A, AAAA and CNAME. */
const TYPES = 3;
/** Domains of one identity, and of all: 1 KiB each at most, 11 MB in all. */
const MOST_OF_ONE = 1_024;
const MOST_OF_ALL = 10_240;
/** Units beyond which a sum is not told apart. */
const MOST_UNITS = 2 ** 30;
/** A sum is kept anew when it has grown by this part of what is told. */
const KEPT_PARTS = 4;
/** The same of a fold, in octets. */
const FOLD_OCTETS = 32;
/** Questions of which each is sighted, so that a finding has names to show. */
const FIRST_SIGHTS = 16;
/** What one call of `changes` gives. */
const MOST_CHANGES = 256;

export const ATTEMPT_KEY = 'detect attempt ';

type Limits = NonNullable<Thresholds['attempt']>;

/**
 * The attempt to carry something out by denied questions, of an identity and under a registered domain: what the ledger's code
 * charges in 24 hours. An identity that has more domains than there is room for loses the one that was silent longest into a
 * fold, with whose sums each next domain of its begins: it may be told too early, and never too late.
 */
export class Attempts {
  readonly #hash: OctetHash;
  readonly #places = new SharedPlaces(MOST_OF_ONE, MOST_OF_ALL);
  /** By place. */
  readonly #attempts: DomainAttempt[] = [];
  readonly #folds = new Map<string, DomainAttempt>();
  /** What changed since it was kept, by number. `null`: it is gone. */
  readonly #changed = new Map<number, DomainAttempt | null>();
  /** Those with questions that no sight counts yet. */
  readonly #pending = new Set<DomainAttempt>();
  #next = 1;
  #tick: EpochTick = 0;
  #evicted: ((attempt: DomainAttempt) => void) | null = null;
  readonly #evict = (place: number): void => this.#fold(this.#attempts[place]!, this.#tick);

  constructor(hash: OctetHash) {
    this.#hash = hash;
  }

  get count(): number {
    return this.#places.size;
  }

  /** Who is told of an attempt that makes room with questions in `pending`. */
  whenEvicted(evicted: (attempt: DomainAttempt) => void): void {
    this.#evicted = evicted;
  }

  /**
   * What is to be told of a denied question, or null; `pending` of it counts the question. `low` and `high`: hashes of the
   * registered domain.
   */
  take(asked: Observed, low: number, high: number, limits: Limits): DomainAttempt | null {
    const { identity, at, name } = asked;
    const tick = Math.floor(at / TICK_MS);
    this.#tick = tick;
    let place = this.#places.find(identity, low, high);
    if (place >= 0 && this.#isOver(this.#attempts[place]!, tick)) {
      this.#forget(place);
      place = -1;
    }
    if (place >= 0) this.#places.touch(place);
    const attempt = place < 0 ? this.#begin(asked, low, high, limits.octets) : this.#attempts[place]!;
    const before = attempt.told;
    if (before < 2)
      this.#judge(attempt, asked, tick, limits, asked.domain >= limits.length && !isUnderArpa(name));
    if (attempt.told === 0) return null;
    const told = attempt.isTogether && attempt.told === 1 ? this.#togetherOf(attempt) : attempt;
    told.pending += asked.count;
    if (attempt.told !== before) told.sightedIn = -1;
    this.#pending.add(told);
    return told;
  }

  /** Whether an attempt that `take` gave was sighted enough in this second; else it is sighted now. `second`: since 1970. */
  isSighted(attempt: DomainAttempt, second: number): boolean {
    if (attempt.sights < FIRST_SIGHTS) attempt.sights++;
    else if (attempt.sightedIn === second) return true;
    attempt.sightedIn = second;
    return false;
  }

  /** Questions that a sight counts from now on. */
  countOf(attempt: DomainAttempt): number {
    const { pending } = attempt;
    attempt.pending = 0;
    this.#pending.delete(attempt);
    return pending;
  }

  /** Those with questions that no sight counts yet. */
  get pending(): Iterable<DomainAttempt> {
    return this.#pending;
  }

  /** Adds what has to be kept since the last call: some of it, where it is much. */
  changes(out: KeptChanges): void {
    let left = MOST_CHANGES;
    for (const [number, attempt] of this.#changed) {
      if (left-- === 0) return;
      this.#changed.delete(number);
      if (attempt !== null) attempt.isWritten = true;
      out.set(`${ATTEMPT_KEY}${number}`, attempt === null ? null : JSON.stringify(keptOf(attempt)));
    }
  }

  /** Takes up what `changes` gave to another run. */
  restore(kept: Iterable<readonly [key: string, text: string]>): void {
    for (const [key, text] of kept) {
      const attempt = restored(JSON.parse(text) as KeptAttempt, Number(key.slice(ATTEMPT_KEY.length)));
      const { identity, domain, domainLength, number, last } = attempt;
      this.#next = Math.max(this.#next, number + 1);
      if (domainLength === 0) {
        this.#folds.set(identity, attempt);
        continue;
      }
      this.#tick = last;
      const [low, high] = hashesOf(this.#hash, domain.subarray(0, domainLength), 0);
      this.#attempts[this.#places.take(identity, low, high, this.#evict)] = attempt;
    }
  }

  /** Forgets what was told longer than a day ago; to be called now and then. */
  sweep(now: EpochMilliseconds): void {
    const tick = Math.floor(now / TICK_MS);
    for (const place of [...this.#places.all()])
      if (tick - this.#attempts[place]!.last > LONGEST_WAIT) this.#forget(place);
    for (const [identity, fold] of this.#folds) {
      if (tick - fold.last <= LONGEST_WAIT) continue;
      this.#folds.delete(identity);
      this.#unkeep(fold);
    }
  }

  #isOver({ told, toldAt }: DomainAttempt, tick: EpochTick): boolean {
    return told > 0 && tick - toldAt >= DAY_TICKS;
  }

  #judge(attempt: DomainAttempt, asked: Observed, tick: EpochTick, limits: Limits, isLong: boolean): void {
    const before = attempt.told;
    if (before === 1 && !isLong) return;
    const { name, at } = asked;
    const hash = this.#hash(name, 0, name.length);
    const units = before === 0 ? this.#charge(attempt, asked, hash, tick) : 0;
    if (units >= limits.octets * OCTET) {
      tell(attempt, 1, tick);
      attempt.isTogether = units - attempt.base < limits.octets * OCTET;
    }
    if (isLong && isManifold(attempt, hash, at, limits)) tell(attempt, 2, tick);
    if (attempt.told === before && units - attempt.kept < (limits.octets * OCTET) / KEPT_PARTS) return;
    attempt.kept = units;
    this.#keep(attempt);
  }

  #charge(attempt: DomainAttempt, { domain, count }: Observed, hash: number, tick: EpochTick): number {
    slide(attempt, tick);
    const wait = attempt.last < 0 ? LONGEST_WAIT : Math.max(0, tick - attempt.last);
    attempt.last = tick;
    const name = remembers(attempt, hash) ? knownNameCost() : newNameCost(domain);
    // The questions that one record stands for came one after the other.
    const more = (count - 1) * (occasionCost(1, TYPES) + knownNameCost());
    add(attempt, occasionCost(wait, TYPES) + name + more, MOST_UNITS);
    return totalOf(attempt);
  }

  #begin({ identity, name, domain }: Observed, low: number, high: number, octets: number): DomainAttempt {
    const place = this.#places.take(identity, low, high, this.#evict);
    const before = this.#attempts[place];
    const attempt = before === undefined ? newAttempt() : emptied(before);
    this.#attempts[place] = attempt;
    attempt.identity = identity;
    setDomain(attempt, name, domain);
    const fold = this.#folds.get(identity);
    if (fold !== undefined) beginWith(attempt, fold, this.#tick, octets * OCTET);
    return attempt;
  }

  #togetherOf(attempt: DomainAttempt): DomainAttempt {
    return this.#folds.get(attempt.identity) ?? attempt;
  }

  #keep(attempt: DomainAttempt): void {
    if (attempt.number === 0) attempt.number = this.#next++;
    this.#changed.set(attempt.number, attempt);
  }

  #forget(place: number): void {
    this.#unkeep(this.#attempts[place]!);
    this.#places.free(place);
  }

  #unkeep(attempt: DomainAttempt): void {
    if (attempt.pending > 0) this.#evicted?.(attempt);
    this.#pending.delete(attempt);
    const { number, isWritten } = attempt;
    if (isWritten) this.#changed.set(number, null);
    else this.#changed.delete(number);
  }

  #fold(evicted: DomainAttempt, tick: EpochTick): void {
    this.#unkeep(evicted);
    if (evicted.told > 0) return;
    const { identity } = evicted;
    let fold = this.#folds.get(identity);
    if (fold === undefined) {
      fold = newAttempt();
      fold.identity = identity;
      this.#folds.set(identity, fold);
    }
    foldInto(fold, evicted, tick);
    const units = totalOf(fold);
    if (units - fold.kept < FOLD_OCTETS * OCTET) return;
    fold.kept = units;
    this.#keep(fold);
  }
}

/** Two words that tell a domain from another. */
export function hashesOf(hash: OctetHash, name: Uint8Array, from: number): readonly [number, number] {
  const low = hash(name, from, name.length);
  // The label alone, with what the domain's hash is: both would have to be alike.
  const high = Math.imul(hash(name, from, Math.min(name.length, from + 1 + name[from]!)) ^ low, 0x9e37_79b1);
  return [low, high];
}
