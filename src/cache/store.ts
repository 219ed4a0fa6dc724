import { LRUCache } from 'lru-cache';
import { type AnswerStore, type Entry, entrySize } from '../resolve/answer/answer.ts';

/**
 * The answer store: the least recently used entries go when it is full. Bounded in octets, objects estimated; expiry
 * stands in the entry, since what is stale is still of use (RFC 8767). An entry of more than a sixteenth of the
 * whole is not kept.
 */
export class LruAnswerStore implements AnswerStore {
  readonly #entries: LRUCache<string, Entry>;

  /** `size`: octets, at least 1. */
  constructor(size: number) {
    this.#entries = new LRUCache<string, Entry>({
      maxSize: size,
      maxEntrySize: Math.max(1, Math.floor(size / 16)),
      sizeCalculation: (entry, key) => entrySize(key, entry),
    });
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  set(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
  }

  /** Entries held. */
  get count(): number {
    return this.#entries.size;
  }

  /** Octets held, as estimated. */
  get octets(): number {
    return this.#entries.calculatedSize;
  }
}
