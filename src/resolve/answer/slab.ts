import type { Monotonic, Times } from '../../wire/quantity.ts';

/**
 * Octets outside of V8's heap, which no collection walks or moves, and views of them as numbers in the machine's order.
 * The operating system gives a large slab its memory where it is written for the first time.
 */
export class Slab {
  readonly octets: Buffer;
  readonly halves: Uint16Array;
  readonly words: Int32Array;
  readonly times: Times<Monotonic>;

  /** `size`: octets, a multiple of 16. */
  constructor(size: number) {
    const memory = new ArrayBuffer(size);
    this.octets = Buffer.from(memory);
    this.halves = new Uint16Array(memory);
    this.words = new Int32Array(memory);
    this.times = new Float64Array(memory);
  }
}
