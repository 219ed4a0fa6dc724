import { decodePunycode } from './punycode.ts';

/** A label has 63 octets; what its letters are taken for may be longer. */
const MOST_LETTERS = 128;
/** `xn--` (RFC 5890 §2.3.2.1). */
const ACE = [0x78, 0x6e, 0x2d, 0x2d];

/** Some letters, as code points: `length` of `codes` from `at` on. */
export interface Span {
  readonly codes: Int32Array;
  readonly at: number;
  readonly length: number;
}

/** The letters of one label. One object is filled again and again, and allocates nothing. */
export class Letters implements Span {
  readonly codes = new Int32Array(MOST_LETTERS);
  readonly at = 0;
  length = 0;

  /**
   * Reads a label: the letters of a U-label, else its octets. What begins with `xn--` and is no Punycode stays as it is.
   * `octets`: in lower case; the label has `size` octets from `start` on, 63 at most.
   */
  read(octets: Uint8Array, start: number, size: number): void {
    let same = 0;
    while (same < ACE.length && same < size && octets[start + same] === ACE[same]) same++;
    if (same === ACE.length) {
      this.length = decodePunycode(octets, start + ACE.length, start + size, this.codes);
      if (this.length >= 0) return;
    }
    for (let i = 0; i < size; i++) this.codes[i] = octets[start + i]!;
    this.length = size;
  }

  /** Adds a letter, unless there is no more room. */
  add(code: number): void {
    if (this.length < MOST_LETTERS) this.codes[this.length++] = code;
  }
}

export function isSame(a: Span, b: Span): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a.codes[a.at + i] !== b.codes[b.at + i]) return false;
  return true;
}
