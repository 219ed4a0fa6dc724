import { copyOfEntry, type Entry } from '../answer/entry.ts';
import type { Key } from '../answer/key.ts';

/** Entries that we renew, beside the store: they are not the store's to evict. As many as are renewed. */
export class RenewedEntries {
  /** By the key's text. */
  readonly #entries = new Map<string, Entry>();
  /** How many of them have a key of this hash: most keys are not renewed, and are made no text of. */
  readonly #hashes = new Map<number, number>();

  get size(): number {
    return this.#entries.size;
  }

  find(key: Key): Entry | null {
    return this.#hashes.has(key.hash) ? this.under(key.text) : null;
  }

  /** `text`: of a key. */
  under(text: string): Entry | null {
    return this.#entries.get(text) ?? null;
  }

  has(text: string): boolean {
    return this.#entries.has(text);
  }

  /** Keeps a copy. */
  keep(key: Key, entry: Entry): void {
    const { text, hash } = key;
    if (!this.#entries.has(text)) this.#hashes.set(hash, (this.#hashes.get(hash) ?? 0) + 1);
    this.#entries.set(text, copyOfEntry(entry));
  }

  drop({ text, hash }: Key): void {
    if (!this.#entries.delete(text)) return;
    const count = this.#hashes.get(hash)! - 1;
    if (count === 0) this.#hashes.delete(hash);
    else this.#hashes.set(hash, count);
  }
}
