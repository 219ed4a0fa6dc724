import { addressText } from '../../socket/address-words.ts';
import { WordHash } from '../../wire/half-siphash.ts';
import { type AddressWords, isMapped } from '../../wire/ip-address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { PrefixTable } from '../prefixes.ts';

/** Clients that are kept in mind: SETS times WAYS. */
const SETS = 256;
const WAYS = 4;
/** Milliseconds that a client has to come over TCP. */
const PATIENCE_MS: Milliseconds = 5_000;
/** Milliseconds after its last such reply that a client is forgotten. */
const MEMORY_MS: Milliseconds = 3_600_000;
/** Clients that are told in one call of `look`. */
const MOST_TOLD = 5;

/** A client that was sent to TCP and did not come. */
export interface Stranded {
  readonly client: string;
  /** Replies that sent it to TCP. */
  readonly replies: number;
}

interface Entry extends AddressWords {
  /** When the first of its replies was, in milliseconds; and the last. */
  since: Monotonic;
  last: Monotonic;
  replies: number;
  told: boolean;
  /** It has been seen over TCP or TLS since. */
  came: boolean;
}

/**
 * Who was sent from UDP to TCP (the TC bit, RFC 7766 §5) and was not seen there: the resolver of that client may know no TCP,
 * and then resolves nothing. Sources may be forged, so it is only told, and kept in a table of fixed size: a source has four
 * places by a keyed hash, and takes that of who came, was told or is the oldest there.
 */
export class StrandedClients {
  readonly #hash: WordHash;
  readonly #entries: (Entry | null)[] = new Array<Entry | null>(SETS * WAYS).fill(null);
  /** Places that are taken: where nobody was sent to TCP there is nothing to look at. */
  #taken = 0;
  #count = 0;

  /** `key`: two random 32-bit words that nobody outside knows. */
  constructor(key: readonly [number, number] | Uint32Array) {
    this.#hash = new WordHash(key[0]!, key[1]!);
  }

  /** Clients that did not come in their time, since the start, each as often as it was told. */
  get count(): number {
    return this.#count;
  }

  /** A reply over UDP sends this client to TCP. `now`: milliseconds that never go back. */
  sent(address: Readonly<AddressWords>, now: Monotonic): void {
    const base = this.#setOf(address);
    let place = base;
    let worth = Number.POSITIVE_INFINITY;
    for (let at = base; at < base + WAYS; at++) {
      const entry = this.#entries[at]!;
      if (entry !== null && isSame(entry, address)) {
        entry.last = now;
        entry.replies++;
        return;
      }
      const here = entry === null ? -2 : entry.came || entry.told ? -1 : entry.since;
      if (here < worth) {
        worth = here;
        place = at;
      }
    }
    if (this.#entries[place] === null) this.#taken++;
    this.#entries[place] = renewed(this.#entries[place] ?? null, address, now);
  }

  /** This client opened a stream: it is no stranger to TCP. */
  came(address: Readonly<AddressWords>): void {
    const base = this.#setOf(address);
    for (let at = base; at < base + WAYS; at++) {
      const entry = this.#entries[at]!;
      if (entry !== null && isSame(entry, address)) entry.came = true;
    }
  }

  /** Clients that have not come in their time and were not told yet, MOST_TOLD of them. To be called every few seconds. */
  look(now: Monotonic): Stranded[] {
    const told: Stranded[] = [];
    if (this.#taken === 0) return told;
    for (const [at, entry] of this.#entries.entries()) {
      if (entry === null) continue;
      if (now - entry.last > MEMORY_MS) {
        this.#entries[at] = null;
        this.#taken--;
      } else if (!entry.came && !entry.told && now - entry.since >= PATIENCE_MS && told.length < MOST_TOLD) {
        entry.told = true;
        this.#count++;
        told.push(strandedOf(entry));
      }
    }
    return told;
  }

  /** Those that were told and have not come since, `most` of them. */
  list(most: number): Stranded[] {
    const list: Stranded[] = [];
    for (const entry of this.#entries) {
      if (entry?.told === true && !entry.came && list.length < most) list.push(strandedOf(entry));
    }
    return list;
  }

  /** Those among some addresses that were sent to TCP and have not come in their time, told or not. */
  among(prefixes: readonly Prefix[], now: Monotonic): string[] {
    const table = new PrefixTable(prefixes);
    const found: string[] = [];
    for (const entry of this.#entries) {
      if (entry === null || entry.came || now - entry.since < PATIENCE_MS) continue;
      if (table.holds(entry)) found.push(addressText(entry));
    }
    return found;
  }

  #setOf(address: Readonly<AddressWords>): number {
    const hash = this.#hash;
    if (address.family === 4) hash.run(address.w0, 0, 4);
    else if (isMapped(address)) hash.run(address.w3, 0, 4);
    else {
      // Four words in two steps.
      hash.run(address.w0, address.w1, 6);
      hash.run(hash.first ^ address.w2, hash.second ^ address.w3, 6);
    }
    return (hash.first & (SETS - 1)) * WAYS;
  }
}

function isSame(a: Readonly<AddressWords>, b: Readonly<AddressWords>): boolean {
  if (a.family === 6 && isMapped(a)) return isSame({ family: 4, w0: a.w3, w1: 0, w2: 0, w3: 0 }, b);
  if (b.family === 6 && isMapped(b)) return isSame(a, { family: 4, w0: b.w3, w1: 0, w2: 0, w3: 0 });
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

/** A flood of forged sources makes no more objects than there are places. */
function renewed(
  old: Entry | null,
  { family, w0, w1, w2, w3 }: Readonly<AddressWords>,
  now: Monotonic,
): Entry {
  if (old === null)
    return { family, w0, w1, w2, w3, since: now, last: now, replies: 1, told: false, came: false };
  old.family = family;
  old.w0 = w0;
  old.w1 = w1;
  old.w2 = w2;
  old.w3 = w3;
  old.since = now;
  old.last = now;
  old.replies = 1;
  old.told = false;
  old.came = false;
  return old;
}

function strandedOf(entry: Entry): Stranded {
  return { client: addressText(entry), replies: entry.replies };
}
