import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { copyOfEntry, type Entry } from '../answer/entry.ts';

/** Answers that are remembered, and octets that one may have. */
const MAX_ANSWERS = 256;
const MAX_OCTETS = 2048;
/** Milliseconds. */
const LIFE: Milliseconds = 60_000;

/**
 * The last answers that may not be kept, such as those with TTL 0: they are given to nobody, but whoever asks why a name did
 * not resolve a moment ago is told of them. Bounded in number and octets.
 */
export class UnkeptAnswers {
  readonly #entries = new Map<string, Entry>();

  remember(key: string, entry: Entry): void {
    this.#entries.delete(key);
    if (entry.size > MAX_OCTETS) return;
    this.#entries.set(key, copyOfEntry(entry));
    if (this.#entries.size <= MAX_ANSWERS) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** Null where nothing came under the key within the last minute; `now`: monotonic milliseconds. */
  find(key: string, now: Monotonic): Entry | null {
    const entry = this.#entries.get(key);
    return entry === undefined || now - entry.stored >= LIFE ? null : entry;
  }
}
