/** What is taken out of a table to make room. */
export interface Evicted<V> {
  readonly owner: string;
  readonly key: string;
  readonly value: V;
}

/**
 * A table of bounded size that many share fairly: each owner has at most `mostOfOne` places, and however many one of them
 * wants, another that has less than its share still finds a place. The oldest of an owner stands first.
 */
export class SharedTable<V> {
  size = 0;
  readonly #owners = new Map<string, Map<string, V>>();
  /** Of each owner's map: what stands before it is gone. */
  readonly #oldest = new WeakMap<Map<string, V>, MapIterator<[string, V]>>();
  readonly #mostOfOne: number;
  readonly #mostOfAll: number;

  constructor(mostOfOne: number, mostOfAll: number) {
    this.#mostOfOne = mostOfOne;
    this.#mostOfAll = mostOfAll;
  }

  get(owner: string, key: string): V | undefined {
    return this.#owners.get(owner)?.get(key);
  }

  /** Places that an owner has. */
  sizeOf(owner: string): number {
    return this.#owners.get(owner)?.size ?? 0;
  }

  /** Whether one more of this owner has to take a place of its own: it has all that it may have. */
  isFull(owner: string): boolean {
    const own = this.sizeOf(owner);
    if (own >= this.#mostOfOne) return true;
    if (this.size < this.#mostOfAll) return false;
    const owners = this.#owners.size + (own === 0 ? 1 : 0);
    return own >= Math.max(1, Math.floor(this.#mostOfAll / owners));
  }

  /** Puts a new key in, its owner's newest. Gives what had to go: its owner's oldest, or that of whoever has most; else null. */
  add(owner: string, key: string, value: V): Evicted<V> | null {
    let evicted: Evicted<V> | null = null;
    if (this.isFull(owner)) evicted = this.#takeOldest(owner);
    else if (this.size >= this.#mostOfAll) evicted = this.#takeOldest(this.#ownerOfMost());
    let own = this.#owners.get(owner);
    if (own === undefined) {
      own = new Map();
      this.#owners.set(owner, own);
    }
    own.set(key, value);
    this.size++;
    return evicted;
  }

  delete(owner: string, key: string): void {
    const own = this.#owners.get(owner);
    if (own === undefined || !own.delete(key)) return;
    this.size--;
    if (own.size === 0) this.#owners.delete(owner);
  }

  /** An owner's entries, the oldest first. */
  entriesOf(owner: string): Iterable<[string, V]> {
    return this.#owners.get(owner) ?? [];
  }

  *all(): Generator<Evicted<V>> {
    for (const [owner, own] of this.#owners) for (const [key, value] of own) yield { owner, key, value };
  }

  /** An iterator that goes on: one from the beginning would pass all that was taken out since the map was made anew. */
  #takeOldest(owner: string): Evicted<V> | null {
    const own = this.#owners.get(owner);
    if (own === undefined) return null;
    let entries = this.#oldest.get(own) ?? own.entries();
    let next = entries.next();
    if (next.done === true) {
      entries = own.entries();
      next = entries.next();
    }
    this.#oldest.set(own, entries);
    if (next.done === true) return null;
    const [key, value] = next.value;
    this.delete(owner, key);
    return { owner, key, value };
  }

  #ownerOfMost(): string {
    let most = 0;
    let whose = '';
    for (const [owner, own] of this.#owners) {
      if (own.size <= most) continue;
      most = own.size;
      whose = owner;
    }
    return whose;
  }
}
