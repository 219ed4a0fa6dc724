import type { Holder } from './holder.ts';

/** Holders that have to be written down, each once: a set, without hashing an object for each charge. */
export class Unwritten {
  readonly #holders: Holder[] = [];

  get size(): number {
    return this.#holders.length;
  }

  add(holder: Holder): void {
    if (holder.isUnwritten) return;
    holder.isUnwritten = true;
    this.#holders.push(holder);
  }

  clear(): void {
    for (const holder of this.#holders) holder.isUnwritten = false;
    this.#holders.length = 0;
  }

  [Symbol.iterator](): IterableIterator<Holder> {
    return this.#holders[Symbol.iterator]();
  }
}
