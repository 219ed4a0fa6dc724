import type { Tick } from '../wire/quantity.ts';
import { MAX_ACCOUNTS, MAX_BASES } from './bill.ts';
import { HOLDER, Holder, type HolderKind, SLICES, TICKS_A_SLICE } from './holder.ts';

const NO_BASE = new Uint8Array(0);

/** Of so many that were idle the longest, the one with the smallest balance is evicted. */
const CANDIDATES = 64;
/** Whoever was at the front less than so many moves ago stays where it is: a client that asks again and again moves nobody. */
const RECENT = 32;
/** And never one of those charged last: a bill that is being charged holds on to so many. */
const HELD = MAX_BASES * MAX_ACCOUNTS;

/** From so many folds on it is looked which of them are over. */
const LOOK_AT_FOLDS = 256;

/** What evicted holders of one kind and wildcard had at most, slice by slice. */
interface Fold {
  readonly spent: Float64Array;
  slice: number;
}

/**
 * All holders, by their keys: bounded in number and octets. Who is evicted leaves its sums in a fold, from which the next
 * holders of the same identity and wildcard begin: a flood of holders may count too much, and never hides what was charged.
 * Keys are outputs of a keyed hash, so that no client can choose where they lie.
 */
export class HolderTable {
  readonly #most: number;
  readonly #mostOctets: number;
  readonly #slots: (Holder | null)[];
  readonly #mask: number;
  readonly #folds = new Map<string, Fold>();
  #foldsAtLook = LOOK_AT_FOLDS;
  #newest: Holder | null = null;
  #oldest: Holder | null = null;
  #count = 0;
  #octets = 0;
  #evicted = 0;
  /** Times that a holder came to the front. */
  #moves = 0;

  /** `most` holders and `mostOctets` octets at most. */
  constructor(most: number, mostOctets: number) {
    this.#most = most;
    this.#mostOctets = mostOctets;
    const size = 1 << (32 - Math.clz32(2 * most - 1));
    this.#slots = new Array<Holder | null>(size).fill(null);
    this.#mask = size - 1;
  }

  get count(): number {
    return this.#count;
  }

  get octets(): number {
    return this.#octets;
  }

  get evicted(): number {
    return this.#evicted;
  }

  find(kind: HolderKind, low: number, high: number): Holder | null {
    for (let at = low & this.#mask; ; at = (at + 1) & this.#mask) {
      const holder = this.#slots[at]!;
      if (holder === null) return null;
      if (holder.low === low && holder.high === high && holder.kind === kind) return holder;
    }
  }

  /** Units that a holder that is not there begins with. */
  foldedBalance(fold: string, tick: Tick): number {
    const folded = this.#folds.get(fold);
    if (folded === undefined) return 0;
    const now = Math.floor(tick / TICKS_A_SLICE);
    let total = 0;
    for (let age = 0; age < SLICES; age++) {
      const slice = folded.slice - age;
      if (slice >= 0 && slice > now - SLICES) total += folded.spent[slice % SLICES]!;
    }
    return total;
  }

  /** Adds a holder that is not there, with the sums of its fold. May evict another. */
  add(holder: Holder, tick: Tick): void {
    const folded = this.#folds.get(holder.fold);
    if (folded !== undefined) holder.takeOver(folded.spent, folded.slice, tick);
    while (
      this.#count >= this.#most ||
      (this.#octets + holder.octets > this.#mostOctets && this.#count > 0)
    ) {
      this.#evict(tick);
    }
    let at = holder.low & this.#mask;
    while (this.#slots[at] !== null) at = (at + 1) & this.#mask;
    this.#slots[at] = holder;
    this.#count++;
    this.#octets += holder.octets;
    this.#link(holder);
  }

  /** Says that a holder was charged; `octets` is what it held before. */
  touch(holder: Holder, octets: number): void {
    this.#octets += holder.octets - octets;
    if (this.#moves - holder.touchedAt >= RECENT) this.toFront(holder);
  }

  /** Says that nobody else was charged later. */
  toFront(holder: Holder): void {
    if (this.#newest === holder) return;
    this.#unlink(holder);
    this.#link(holder);
  }

  /** Those charged last come first. */
  *all(): Generator<Holder> {
    for (let holder = this.#newest; holder !== null; holder = holder.older) yield holder;
  }

  /** What was folded, for the state on disk: key, last slice and sums. */
  *folds(): Generator<[string, number, Float64Array]> {
    for (const [key, { slice, spent }] of this.#folds) yield [key, slice, spent];
  }

  /** Takes a fold back; what was folded meanwhile under its key stays, slice by slice the larger. */
  restoreFold(key: string, slice: number, spent: Float64Array, tick: Tick): void {
    this.#foldInto(key, spent, slice, tick);
  }

  /** Forgets the fold of whoever is reset, else it would come back from it. */
  forgetFold(fold: string): void {
    this.#folds.delete(fold);
  }

  #evict(tick: Tick): void {
    let victim = this.#oldest!;
    let left = Math.max(1, Math.min(CANDIDATES, this.#count - HELD));
    for (let at = this.#oldest; at !== null && left > 0; at = at.newer, left--) {
      if (at.balance(tick) < victim.balance(tick)) victim = at;
    }
    if (this.#folds.size >= this.#foldsAtLook) this.#dropEmptyFolds(tick);
    this.#foldInto(victim.fold, victim.sums.spent, victim.sums.slice, tick);
    this.#remove(victim);
    this.#evicted++;
  }

  /** A fold whose sums have left the window says nothing any more. What stays is as many as the wildcards of a day's policies. */
  #dropEmptyFolds(tick: Tick): void {
    for (const key of this.#folds.keys()) if (this.foldedBalance(key, tick) === 0) this.#folds.delete(key);
    this.#foldsAtLook = Math.max(LOOK_AT_FOLDS, 2 * this.#folds.size);
  }

  #foldInto(key: string, spent: Float64Array, slice: number, tick: Tick): void {
    // A fold is a holder of its own kind: the larger sum of each slice, in the present window.
    const folded = new Holder(HOLDER.IDENTITY, '', '', NO_BASE, 0, 0, '');
    const before = this.#folds.get(key);
    if (before !== undefined) folded.takeOver(before.spent, before.slice, tick);
    folded.takeOver(spent, slice, tick);
    this.#folds.set(key, { spent: Float64Array.from(folded.sums.spent), slice: folded.sums.slice });
  }

  #remove(holder: Holder): void {
    this.#unlink(holder);
    this.#count--;
    this.#octets -= holder.octets;
    const slots = this.#slots;
    let hole = holder.low & this.#mask;
    while (slots[hole] !== holder) hole = (hole + 1) & this.#mask;
    // Those behind it move up, so that a look-up never meets a hole in front of what it looks for.
    for (let at = (hole + 1) & this.#mask; slots[at] !== null; at = (at + 1) & this.#mask) {
      const home = slots[at]!.low & this.#mask;
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      slots[hole] = slots[at]!;
      hole = at;
    }
    slots[hole] = null;
  }

  #link(holder: Holder): void {
    holder.touchedAt = ++this.#moves;
    holder.older = this.#newest;
    holder.newer = null;
    if (this.#newest !== null) this.#newest.newer = holder;
    this.#newest = holder;
    this.#oldest ??= holder;
  }

  #unlink(holder: Holder): void {
    if (holder.newer === null) this.#newest = holder.older;
    else holder.newer.older = holder.older;
    if (holder.older === null) this.#oldest = holder.newer;
    else holder.older.newer = holder.newer;
    holder.newer = null;
    holder.older = null;
  }
}
