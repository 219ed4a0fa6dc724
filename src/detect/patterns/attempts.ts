import { knownNameCost, newNameCost, occasionCost, TICK_MS, UNITS_A_BIT } from '../charge.ts';
import { LONGEST_WAIT, SLICES, TICKS_A_SLICE } from '../holder.ts';
import { SharedTable } from '../shared-table.ts';
import { isUnderArpa } from './clients.ts';
import type { KeptChanges } from './kept-changes.ts';
import type { Thresholds } from './kinds.ts';
import type { Observed, OctetHash } from './observed.ts';

const OCTET = 8 * UNITS_A_BIT;
/** A denied question is charged as one of a wildcard's rule: A, AAAA and CNAME. */
const TYPES = 3;
/** Names under one domain of which a repeat is known. */
const NAMES = 32;
/** Long names that are told apart; a threshold above it counts as this. */
const LONG_NAMES = 64;
/** Domains of one identity, and of all: 600 octets each, 10 MB in all. */
const MOST_OF_ONE = 1_024;
const MOST_OF_ALL = 12_288;
/** Units beyond which a sum is not told apart. */
const MOST_UNITS = 2 ** 30;
const DAY_TICKS = 86_400_000 / TICK_MS;
/** A sum is kept anew when it has grown by this part of what is told. */
const KEPT_PARTS = 4;
/** The same of a fold, in octets. */
const FOLD_OCTETS = 32;
/** What one call of `changes` gives. */
const MOST_CHANGES = 256;

export const ATTEMPT_KEY = 'detect attempt ';

/** What an identity's denied questions under one registered domain add up to. */
interface Attempt {
  /** Units of each slice of the day, then hashes of names that were charged as new. */
  sums: Int32Array | null;
  slice: number;
  last: number;
  names: number;
  /** Hash and second of each long name, as a ring. */
  long: Int32Array | null;
  longs: number;
  told: 0 | 1 | 2;
  /** When it was told. */
  toldAt: number;
  /** The number under which it is kept, 0 for not yet, the units that were kept last, and whether they are written. */
  number: number;
  kept: number;
  isWritten: boolean;
}

/** An attempt for the next run; of a fold the domain is empty. Names are not kept: one that comes again is charged as new once more. */
interface KeptAttempt {
  readonly identity: string;
  readonly domain: string;
  readonly sums: readonly number[] | null;
  readonly slice: number;
  readonly last: number;
  readonly told: 0 | 1 | 2;
  readonly toldAt: number;
}

/**
 * The attempt to carry something out by denied questions, of an identity and under a registered domain: what the ledger's code
 * charges in 24 hours. An identity that has more domains than there is room for loses the oldest into a fold, with whose sums
 * each next domain of its begins: it may be told too early, and never too late.
 */
export class Attempts {
  readonly #hash: OctetHash;
  readonly #table = new SharedTable<Attempt>(MOST_OF_ONE, MOST_OF_ALL);
  readonly #folds = new Map<string, Attempt>();
  /** What changed since it was kept. `null`: it is gone. */
  readonly #changed = new Map<
    number,
    { readonly identity: string; readonly domain: string; readonly of: Attempt } | null
  >();
  #next = 1;

  constructor(hash: OctetHash) {
    this.#hash = hash;
  }

  get count(): number {
    return this.#table.size;
  }

  /** 0: nothing to tell yet; 1: an attempt; 2: an attempt of medium severity. `domain`: the registered domain as a key. */
  take(asked: Observed, domain: string, limits: NonNullable<Thresholds['attempt']>): 0 | 1 | 2 {
    const { identity, at, name } = asked;
    const tick = Math.floor(at / TICK_MS);
    let attempt = this.#table.get(identity, domain);
    if (attempt !== undefined && attempt.told > 0 && tick - attempt.toldAt >= DAY_TICKS) {
      this.#forget(identity, domain, attempt);
      attempt = undefined;
    }
    attempt ??= this.#begin(identity, domain, tick, limits.octets);
    if (attempt.told === 2) return 2;
    const before = attempt.told;
    const isLong = asked.domain >= limits.length && !isUnderArpa(name);
    if (before === 1 && !isLong) return 1;
    const hash = this.#hash(name, 0, name.length);
    const units = before === 0 ? this.#charge(attempt, asked, hash, tick) : 0;
    if (units >= limits.octets * OCTET) tell(attempt, 1, tick);
    if (isLong && isManifold(attempt, hash, at, limits)) tell(attempt, 2, tick);
    if (attempt.told !== before || units - attempt.kept >= (limits.octets * OCTET) / KEPT_PARTS) {
      attempt.kept = units;
      this.#keep(identity, domain, attempt);
    }
    return attempt.told;
  }

