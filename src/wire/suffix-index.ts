import { MAX_LABELS } from './name.ts';

const SLOT_WORDS = 3;

/**
 * A list of names, found as suffixes of wire names by their octets: no text is made, so a look costs tens of nanoseconds.
 * What a look gives stands in the index until the next.
 */
export class SuffixIndex {
  /** Of the suffix of `i + 1` labels: where it starts in the name, and its value; 0 for one that is not listed. */
  readonly starts: Uint8Array;
  readonly values: Int32Array;
  /** Labels of the longest name that is listed. */
  readonly depth: number;
  /** Hash, value and where the name stands in `#octets` + 1; open addressing, at most half full. */
  readonly #slots: Int32Array;
  readonly #octets: Uint8Array;
  readonly #labels = new Uint8Array(MAX_LABELS);
  /** Where the root of the name that was split last stands: what is behind it is none of it. */
  #root = 0;

  /** Wire names in lower case, and values other than 0. `more`: labels that a look gives beyond the longest listed name. */
  constructor(entries: Iterable<readonly [name: Uint8Array, value: number]>, more = 0) {
    const list = [...entries];
    let size = 16;
    while (size < 2 * list.length) size *= 2;
    this.#slots = new Int32Array(size * SLOT_WORDS);
    this.#octets = new Uint8Array(list.reduce((sum, [name]) => sum + name.length, 0));
    let used = 0;
    let depth = 0;
    for (const [name, value] of list) {
      const labels = this.#split(name);
      depth = Math.max(depth, labels);
      let hash = 0;
      for (let i = labels - 1, end = name.length - 1; i >= 0; end = this.#labels[i--]!)
        hash = extended(hash, name, this.#labels[i]!, end);
      this.#octets.set(name, used);
      this.#put(hash, value, used + 1);
      used += name.length;
    }
    this.depth = depth;
    this.starts = new Uint8Array(depth + more + 1);
    this.values = new Int32Array(depth + more + 1);
  }

  /** Looks at the suffixes of a wire name in lower case, with or without octets behind it, the shortest first; gives how many: the root is none. */
  look(name: Uint8Array): number {
    const { starts, values } = this;
    const labels = this.#split(name);
    const count = Math.min(labels, starts.length - 1);
    let hash = 0;
    let end = this.#root;
    for (let i = 0; i < count; i++) {
      const start = this.#labels[labels - 1 - i]!;
      starts[i] = start;
      if (i >= this.depth) values[i] = 0;
      else {
        hash = extended(hash, name, start, end);
        values[i] = this.#valueOf(hash, name, start);
      }
      end = start;
    }
    return count;
  }

  #split(name: Uint8Array): number {
    let count = 0;
    let at = 0;
    for (; name[at] !== 0 && at < name.length; at += 1 + name[at]!) this.#labels[count++] = at;
    this.#root = at;
    return count;
  }

  #put(hash: number, value: number, place: number): void {
    const slots = this.#slots;
    let at = (hash & (slots.length / SLOT_WORDS - 1)) * SLOT_WORDS;
    while (slots[at + 2] !== 0) at = (at + SLOT_WORDS) % slots.length;
    slots[at] = hash;
    slots[at + 1] = value;
    slots[at + 2] = place;
  }

  #valueOf(hash: number, name: Uint8Array, start: number): number {
    const slots = this.#slots;
    const from = (hash & (slots.length / SLOT_WORDS - 1)) * SLOT_WORDS;
    for (let at = from; slots[at + 2] !== 0; at = (at + SLOT_WORDS) % slots.length) {
      if (slots[at] === hash && this.#isAt(slots[at + 2]! - 1, name, start)) return slots[at + 1]!;
    }
    return 0;
  }

  /** Both end with the root: neither can go on where the other ends. */
  #isAt(place: number, name: Uint8Array, start: number): boolean {
    const octets = this.#octets;
    for (let i = start; i <= this.#root; i++) if (octets[place + i - start] !== name[i]) return false;
    return true;
  }
}

/** The hash of a suffix with one label more, which stands from `start` to `end`. */
function extended(hash: number, name: Uint8Array, start: number, end: number): number {
  let next = hash;
  for (let i = start; i < end; i++) next = Math.imul(next ^ name[i]!, 0x0100_0193) ^ (next >>> 15);
  return Math.imul(next ^ (next >>> 13), 0x2c1b_3c6d);
}
