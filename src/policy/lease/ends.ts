import type { Monotonic } from '../../wire/quantity.ts';

/** When things end: the earliest is at hand. A binary heap; what was put in twice is told twice. */
export class Ends<Key> {
  readonly #heap: { readonly at: Monotonic; readonly key: Key }[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest end, or infinity. */
  get next(): Monotonic {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  put(at: Monotonic, key: Key): void {
    const heap = this.#heap;
    let index = heap.length;
    const entry = { at, key };
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.at <= at) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  /** Takes the earliest away, if it is not after `now`. */
  take(now: Monotonic): Key | null {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return null;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first.key;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #sink(entry: { readonly at: Monotonic; readonly key: Key }): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= entry.at) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = entry;
  }
}
