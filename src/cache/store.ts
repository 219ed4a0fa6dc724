import { counter, gauge, type Samples, single } from '../metric/metric.ts';
import type { AnswerStore } from '../resolve/answer/answer-store.ts';
import type { Entry } from '../resolve/answer/entry.ts';
import type { Key, KeyHash } from '../resolve/answer/key.ts';
import { Slab } from '../resolve/answer/slab.ts';
import { saltedHash } from '../wire/half-siphash.ts';

/** Octets that blocks are counted in, so that what is left at the slab's end can always be a block. */
const UNIT = 16;
/** Words of a block's head. */
const WORDS = { SIZE: 0, NEXT: 1, HASH: 2, KEY: 3 } as const;
const HEAD = 16;
/** In WORDS.KEY, beside the key's length, which is 0 where a block is dead: it was asked for since it was written or spared. */
const USED = 0x1_0000;
const KEY_LENGTH = 0xffff;
/** An entry may take that part of the whole. */
const LARGEST_PART = 16;
/** Octets of the slab for each chain of the index. */
const PER_CHAIN = 128;
/** Octets below which no cache works. */
const LEAST = 4096;
/** Used blocks that one `put` spares at most, which bounds its work. */
const MOST_SPARED = 32;

/**
 * The answer store: blocks of entry and key behind each other in one ring of octets outside of V8's heap. What is new goes
 * in at the ring's head; what is oldest leaves at its tail, but a block that was used since goes round once more (CLOCK
 * order). Nothing is ever scattered, so nothing needs to be put together again, and no object outlives a call.
 *
 * Ring and index together have the octets that were asked for, and take memory only as they fill. An entry of more than a
 * sixteenth of the whole is not kept. Expiry stands in the entry, since what is stale is still of use (RFC 8767).
 */
export class RingAnswerStore implements AnswerStore {
  readonly hashOf: KeyHash;
  /** Octets of ring and index: the bound. */
  readonly size: number;
  readonly #slab: Slab;
  /** First block of each chain, in units; 0 for none. Chains go on in the blocks' heads. */
  readonly #chains: Int32Array;
  /** In octets: the largest block, where the ring ends, where the next block goes, where the oldest stands. */
  readonly #largest: number;
  readonly #end: number;
  #head = UNIT;
  #tail = UNIT;
  /** Octets from tail to head. */
  #taken = 0;
  #count = 0;
  /** Entries that made room for others. */
  #evicted = 0;
  /** Where `#find` found the link to a block: a chain where `#linked` is 0, else the block before. */
  #linked = 0;

  /** `size`: octets, 4,096 at least. `hashOf` has a secret of its own unless one is given. */
  constructor(size: number, hashOf: KeyHash = saltedHash(crypto.getRandomValues(new Uint32Array(2)))) {
    this.hashOf = hashOf;
    const whole = Math.max(LEAST, Math.floor(size / UNIT) * UNIT);
    const chains = 2 ** Math.floor(Math.log2(whole / PER_CHAIN));
    this.#chains = new Int32Array(chains);
    this.#end = whole - chains * 4;
    this.#slab = new Slab(this.#end);
    this.#largest = Math.floor(whole / LARGEST_PART);
    this.size = whole;
  }

