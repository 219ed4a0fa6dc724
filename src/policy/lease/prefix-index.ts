import { type IpAddress, isMapped } from '../../wire/ip-address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Bound } from './bound.ts';

/** What is claimed under one key: the latest lease on it, and the latest quarantine of those before. */
export class Slot {
  lease: Bound | null = null;
  /** What holds when the lease's time is over, whether or not anybody has tidied up. */
  after: Bound | null = null;
  quarantine: Bound | null = null;

  /** What holds at `now`: the lease, else a quarantine, else null. */
  at(now: Monotonic): Bound | null {
    const { lease, after, quarantine } = this;
    if (lease !== null && now < lease.endsAt) return lease;
    if (after !== null && now < after.endsAt) return after;
    return quarantine !== null && now < quarantine.endsAt ? quarantine : null;
  }

  get isEmpty(): boolean {
    return this.lease === null && this.quarantine === null;
  }
}

/**
 * Claims by address prefix, the longest first: one hash table for each prefix length in use. A lookup costs one probe for
 * each of these lengths, and allocates nothing. A mapped address is its IPv4 address (RFC 4291 §2.5.5.2).
 */
export class PrefixIndex {
  readonly #four: Level[] = [];
  readonly #six: Level[] = [];

  /** What holds for the address at `now`: the live lease on one of its prefixes, else the longest quarantine. */
  find(address: IpAddress, now: Monotonic): Bound | null {
    const { family, w0, w1, w2, w3 } = address;
    if (family === 4) return findIn(this.#four, w0, 0, 0, 0, now);
    if (isMapped(address)) return findIn(this.#four, w3, 0, 0, 0, now);
    return findIn(this.#six, w0, w1, w2, w3, now);
  }

  /** The slot of exactly this prefix, made if there is none. */
  slot(prefix: Prefix): Slot {
    const levels = prefix.family === 4 ? this.#four : this.#six;
    let at = 0;
    while (at < levels.length && levels[at]!.length > prefix.length) at++;
    if (levels[at]?.length !== prefix.length) levels.splice(at, 0, new Level(prefix.length));
    return levels[at]!.slot(prefix);
  }

  /** Drops the slot of this prefix if it holds nothing. */
  tidy(prefix: Prefix): void {
    const levels = prefix.family === 4 ? this.#four : this.#six;
    const at = levels.findIndex(({ length }) => length === prefix.length);
    if (at < 0) return;
    levels[at]!.tidy(prefix);
    if (levels[at]!.size === 0) levels.splice(at, 1);
  }

  get isEmpty(): boolean {
    return this.#four.length === 0 && this.#six.length === 0;
  }
}

function findIn(
  levels: readonly Level[],
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  now: Monotonic,
): Bound | null {
  let calm: Bound | null = null;
  for (let i = 0; i < levels.length; i++) {
    const slot = levels[i]!.find(w0, w1, w2, w3);
    if (slot === null) continue;
    const { lease } = slot;
    if (lease !== null && now < lease.endsAt) return lease;
    calm ??= slot.at(now);
  }
  return calm;
}

interface Link {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly slot: Slot;
  next: Link | null;
}

/** The claims of one prefix length: a hash table with chains. Words are kept signed, so that each is a small integer. */
class Level {
  readonly length: number;
  size = 0;
  readonly #m0: number;
  readonly #m1: number;
  readonly #m2: number;
  readonly #m3: number;
  #heads: (Link | null)[] = new Array<Link | null>(8).fill(null);

  constructor(length: number) {
    this.length = length;
    this.#m0 = mask(length);
    this.#m1 = mask(length - 32);
    this.#m2 = mask(length - 64);
    this.#m3 = mask(length - 96);
  }

  find(w0: number, w1: number, w2: number, w3: number): Slot | null {
    const a = w0 & this.#m0;
    const b = w1 & this.#m1;
    const c = w2 & this.#m2;
    const d = w3 & this.#m3;
    let link = this.#heads[hash(a, b, c, d) & (this.#heads.length - 1)]!;
    while (link !== null) {
      if (link.w0 === a && link.w1 === b && link.w2 === c && link.w3 === d) return link.slot;
      link = link.next!;
    }
    return null;
  }

  slot({ words }: Prefix): Slot {
    const [w0, w1, w2, w3] = signed(words);
    const known = this.find(w0, w1, w2, w3);
    if (known !== null) return known;
    if (this.size >= this.#heads.length) this.#grow();
    const slot = new Slot();
    this.#link({ w0, w1, w2, w3, slot, next: null });
    this.size++;
    return slot;
  }

  tidy({ words }: Prefix): void {
    const [w0, w1, w2, w3] = signed(words);
    const slot = this.find(w0, w1, w2, w3);
    if (slot === null || !slot.isEmpty) return;
    const at = hash(w0, w1, w2, w3) & (this.#heads.length - 1);
    const head = this.#heads[at]!;
    if (head.slot === slot) this.#heads[at] = head.next;
    else {
      let before = head;
      while (before.next!.slot !== slot) before = before.next!;
      before.next = before.next!.next;
    }
    this.size--;
  }

  #grow(): void {
    const links = this.#heads.flatMap((head) => {
      const chain: Link[] = [];
      for (let link = head; link !== null; link = link.next) chain.push(link);
      return chain;
    });
    this.#heads = new Array<Link | null>(2 * this.#heads.length).fill(null);
    for (const link of links) this.#link(link);
  }

  #link(link: Link): void {
    const at = hash(link.w0, link.w1, link.w2, link.w3) & (this.#heads.length - 1);
    link.next = this.#heads[at]!;
    this.#heads[at] = link;
  }
}

function signed(words: readonly number[]): [number, number, number, number] {
  return [words[0]! | 0, (words[1] ?? 0) | 0, (words[2] ?? 0) | 0, (words[3] ?? 0) | 0];
}

function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** Keys are chosen by who opens leases, which no client does: no salt. */
function hash(w0: number, w1: number, w2: number, w3: number): number {
  let h =
    Math.imul(w0, 0x9e37_79b1) ^
    Math.imul(w1, 0x85eb_ca6b) ^
    Math.imul(w2, 0xc2b2_ae35) ^
    Math.imul(w3, 0x27d4_eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b_3c6d);
  return h ^ (h >>> 12);
}
