import { lowerOctet, MAX_LABEL, MAX_LABELS, MAX_NAME } from './name.ts';

/** A name that pointers led to. */
interface Place {
  readonly name: Uint8Array;
  /** Pointers that are followed from there on. */
  readonly hops: number;
}

/**
 * The owners of one message: uncompressed, in lower case, equal ones as one array. What a pointer leads to is read once, so
 * that all owners together cost what their octets in the message do; a hostile message repeats long names in few octets.
 */
export class Owners {
  readonly #octets: Uint8Array;
  /** By the text of their octets, whose hashes nobody outside can foresee. */
  readonly #names = new Map<string, Uint8Array>();
  readonly #places = new Map<number, Place>();
  #hops = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** The name at `start`; null exactly where `readName` finds a fault. */
  read(start: number): Uint8Array | null {
    return this.#read(start, 0);
  }

  /** The owner that is equal to an uncompressed name in lower case; undefined where none is. */
  find(name: Uint8Array): Uint8Array | undefined {
    return this.#names.get(textOf(name, name.length));
  }

  /** Leaves the number of pointers in `#hops`. `depth`: pointers that led here. */
  #read(start: number, depth: number): Uint8Array | null {
    const octets = this.#octets;
    let at = start;
    for (;;) {
      const size = octets[at];
      if (size === undefined) return null;
      if (size === 0) {
        this.#hops = 0;
        return this.#joined(start, at, ROOT);
      }
      if (size > MAX_LABEL) break;
      at += 1 + size;
      if (at - start >= MAX_NAME) return null;
    }
    const low = octets[at + 1];
    if (octets[at]! < 0xc0 || low === undefined) return null;
    const target = ((octets[at]! & 0x3f) << 8) | low;
    // As `readName` has it: backward only, and no further than a name has labels.
    if (target >= start || target < 12 || depth === MAX_LABELS) return null;
    const place = this.#places.get(target) ?? this.#place(target, depth + 1);
    if (place === null || place.hops === MAX_LABELS) return null;
    this.#hops = place.hops + 1;
    return at === start ? place.name : this.#joined(start, at, place.name);
  }

  #place(target: number, depth: number): Place | null {
    const name = this.#read(target, depth);
    if (name === null) return null;
    const place = { name, hops: this.#hops };
    this.#places.set(target, place);
    return place;
  }

  /** The labels from `start` to `end`, and `rest` behind them. */
  #joined(start: number, end: number, rest: Uint8Array): Uint8Array | null {
    const labels = end - start;
    const length = labels + rest.length;
    if (length > MAX_NAME || end > this.#octets.length) return null;
    for (let i = 0; i < labels; i++) scratch[i] = lowerOctet(this.#octets[start + i]!);
    scratch.set(rest, labels);
    const text = textOf(scratch, length);
    let name = this.#names.get(text);
    if (name === undefined) {
      name = scratch.slice(0, length);
      this.#names.set(text, name);
    }
    return name;
  }
}

const ROOT = new Uint8Array(1);
const scratch = new Uint8Array(MAX_NAME);

function textOf(name: Uint8Array, length: number): string {
  return Buffer.from(name.buffer, name.byteOffset, length).toString('latin1');
}