  /** Adds what has to be kept since the last call: some of it, where it is much. */
  changes(out: KeptChanges): void {
    let left = MOST_CHANGES;
    for (const [number, change] of this.#changed) {
      if (left-- === 0) return;
      this.#changed.delete(number);
      if (change !== null) change.of.isWritten = true;
      out.set(`${ATTEMPT_KEY}${number}`, change === null ? null : JSON.stringify(keptOf(change)));
    }
  }

  /** Takes up what `changes` gave to another run. */
  restore(kept: Iterable<readonly [key: string, text: string]>): void {
    for (const [key, text] of kept) {
      const { identity, domain, sums, ...rest } = JSON.parse(text) as KeptAttempt;
      const number = Number(key.slice(ATTEMPT_KEY.length));
      this.#next = Math.max(this.#next, number + 1);
      const attempt: Attempt = { ...newAttempt(), ...rest, number, isWritten: true };
      if (sums === null) attempt.sums = null;
      else attempt.sums!.set(sums.slice(0, SLICES));
      attempt.kept = sums === null ? 0 : totalOf(attempt.sums!);
      const evicted = domain === '' ? null : this.#table.add(identity, domain, attempt);
      if (domain === '') this.#folds.set(identity, attempt);
      if (evicted !== null) this.#fold(evicted.owner, evicted.value, rest.last);
    }
  }

  #keep(identity: string, domain: string, of: Attempt): void {
    if (of.number === 0) of.number = this.#next++;
    this.#changed.set(of.number, { identity, domain, of });
  }

  #forget(identity: string, domain: string, attempt: Attempt): void {
    this.#table.delete(identity, domain);
    this.#unkeep(attempt);
  }

  #unkeep({ number, isWritten }: Attempt): void {
    if (isWritten) this.#changed.set(number, null);
    else this.#changed.delete(number);
  }

  /** Forgets what was told longer than a day ago; to be called now and then. */
  sweep(now: number): void {
    const tick = Math.floor(now / TICK_MS);
    for (const { owner, key, value } of [...this.#table.all()])
      if (tick - value.last > LONGEST_WAIT) this.#forget(owner, key, value);
    for (const [identity, fold] of this.#folds) {
      if (tick - fold.last <= LONGEST_WAIT) continue;
      this.#folds.delete(identity);
      this.#unkeep(fold);
    }
  }

  #begin(identity: string, domain: string, tick: number, octets: number): Attempt {
    const fold = this.#folds.get(identity);
    const attempt = fold === undefined ? newAttempt() : copyOf(fold, tick, octets * OCTET);
    const evicted = this.#table.add(identity, domain, attempt);
    if (evicted !== null) this.#fold(evicted.owner, evicted.value, tick);
    return attempt;
  }

  #fold(identity: string, evicted: Attempt, tick: number): void {
    this.#unkeep(evicted);
    if (evicted.sums === null) return;
    let fold = this.#folds.get(identity);
    if (fold === undefined) {
      fold = newAttempt();
      this.#folds.set(identity, fold);
    }
    slide(evicted, tick);
    slide(fold, tick);
    fold.last = tick;
    for (let i = 0; i < SLICES; i++) fold.sums![i] = Math.max(fold.sums![i]!, evicted.sums[i]!);
    const units = totalOf(fold.sums!);
    if (units - fold.kept < FOLD_OCTETS * OCTET) return;
    fold.kept = units;
    this.#keep(identity, '', fold);
  }

  #charge(attempt: Attempt, { domain, count }: Observed, hash: number, tick: number): number {
    const sums = attempt.sums!;
    slide(attempt, tick);
    const wait = attempt.last < 0 ? LONGEST_WAIT : Math.max(0, tick - attempt.last);
    attempt.last = tick;
    const known = remembers(attempt, hash);
    const name = known ? knownNameCost() : newNameCost(domain);
    // The questions that one record stands for came one after the other.
    const more = (count - 1) * (occasionCost(1, TYPES) + knownNameCost());
    const at = attempt.slice % SLICES;
    sums[at] = Math.min(MOST_UNITS, sums[at]! + occasionCost(wait, TYPES) + name + more);
    return totalOf(sums);
  }
}

