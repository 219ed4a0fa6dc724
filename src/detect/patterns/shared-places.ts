/** What one owner has: its places by age, the oldest first. */
interface Owner {
  readonly name: string;
  readonly index: number;
  oldest: number;
  newest: number;
  size: number;
}

const NONE = -1;

/**
 * Numbered places for keys of 64 bits, bounded, that many owners share fairly as in `SharedTable`: each has at most `mostOfOne`,
 * and however many one of them wants, another that has less than its share still finds one. Whoever uses them keeps what belongs
 * to a place in arrays of its own, so a crowd of new keys makes no garbage.
 */
export class SharedPlaces {
  size = 0;
  readonly most: number;
  readonly #mostOfOne: number;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  /** Index of the owner; NONE for a free place. */
  readonly #owner: Int32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  /** First place of a hash, + 1, and the next place of the same one, + 1. */
  readonly #heads: Int32Array;
  readonly #chain: Int32Array;
  readonly #byName = new Map<string, Owner>();
  readonly #byIndex: (Owner | undefined)[] = [];
  readonly #freeIndexes: number[] = [];
  #nextFree = 0;
  readonly #freed: number[] = [];

  constructor(mostOfOne: number, most: number) {
    this.most = most;
    this.#mostOfOne = mostOfOne;
    const words = (): Int32Array => new Int32Array(most);
    [this.#low, this.#high, this.#owner] = [words(), words(), words().fill(NONE)];
    [this.#older, this.#newer, this.#chain] = [words(), words(), words()];
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(most + 1)));
  }

  /** The place of an owner's key, or -1. */
  find(name: string, low: number, high: number): number {
    const owner = this.#byName.get(name);
    if (owner === undefined) return NONE;
    for (let at = this.#heads[this.#headOf(owner.index, low)]!; at !== 0; at = this.#chain[at - 1]!) {
      const place = at - 1;
      if (this.#low[place] === low && this.#high[place] === high && this.#owner[place] === owner.index)
        return place;
    }
    return NONE;
  }

  /**
   * A place for a new key, as its owner's newest. Where there is none, `evict` is called with that of its owner's oldest, or of
   * the oldest of whoever has most, and then that is free.
   */
  take(name: string, low: number, high: number, evict: (place: number) => void): number {
    if (this.#isFull(name)) this.#evict(this.#byName.get(name)!, evict);
    else if (this.size >= this.most) this.#evict(this.#ownerOfMost(), evict);
    const owner = this.#byName.get(name) ?? this.#begin(name);
    const place = this.#freed.pop() ?? this.#nextFree++;
    this.#low[place] = low;
    this.#high[place] = high;
    this.#owner[place] = owner.index;
    const head = this.#headOf(owner.index, low);
    this.#chain[place] = this.#heads[head]!;
    this.#heads[head] = place + 1;
    this.#append(owner, place);
    owner.size++;
    this.size++;
    return place;
  }

  /** Makes a place its owner's newest. */
  touch(place: number): void {
    const owner = this.#byIndex[this.#owner[place]!]!;
    if (owner.newest === place) return;
    this.#unlink(owner, place);
    this.#append(owner, place);
  }

  free(place: number): void {
    const index = this.#owner[place]!;
    const owner = this.#byIndex[index]!;
    this.#unlink(owner, place);
    const head = this.#headOf(index, this.#low[place]!);
    let before = NONE;
    for (let at = this.#heads[head]! - 1; at !== place; at = this.#chain[at]! - 1) before = at;
    if (before === NONE) this.#heads[head] = this.#chain[place]!;
    else this.#chain[before] = this.#chain[place]!;
    this.#owner[place] = NONE;
    this.#freed.push(place);
    this.size--;
    if (--owner.size > 0) return;
    this.#byName.delete(owner.name);
    this.#byIndex[index] = undefined;
    this.#freeIndexes.push(index);
  }

  ownerOf(place: number): string {
    return this.#byIndex[this.#owner[place]!]!.name;
  }

  /** All that are taken. */
  *all(): Generator<number> {
    for (let place = 0; place < this.#nextFree; place++) if (this.#owner[place] !== NONE) yield place;
  }

  /** Whether one more of this owner has to take a place of its own. */
  #isFull(name: string): boolean {
    const own = this.#byName.get(name)?.size ?? 0;
    if (own >= this.#mostOfOne) return true;
    if (this.size < this.most) return false;
    const owners = this.#byName.size + (own === 0 ? 1 : 0);
    return own >= Math.max(1, Math.floor(this.most / owners));
  }

  #evict({ oldest }: Owner, evict: (place: number) => void): void {
    evict(oldest);
    this.free(oldest);
  }

  #ownerOfMost(): Owner {
    let most: Owner | null = null;
    for (const owner of this.#byName.values()) if (most === null || owner.size > most.size) most = owner;
    return most!;
  }

  #begin(name: string): Owner {
    const index = this.#freeIndexes.pop() ?? this.#byIndex.length;
    const owner: Owner = { name, index, oldest: NONE, newest: NONE, size: 0 };
    this.#byName.set(name, owner);
    this.#byIndex[index] = owner;
    return owner;
  }

  #append(owner: Owner, place: number): void {
    this.#older[place] = owner.newest;
    this.#newer[place] = NONE;
    if (owner.newest === NONE) owner.oldest = place;
    else this.#newer[owner.newest] = place;
    owner.newest = place;
  }

  #unlink(owner: Owner, place: number): void {
    const older = this.#older[place]!;
    const newer = this.#newer[place]!;
    if (older === NONE) owner.oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) owner.newest = older;
    else this.#older[newer] = older;
  }

  /** `low` is of a keyed hash. */
  #headOf(owner: number, low: number): number {
    return (low ^ Math.imul(owner, 0x9e37_79b1)) & (this.#heads.length - 1);
  }
}
