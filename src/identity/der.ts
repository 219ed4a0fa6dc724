import type { EpochSeconds } from '../wire/quantity.ts';

/** Tags of what certificates are made of (X.690 §8, RFC 5280 appendix A). */
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BITS: 0x03,
  OCTETS: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/**
 * Reads DER, and DER alone (X.690 §10): definite lengths in their shortest form, low tag numbers, nothing past the end.
 * What does not fit makes the reader and all that it has led to `malformed`, for good; it then reads as if at its end, so
 * that loops end and one look at the end tells. Never throws. Own code rather than @peculiar/asn1-x509, which takes BER,
 * spends 150 to 350 µs on a certificate where this spends 5, and refuses a CRL of some thousand entries.
 */
export class DerReader {
  readonly octets: Uint8Array;
  readonly end: number;
  #at: number;
  readonly #state: { malformed: boolean };

  constructor(octets: Uint8Array, from = 0, end = octets.length, state = { malformed: false }) {
    this.octets = octets;
    this.#at = from;
    this.end = end;
    this.#state = state;
  }

  get malformed(): boolean {
    return this.#state.malformed;
  }

  /** Nothing is left, or nothing that can be read. */
  get done(): boolean {
    return this.#at >= this.end || this.#state.malformed;
  }

  /** Where the next element begins. */
  get at(): number {
    return this.#at;
  }

  /** The next tag, or -1 at the end. */
  get tag(): number {
    return this.done ? -1 : this.octets[this.#at]!;
  }

  /** The next element is a time. */
  get atTime(): boolean {
    return this.tag === TAG.UTC_TIME || this.tag === TAG.GENERALIZED_TIME;
  }

  fail(): void {
    this.#state.malformed = true;
  }

  /** Malformed unless all was read and it was well-formed. */
  finish(): boolean {
    if (this.#at !== this.end) this.fail();
    return !this.malformed;
  }

  /** A reader of the content of the next element, which has to have this tag. */
  enter(tag: number): DerReader {
    if (this.tag !== tag) {
      this.fail();
      return new DerReader(this.octets, this.end, this.end, this.#state);
    }
    return this.any();
  }

  /** The same where the next element has this tag, else null. */
  maybe(tag: number): DerReader | null {
    return this.tag === tag ? this.any() : null;
  }

  /** A reader of the content of the next element, whatever it is. */
  any(): DerReader {
    const { octets, end } = this;
    let from = this.#at + 2;
    let length = octets[this.#at + 1] ?? 0x80;
    // High tag numbers have several octets, and none of them is used here.
    if (from > end || (octets[this.#at]! & 0x1f) === 0x1f) length = 0x80;
    if (length > 0x80 && length <= 0x84) {
      const size = length & 0x7f;
      length = 0;
      for (let i = 0; i < size; i++) length = length * 256 + (octets[from + i] ?? 0);
      from += size;
      if (length < 128 || length < 256 ** (size - 1)) length = Number.POSITIVE_INFINITY;
    } else if (length >= 0x80) {
      length = Number.POSITIVE_INFINITY;
    }
    if (this.malformed || from + length > end) {
      this.fail();
      return new DerReader(octets, end, end, this.#state);
    }
    this.#at = from + length;
    return new DerReader(octets, from, from + length, this.#state);
  }

  /** The next element with its tag and length, and a step over it. */
  raw(tag: number): Uint8Array {
    const start = this.#at;
    this.enter(tag);
    return this.malformed ? new Uint8Array(0) : this.octets.subarray(start, this.#at);
  }

  /** What is left of the content, as octets. */
  rest(): Uint8Array {
    if (this.malformed) return new Uint8Array(0);
    const octets = this.octets.subarray(this.#at, this.end);
    this.#at = this.end;
    return octets;
  }

  /** The content of an INTEGER in its shortest form, at most 21 octets. */
  integer(): Uint8Array {
    const content = this.enter(TAG.INTEGER).rest();
    const [first, second] = content;
    const padded =
      content.length > 1 && ((first === 0 && second! < 0x80) || (first === 0xff && second! >= 0x80));
    if (content.length === 0 || content.length > 21 || padded) this.fail();
    return content;
  }

  /** An INTEGER from 0 to 2^31 - 1. */
  small(): number {
    const content = this.integer();
    if (content.length > 4 || (content[0] ?? 0) > 0x7f) this.fail();
    return content.reduce((sum, octet) => sum * 256 + octet, 0);
  }

  boolean(): boolean {
    const content = this.enter(TAG.BOOLEAN).rest();
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) this.fail();
    return content[0] === 0xff;
  }

  /** `DEFAULT FALSE`, which DER does not write out (X.690 §11.5). */
  flag(): boolean {
    if (this.tag !== TAG.BOOLEAN) return false;
    const value = this.boolean();
    if (!value) this.fail();
    return value;
  }

  /** Dotted decimal. */
  oid(): string {
    const content = this.enter(TAG.OID).rest();
    if (content.length === 0 || content.length > 64 || content.at(-1)! > 0x7f) this.fail();
    const arcs: number[] = [];
    let arc = 0;
    for (const octet of content) {
      if (arc === 0 && octet === 0x80) this.fail();
      arc = arc * 128 + (octet & 0x7f);
      if (octet > 0x7f) continue;
      if (arcs.length === 0) {
        arcs.push(Math.min(2, Math.floor(arc / 40)));
        arc -= 40 * arcs[0]!;
      }
      arcs.push(arc);
      arc = 0;
    }
    return arcs.join('.');
  }

  /** A BIT STRING of whole octets. */
  bits(): Uint8Array {
    const content = this.enter(TAG.BITS).rest();
    if (content[0] !== 0) this.fail();
    return content.subarray(1);
  }

  /** UTCTime or GeneralizedTime in the one form of RFC 5280 §4.1.2.5, as seconds since 1970. */
  time(): EpochSeconds {
    const short = this.tag === TAG.UTC_TIME;
    const { octets, end, at } = this.enter(short ? TAG.UTC_TIME : TAG.GENERALIZED_TIME);
    if (this.malformed || end - at !== (short ? 13 : 15) || octets[end - 1] !== 0x5a) {
      this.fail();
      return 0;
    }
    let digits = true;
    const pair = (from: number): number => {
      const [tens, ones] = [octets[from]! - 0x30, octets[from + 1]! - 0x30];
      digits &&= tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
      return 10 * tens + ones;
    };
    const tail = end - 11;
    const two = pair(tail - 2);
    const year = short ? two + (two < 50 ? 2000 : 1900) : 100 * pair(at) + two;
    const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((step) => pair(tail + step)) as Moment;
    const inTime = hour < 24 && minute < 60 && second < 60;
    if (!digits || year < 1900 || !inTime || month < 1 || month > 12 || day < 1 || day > daysOf(year, month))
      this.fail();
    return this.malformed ? 0 : Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  }
}

type Moment = [month: number, day: number, hour: number, minute: number, second: number];

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : DAYS[month - 1]!;
}