  find(key: Key, entry: Entry): boolean {
    const block = this.#find(key);
    if (block === 0) return false;
    const { words } = this.#slab;
    const at = block * 4 + WORDS.KEY;
    const word = words[at]!;
    if ((word & USED) === 0) words[at] = word | USED;
    entry.point(this.#slab, entryAt(block, key.length));
    return true;
  }

  put(key: Key, entry: Entry): void {
    const size = Math.ceil((entryAt(0, key.length) + entry.size) / UNIT) * UNIT;
    const { words } = this.#slab;
    const old = this.#find(key);
    if (old !== 0) {
      if (words[old * 4 + WORDS.SIZE] === size) {
        this.#write(old, size, key, entry);
        return;
      }
      this.#forget(old);
    }
    if (size > this.#largest) return;
    this.#makeRoom(size);
    const block = this.#place(size);
    const chain = this.#chainOf(key.hash);
    words[block * 4 + WORDS.NEXT] = this.#chains[chain]!;
    words[block * 4 + WORDS.HASH] = key.hash;
    this.#chains[chain] = block;
    this.#count++;
    this.#write(block, size, key, entry);
  }

  drop(key: Key): void {
    const block = this.#find(key);
    if (block !== 0) this.#forget(block);
  }

  /** Entries held. */
  get count(): number {
    return this.#count;
  }

  /** Octets of the ring that blocks take, dead ones until the tail has come by them. */
  get octets(): number {
    return this.#taken;
  }

  *samples(): Generator<Samples> {
    yield single(ENTRIES, this.#count);
    yield single(OCTETS, this.#taken);
    yield single(SIZE, this.#end);
    yield single(EVICTED, this.#evicted);
  }

  #write(block: number, size: number, key: Key, entry: Entry): void {
    const { words, octets } = this.#slab;
    words[block * 4 + WORDS.SIZE] = size;
    words[block * 4 + WORDS.KEY] = key.length;
    const at = block * UNIT + HEAD;
    for (let i = 0; i < key.length; i++) octets[at + i] = key.octets[i]!;
    const from = entry.slab.octets;
    const start = entry.at;
    const length = entry.size;
    const to = entryAt(block, key.length);
    if (length > 512) from.copy(octets, to, start, start + length);
    else for (let i = 0; i < length; i++) octets[to + i] = from[start + i]!;
  }

  /** The block of a key, in units, or 0; `#linked` then says what leads to it. */
  #find(key: Key): number {
    const { words } = this.#slab;
    const { hash } = key;
    let before = 0;
    let block = this.#chains[this.#chainOf(hash)]!;
    while (block !== 0) {
      if (words[block * 4 + WORDS.HASH] === hash && this.#holds(block, key)) {
        this.#linked = before;
        return block;
      }
      before = block;
      block = words[block * 4 + WORDS.NEXT]!;
    }
    return 0;
  }

  #holds(block: number, key: Key): boolean {
    const { words, octets } = this.#slab;
    const { length } = key;
    if ((words[block * 4 + WORDS.KEY]! & KEY_LENGTH) !== length) return false;
    const at = block * UNIT + HEAD;
    for (let i = 0; i < length; i++) if (octets[at + i] !== key.octets[i]) return false;
    return true;
  }

  #chainOf(hash: number): number {
    return hash & (this.#chains.length - 1);
  }

  /** What leads to a block that is held, as `#find` leaves it. */
  #findLink(block: number): void {
    const { words } = this.#slab;
    this.#linked = 0;
    let each = this.#chains[this.#chainOf(words[block * 4 + WORDS.HASH]!)]!;
    while (each !== block) {
      this.#linked = each;
      each = words[each * 4 + WORDS.NEXT]!;
    }
  }

  /** Lets what leads to `block` lead to `next`. */
  #lead(block: number, next: number): void {
    const { words } = this.#slab;
    if (this.#linked === 0) this.#chains[this.#chainOf(words[block * 4 + WORDS.HASH]!)] = next;
    else words[this.#linked * 4 + WORDS.NEXT] = next;
  }

  /** Forgets a block whose link is known; its octets are free when the tail has come by. */
  #forget(block: number): void {
    const { words } = this.#slab;
    this.#lead(block, words[block * 4 + WORDS.NEXT]!);
    words[block * 4 + WORDS.KEY] = 0;
    this.#count--;
  }

  /** Lets go of what is oldest until `size` octets are free in one piece at the head. */
  #makeRoom(size: number): void {
    let spared = 0;
    while (!this.#fits(size)) if (this.#evict(spared < MOST_SPARED)) spared++;
  }

  /** Whether so many octets are free at the head, or behind what the ring's end then leaves empty. */
  #fits(size: number): boolean {
    const left = this.#end - this.#head;
    return this.#taken + size + (left < size ? left : 0) <= this.#end - UNIT;
  }

  /** Takes the oldest block out of the ring, or puts it in at the head again where it was used: true then. */
  #evict(spare: boolean): boolean {
    const { words, octets } = this.#slab;
    const from = this.#tail;
    const block = from / UNIT;
    const size = words[block * 4 + WORDS.SIZE]!;
    this.#tail = from + size === this.#end ? UNIT : from + size;
    this.#taken -= size;
    const key = words[block * 4 + WORDS.KEY]!;
    if ((key & KEY_LENGTH) === 0) return false;
    this.#findLink(block);
    if (!spare || (key & USED) === 0 || !this.#fits(size)) {
      this.#forget(block);
      this.#evicted++;
      return false;
    }
    words[block * 4 + WORDS.KEY] = key & ~USED;
    const to = this.#place(size);
    this.#lead(block, to);
    octets.copyWithin(to * UNIT, from, from + size);
    return true;
  }

  /**
   * Takes `size` octets that fit, and returns where they begin, in units. What the ring's end leaves empty becomes a block
   * without a key: it never lies over a block that is being spared, since that one stands in one piece itself.
   */
  #place(size: number): number {
    const left = this.#end - this.#head;
    if (left < size) {
      const { words } = this.#slab;
      const rest = (this.#head / UNIT) * 4;
      words[rest + WORDS.SIZE] = left;
      words[rest + WORDS.KEY] = 0;
      this.#taken += left;
      this.#head = UNIT;
    }
    const block = this.#head / UNIT;
    this.#head = this.#head + size === this.#end ? UNIT : this.#head + size;
    this.#taken += size;
    return block;
  }
}

const ENTRIES = gauge('namegate_cache_entries', 'Answers in the cache.');
const OCTETS = gauge('namegate_cache_bytes', 'Memory for answers that is in use.');
const SIZE = gauge('namegate_cache_size_bytes', 'Memory for answers in all.');
const EVICTED = counter('namegate_cache_evicted_total', 'Answers that made room for others.');

/** Where the entry of a block begins: octets. */
function entryAt(block: number, keyLength: number): number {
  return block * UNIT + HEAD + Math.ceil(keyLength / 8) * 8;
}
