import type { EpochSeconds, Milliseconds } from '../../wire/quantity.ts';
import { MOST_DOMAINS, type Thresholds } from './kinds.ts';

/** Domains of a client to which few are denied. */
const FEW = 8;
/** Clients to which many domains are denied: 1 KiB each. */
const MOST_LARGE = 6_144;
const LARGE_WORDS = 2 * MOST_DOMAINS;

/** Hash and second of domains, as a ring once there are more than it holds. */
interface Fold {
  readonly words: Int32Array;
  count: number;
}

/**
 * Of each client the registered domains that were denied to it last: eight, and where there are more, 128 in a larger ring.
 * These are bounded: whoever has had one for longest gives it up, and what it held goes into the fold of its identity.
 */
export class SweepRings {
  /** By identity: what was denied to clients that had to go. */
  readonly folds = new Map<string, Fold>();
  readonly #identityOf: (place: number) => string;
  readonly #few: Int32Array;
  readonly #counts: Int32Array;
  /** The large ring of a place, + 1, and the place of a large ring, + 1. */
  readonly #largeOf: Int32Array;
  readonly #placeOf = new Int32Array(MOST_LARGE);
  readonly #large = new Int32Array(MOST_LARGE * LARGE_WORDS);
  #next = 0;

  constructor(places: number, identityOf: (place: number) => string) {
    this.#identityOf = identityOf;
    this.#few = new Int32Array(places * 2 * FEW);
    this.#counts = new Int32Array(places);
    this.#largeOf = new Int32Array(places);
  }

  /** A place has a new client. What is beyond a count is never read. */
  begin(place: number): void {
    this.#counts[place] = 0;
    this.#giveBack(place);
  }

  /** The client of a place has to go. */
  fold(place: number, identity: string): void {
    const [words, base, size] = [this.#wordsOf(place), this.#baseOf(place), this.#sizeOf(place)];
    const filled = Math.min(this.#counts[place]!, size);
    this.#counts[place] = 0;
    this.#giveBack(place);
    if (filled === 0) return;
    let fold = this.folds.get(identity);
    if (fold === undefined) {
      fold = { words: new Int32Array(LARGE_WORDS), count: 0 };
      this.folds.set(identity, fold);
    }
    for (let at = base; at < base + 2 * filled; at += 2) {
      const [hash, second] = [words[at]!, words[at + 1]!];
      if (isKnown(fold.words, 0, Math.min(fold.count, MOST_DOMAINS), hash, second)) continue;
      put(fold.words, 2 * (fold.count++ % MOST_DOMAINS), hash, second);
    }
  }

  /** Notes a domain that is denied; true where there are too many within the time, and then the client begins anew. */
  sweeps(
    place: number,
    hash: number,
    second: EpochSeconds,
    { domains, within }: NonNullable<Thresholds['sweep']>,
  ): boolean {
    const count = this.#counts[place]!;
    const known = Math.min(count, this.#sizeOf(place));
    if (isKnown(this.#wordsOf(place), this.#baseOf(place), known, hash, second)) return false;
    if (count >= FEW && this.#largeOf[place] === 0) this.#grow(place);
    const [words, base, size] = [this.#wordsOf(place), this.#baseOf(place), this.#sizeOf(place)];
    put(words, base + 2 * (count % size), hash, second);
    this.#counts[place] = count + 1;
    // Fewer were ever there.
    if (count + 1 < domains) return false;
    if (recentDomains(words, base, Math.min(count + 1, size), second, within) < domains) return false;
    this.#counts[place] = 0;
    return true;
  }

  #wordsOf(place: number): Int32Array {
    return this.#largeOf[place] === 0 ? this.#few : this.#large;
  }

  #baseOf(place: number): number {
    const large = this.#largeOf[place]!;
    return large === 0 ? place * 2 * FEW : (large - 1) * LARGE_WORDS;
  }

  #sizeOf(place: number): number {
    return this.#largeOf[place] === 0 ? FEW : MOST_DOMAINS;
  }

  #grow(place: number): void {
    const large = this.#next;
    this.#next = (large + 1) % MOST_LARGE;
    const before = this.#placeOf[large]! - 1;
    if (before >= 0) this.fold(before, this.#identityOf(before));
    this.#large.set(this.#few.subarray(place * 2 * FEW, (place + 1) * 2 * FEW), large * LARGE_WORDS);
    this.#placeOf[large] = place + 1;
    this.#largeOf[place] = large + 1;
  }

  #giveBack(place: number): void {
    const large = this.#largeOf[place]! - 1;
    if (large < 0) return;
    this.#placeOf[large] = 0;
    this.#largeOf[place] = 0;
  }
}

/** Whether a domain is among so many from `base` on; then this is its last second. */
function isKnown(
  words: Int32Array,
  base: number,
  places: number,
  hash: number,
  second: EpochSeconds,
): boolean {
  for (let at = base; at < base + 2 * places; at += 2) {
    if (words[at] !== hash) continue;
    words[at + 1] = Math.max(second, words[at + 1]!);
    return true;
  }
  return false;
}

function put(words: Int32Array, at: number, hash: number, second: EpochSeconds): void {
  words[at] = hash;
  words[at + 1] = second;
}

/** How many of so many domains from `base` on came within the time. */
export function recentDomains(
  words: Int32Array,
  base: number,
  places: number,
  second: EpochSeconds,
  within: Milliseconds,
): number {
  const oldest = second - Math.floor(within / 1000);
  let recent = 0;
  for (let at = base + 1; at < base + 2 * places; at += 2) if (words[at]! >= oldest) recent++;
  return recent;
}