function totalOf(sums: Int32Array): number {
  let total = 0;
  for (let i = 0; i < SLICES; i++) total += sums[i]!;
  return total;
}

/** `sums`: null for one that is told. */
function newAttempt(sums: Int32Array | null = new Int32Array(SLICES + NAMES)): Attempt {
  return {
    sums,
    slice: 0,
    last: -1,
    names: 0,
    long: null,
    longs: 0,
    told: 0,
    toldAt: 0,
    number: 0,
    kept: 0,
    isWritten: false,
  };
}

function tell(attempt: Attempt, told: 1 | 2, tick: number): void {
  if (attempt.told === 0) attempt.toldAt = tick;
  attempt.told = told;
  attempt.last = tick;
  attempt.sums = null;
  if (told === 2) attempt.long = null;
}

function keptOf({ identity, domain, of }: { identity: string; domain: string; of: Attempt }): KeptAttempt {
  const { sums, slice, last, told, toldAt } = of;
  return {
    identity,
    domain,
    sums: sums === null ? null : [...sums.subarray(0, SLICES)],
    slice,
    last,
    told,
    toldAt,
  };
}

/** With the sums of another, and none of its names. One that is told at once needs no sums. */
function copyOf(fold: Attempt, tick: number, most: number): Attempt {
  slide(fold, tick);
  if (totalOf(fold.sums!) >= most) return { ...newAttempt(null), last: tick, told: 1, toldAt: tick };
  const attempt = newAttempt();
  attempt.slice = fold.slice;
  attempt.sums!.set(fold.sums!.subarray(0, SLICES));
  return attempt;
}

/** Slices that are no longer in the window count nothing. Time that goes back changes nothing. */
function slide(attempt: Attempt, tick: number): void {
  const slice = Math.floor(tick / TICKS_A_SLICE);
  if (slice <= attempt.slice || attempt.sums === null) return;
  const gone = Math.min(SLICES, slice - attempt.slice);
  for (let i = 1; i <= gone; i++) attempt.sums[(attempt.slice + i) % SLICES] = 0;
  attempt.slice = slice;
}

/** Whether a name was charged before; remembers it, in place of the oldest. */
function remembers(attempt: Attempt, hash: number): boolean {
  const sums = attempt.sums!;
  const count = Math.min(NAMES, attempt.names);
  for (let i = 0; i < count; i++) if (sums[SLICES + i] === hash) return true;
  sums[SLICES + (attempt.names++ % NAMES)] = hash;
  return false;
}

/** Whether so many different long names came within the time. */
function isManifold(
  attempt: Attempt,
  hash: number,
  at: number,
  { names, within }: NonNullable<Thresholds['attempt']>,
): boolean {
  attempt.long ??= new Int32Array(2 * LONG_NAMES);
  const { long } = attempt;
  const second = Math.floor(at / 1000);
  const count = Math.min(LONG_NAMES, attempt.longs);
  let place = -1;
  for (let i = 0; i < count; i++) if (long[2 * i] === hash) place = i;
  if (place < 0) place = attempt.longs++ % LONG_NAMES;
  long[2 * place] = hash;
  long[2 * place + 1] = second;
  const oldest = second - Math.floor(within / 1000);
  let recent = 0;
  for (let i = 0; i < Math.min(LONG_NAMES, attempt.longs); i++) if (long[2 * i + 1]! >= oldest) recent++;
  return recent >= Math.min(LONG_NAMES, names);
}
