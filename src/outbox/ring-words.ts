/** A part of a text that stands in several slots. */
export interface TextPart {
  readonly number: number;
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly octets: Uint8Array;
}

/** Keys of what the store keeps of words. */
export const WORD_KEY = 'word ';

/**
 * The texts that stand behind the numbers of the ring, as they come. They are kept with what is committed, since the next start
 * goes on in the middle of the ring.
 */
export class RingWords {
  readonly #texts = new Map<number, string>();
  #parts: Uint8Array[] = [];
  #changes = new Map<string, string | null>();

  /** What `changes` gave before. */
  constructor(kept: Iterable<readonly [key: string, text: string]> = []) {
    for (const [key, text] of kept) this.#texts.set(Number(key.slice(WORD_KEY.length)), text);
  }

  /** A text has begun and is not whole. */
  get isPartial(): boolean {
    return this.#parts.length > 0;
  }

  /** The text of a number; empty for 0, and for one that nobody has said. */
  text(number: number): string {
    return number === 0 ? '' : (this.#texts.get(number) ?? '');
  }

  /** Takes a part; gives the text when it is whole, else null. A word is known from then on. */
  part(isWord: boolean, { number, index, count, octets }: TextPart): string | null {
    if (index === 0) this.#parts = [];
    // A kill within a text leaves its beginning alone; what follows it belongs to the next.
    if (index !== this.#parts.length) return null;
    this.#parts.push(Uint8Array.from(octets));
    if (index + 1 < count) return null;
    const text = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    if (isWord) {
      this.#texts.set(number, text);
      this.#changes.set(`${WORD_KEY}${number}`, text);
    }
    return text;
  }

  forget(): void {
    for (const number of this.#texts.keys()) this.#changes.set(`${WORD_KEY}${number}`, null);
    this.#texts.clear();
  }

  /** What the store has to keep since the last call; null for what it need not any more. */
  changes(): ReadonlyMap<string, string | null> {
    const changes = this.#changes;
    this.#changes = new Map();
    return changes;
  }
}
