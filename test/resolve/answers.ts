import type { AnswerStore } from '../../src/resolve/answer/answer-store.ts';
import { copyOfEntry, type Entry } from '../../src/resolve/answer/entry.ts';
import type { Key } from '../../src/resolve/answer/key.ts';
import { saltedHash } from '../../src/wire/half-siphash.ts';

/** An answer store as plain as can be: a Map of copies, without a bound. */
export class PlainAnswers implements AnswerStore {
  readonly hashOf = saltedHash(Uint32Array.of(7, 7));
  readonly #entries = new Map<string, Entry>();

  find(key: Key, entry: Entry): boolean {
    const kept = this.#entries.get(key.text);
    if (kept !== undefined) entry.point(kept.slab, kept.at);
    return kept !== undefined;
  }

  put(key: Key, entry: Entry): void {
    this.#entries.set(key.text, copyOfEntry(entry));
  }

  drop(key: Key): void {
    this.#entries.delete(key.text);
  }

  get size(): number {
    return this.#entries.size;
  }

  values(): Iterable<Entry> {
    return this.#entries.values();
  }

  clear(): void {
    this.#entries.clear();
  }
}
