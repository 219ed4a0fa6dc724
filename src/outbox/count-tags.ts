import { COUNT_ENTRIES, COUNT_WAYS } from './count-table.ts';

/**
 * An octet for each entry of the table of counts: of the print of what has it, or 0. The table is far larger than what a
 * processor keeps close, and most questions of a flood are not in it. These octets say so without a look there.
 */
export class CountTags {
  /** Those of a set in one word. */
  readonly #words = new Uint32Array(COUNT_ENTRIES / COUNT_WAYS);

  /** What an entry has from now on. */
  put(entry: number, print: number): void {
    const way = entry % COUNT_WAYS;
    const set = (entry - way) / COUNT_WAYS;
    this.#words[set] = (this.#words[set]! & ~(0xff << (8 * way))) | (tagOf(print) << (8 * way));
  }

  /** False where no entry of the set has this print. */
  mayHave(set: number, print: number): boolean {
    // Whether a word has a zero octet, as the borrows of a subtraction tell.
    const word = this.#words[set]! ^ Math.imul(tagOf(print), 0x0101_0101);
    return ((word - 0x0101_0101) & ~word & 0x8080_8080) !== 0;
  }
}

/** 0 is of an entry that nothing has. */
function tagOf(print: number): number {
  return (print & 0xff) === 0 ? 1 : print & 0xff;
}

if (COUNT_WAYS !== 4) throw new Error('a set has one word of tags');
