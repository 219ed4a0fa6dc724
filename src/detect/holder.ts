import type { Tick } from '../wire/quantity.ts';
import { REMEMBERED, TICK_MS } from './charge.ts';

/** A window is 24 h, in slices of 3 h: with the slice under way there are nine, so that nothing is forgotten too early. */
export const SLICES = 9;
export const TICKS_A_SLICE = (3 * 3_600_000) / TICK_MS;
/** What a key without a last charge is taken to have waited: the longest that a window knows. */
export const LONGEST_WAIT = SLICES * TICKS_A_SLICE;

const WORDS_A_NAME = 3;
const FIRST_NAMES = 8;

/** Names that a finding shows, and octets that one has at most. */
const SAMPLES = 5;
const SAMPLE = 256;

/** What a key is a sum over. */
export const HOLDER = {
  /** One lease and one wildcard. */
  LEASE: 0,
  /** One certificate or address that no lease binds, and one wildcard. */
  CLIENT: 1,
  /** One address, or one name of a certificate, whatever leases and identities it has in turn, and one wildcard. */
  CLAIM: 2,
  /** One identity and one wildcard. */
  WILDCARD: 3,
  /** One identity, all wildcards. */
  IDENTITY: 4,
} as const;

export type HolderKind = (typeof HOLDER)[keyof typeof HOLDER];

/** One key's balance: what was charged in each slice of its window, and the names that are paid for. */
export class Holder {
  readonly kind: HolderKind;
  /** For people: a lease's id, an address, a name of a certificate, an identity. */
  readonly subject: string;
  readonly identity: string;
  /** The wildcard's base in wire form; empty for all wildcards. */
  readonly base: Uint8Array;
  /** The key's 64 bits, signed words. */
  readonly low: number;
  readonly high: number;
  /** The fold that it goes into when it is evicted. */
  readonly fold: string;
  /** Tick of the last charge, or -1. */
  last: Tick = -1;
  /** Units on disk that are not spent yet. */
  reserved = 0;
  /** The thresholds of its last charge, in units; 0 is off. */
  alert = 0;
  contain = 0;
  /** Ticks since when, or -1. */
  alertedAt: Tick = -1;
  containedAt: Tick = -1;
  /** Crossings that nobody was told of yet, as bits: 1 << CROSSING. */
  untold = 0;
  /** Several machines have the key. */
  isShared = false;
  /** Of `Unwritten`: it is in there. */
  isUnwritten = false;
  /** Of the table: how many holders had been moved to its front when this one was. */
  touchedAt = 0;
  /** Octets that it holds, roughly. */
  octets: number;
  /** Neighbours by the time of the last charge. */
  newer: Holder | null = null;
  older: Holder | null = null;
  readonly #spent = new Float64Array(SLICES);
  /** The slice that was looked at last, and the tick at which the next begins. */
  #slice = 0;
  #sliceEnd: Tick = TICKS_A_SLICE;
  #total = 0;
  /** Low word, high word and slice of each name, as a ring once it is full. */
  #names = new Int32Array(FIRST_NAMES * WORDS_A_NAME);
  #count = 0;
  #next = 0;
  /** Places of names + 1 by their low word, with open addressing; 0 is free. */
  #index = new Int16Array(FIRST_NAMES * 4);
  #indexed = 0;
  /** A ring, each name behind its length; made when the key nears a threshold. */
  #samples: Uint8Array | null = null;
  #sampled = 0;
  /** Units that were charged at the last sample. */
  #sampledTotal = 0;

  constructor(
    kind: HolderKind,
    subject: string,
    identity: string,
    base: Uint8Array,
    low: number,
    high: number,
    fold: string,
  ) {
    this.kind = kind;
    this.subject = subject;
    this.identity = identity;
    this.base = base;
    this.low = low;
    this.high = high;
    this.fold = fold;
    this.octets = 400 + 2 * subject.length + base.length + this.#names.byteLength + this.#index.byteLength;
  }

  /** Names in wire form, for findings: the last few before and at a crossing. */
  get samples(): Uint8Array[] {
    const ring = this.#samples;
    if (ring === null) return [];
    const count = Math.min(this.#sampled, SAMPLES);
    return Array.from({ length: count }, (_, i) => {
      const at = ((this.#sampled - count + i) % SAMPLES) * SAMPLE;
      return ring.slice(at + 1, at + 1 + ring[at]!);
    });
  }

  addSample(name: Uint8Array, length: number): void {
    if (this.#samples === null) {
      this.#samples = new Uint8Array(SAMPLES * SAMPLE);
      this.octets += this.#samples.length;
    }
    this.#sampledTotal = this.#total;
    const at = (this.#sampled++ % SAMPLES) * SAMPLE;
    this.#samples[at] = length;
    for (let i = 0; i < length; i++) this.#samples[at + 1 + i] = name[i]!;
  }

  /** Whether enough was charged since the last sample that another name is worth one; `step` in units. */
  wantsSample(step: number): boolean {
    return this.#total - this.#sampledTotal >= step || this.#total < this.#sampledTotal;
  }

  /** Units charged in the window that ends at `tick`. */
  balance(tick: Tick): number {
    this.#slide(tick);
    return this.#total;
  }

  /** Adds units to the slice of `tick`; returns the balance. */
  spend(units: number, tick: Tick): number {
    this.#slide(tick);
    const at = this.#slice % SLICES;
    this.#spent[at] = this.#spent[at]! + units;
    this.#total += units;
    return this.#total;
  }

  /** Takes over, slice by slice, the larger of its own sums and `spent`, whose last slice is `slice`. */
  takeOver(spent: Float64Array, slice: number, tick: Tick): void {
    this.#slide(tick);
    for (let age = 0; age < SLICES; age++) {
      const at = slice - age;
      if (at < 0 || at <= this.#slice - SLICES || at > this.#slice) continue;
      const index = at % SLICES;
      const more = Math.max(0, spent[index]! - this.#spent[index]!);
      this.#spent[index] = this.#spent[index]! + more;
      this.#total += more;
    }
  }

  /** The sums by slice number modulo SLICES, and the number of the last slice. */
  get sums(): { readonly spent: Float64Array; readonly slice: number } {
    return { spent: this.#spent, slice: this.#slice };
  }

  /** Forgets what was charged and which names were paid for. */
  reset(): void {
    this.#spent.fill(0);
    this.#total = 0;
    this.#count = 0;
    this.#next = 0;
    this.#makeIndex();
    this.alertedAt = -1;
    this.containedAt = -1;
    if (this.#samples !== null) this.octets -= this.#samples.length;
    this.#samples = null;
    this.#sampled = 0;
    this.#sampledTotal = 0;
  }

  /** Where the name with this hash stands, if it was paid for in the window; else -1. */
  placeOf(low: number, high: number, tick: Tick): number {
    this.#slide(tick);
    const oldest = this.#slice - SLICES;
    const names = this.#names;
    const index = this.#index;
    const mask = index.length - 1;
    for (let at = low & mask; index[at] !== 0; at = (at + 1) & mask) {
      const place = index[at]! - 1;
      const word = place * WORDS_A_NAME;
      if (names[word] !== low || names[word + 1] !== high) continue;
      // One that was paid for too long ago may stand in front of the same name paid for again.
      if (names[word + 2]! > oldest) return place;
    }
    return -1;
  }

  /** Says that the name at `place` was paid for again. */
  refresh(place: number, tick: Tick): void {
    this.#slide(tick);
    this.#names[place * WORDS_A_NAME + 2] = this.#slice;
  }

  /** Remembers a name, in place of the one that has been there the longest where there is no more room. */
  remember(low: number, high: number, tick: Tick): void {
    this.#slide(tick);
    this.restoreName(low, high, this.#slice);
  }

  /** Takes a name back that was remembered in `slice`. */
  restoreName(low: number, high: number, slice: number): void {
    let place = this.#count;
    if (place < REMEMBERED) {
      if (place * WORDS_A_NAME === this.#names.length) this.#grow();
      this.#count++;
    } else {
      place = this.#next;
      this.#next = (this.#next + 1) % REMEMBERED;
    }
    this.#names[place * WORDS_A_NAME] = low;
    this.#names[place * WORDS_A_NAME + 1] = high;
    this.#names[place * WORDS_A_NAME + 2] = slice;
    // What the overwritten name has in the index is found by nobody, and goes when the index is made anew.
    if (++this.#indexed > this.#index.length / 2) this.#makeIndex();
    else this.#enter(place);
  }

  #grow(): void {
    this.octets += this.#names.byteLength + this.#index.byteLength;
    const more = new Int32Array(this.#names.length * 2);
    more.set(this.#names);
    this.#names = more;
    this.#index = new Int16Array(this.#index.length * 2);
    this.#makeIndex();
  }

  #makeIndex(): void {
    this.#index.fill(0);
    this.#indexed = this.#count;
    for (let place = 0; place < this.#count; place++) this.#enter(place);
  }

  #enter(place: number): void {
    const mask = this.#index.length - 1;
    let at = this.#names[place * WORDS_A_NAME]! & mask;
    while (this.#index[at] !== 0) at = (at + 1) & mask;
    this.#index[at] = place + 1;
  }

  /** Low word, high word and slice of each name. */
  get names(): Int32Array {
    return this.#names.subarray(0, this.#count * WORDS_A_NAME);
  }

  /** Slices that are no longer in the window count nothing. Time that goes back changes nothing. */
  #slide(tick: Tick): void {
    if (tick < this.#sliceEnd) return;
    const slice = Math.floor(tick / TICKS_A_SLICE);
    // What was reserved belongs to the slice that it was written for.
    this.reserved = 0;
    const gone = Math.min(SLICES, slice - this.#slice);
    for (let i = 1; i <= gone; i++) this.#spent[(this.#slice + i) % SLICES] = 0;
    this.#slice = slice;
    this.#sliceEnd = (slice + 1) * TICKS_A_SLICE;
    let total = 0;
    for (const units of this.#spent) total += units;
    this.#total = total;
  }
}
