import type { Monotonic } from '../../wire/quantity.ts';
import type { UpstreamCause } from '../ports.ts';
import type { Failure, Form, Sections } from './answer.ts';
import { Slab } from './slab.ts';

/** How asking failed, as ports name it; an entry holds its place here, from 1. */
export const REASONS = ['silent', 'network', 'refused'] as const;

/**
 * An entry's head, in 32-bit words from its start: three times of two words each, then what the names say. Two counts
 * share a word, the first in the lower half. Behind the head stand the TTLs' offsets and the octets of both forms, then
 * names, addresses, and what an upstream did.
 */
export const WORD = {
  FLAGS: 6,
  FAILURES_EDE: 7,
  SIZE: 8,
  PLAIN_OCTETS_TTLS: 9,
  PLAIN_ANSWERS_AUTHORITY: 10,
  FULL_OCTETS_TTLS: 11,
  FULL_ANSWERS_AUTHORITY: 12,
  CHAIN: 13,
  RESTRICTED: 14,
  TARGETS: 15,
  SERVER_DETAIL: 16,
} as const;
export const TIME = { STORED: 0, FRESH_UNTIL: 1, FAILED_UNTIL: 2 } as const;
export const ENTRY_FLAG = { ANSWER: 1, AUTHENTIC: 2, RENEWED: 4, TWO_FORMS: 8 } as const;
/** Bits of the flags where the failure and the RCODE begin. */
export const FAILURE_SHIFT = 4;
export const RCODE_SHIFT = 8;
/** Octets of the head. */
export const HEAD = 72;

/**
 * Reads one slot of the answer store where it stands: the last good answer in both forms, and how asking ended last. An
 * entry is pointed to one place after another; what it says is good until the store is written to.
 */
export class Entry implements Sections {
  slab: Slab = NOTHING;
  /** Where the entry begins: octets, a multiple of 8. */
  at = 0;
  /** Of the form that `choose` took. */
  start = 0;
  end = 0;
  ttls = 0;
  ttlCount = 0;
  answers = 0;
  authority = 0;

  point(slab: Slab, at: number): void {
    this.slab = slab;
    this.at = at;
  }

  /** Octets in all, a multiple of 8. */
  get size(): number {
    return this.#word(WORD.SIZE);
  }

  /** There is a good answer, fresh or stale. Without, only the failure means something. */
  get hasAnswer(): boolean {
    return (this.#word(WORD.FLAGS) & ENTRY_FLAG.ANSWER) !== 0;
  }

  /** Its answer holds a record: a negative one without an SOA holds none, and nothing says how long it may be believed. */
  get hasRecord(): boolean {
    return this.#word(WORD.PLAIN_ANSWERS_AUTHORITY) !== 0;
  }

  get rcode(): number {
    return this.#word(WORD.FLAGS) >>> RCODE_SHIFT;
  }

  /** AD was set by a server that proved who it is. */
  get authentic(): boolean {
    return (this.#word(WORD.FLAGS) & ENTRY_FLAG.AUTHENTIC) !== 0;
  }

  /** Renewed by ourselves: TTLs are what is left of its life, at most their own and at least 1. */
  get renewed(): boolean {
    return (this.#word(WORD.FLAGS) & ENTRY_FLAG.RENEWED) !== 0;
  }

  /** Monotonic milliseconds at which the answer arrived, and until which it is fresh. */
  get stored(): Monotonic {
    return this.slab.times[this.at / 8 + TIME.STORED]!;
  }

  get freshUntil(): Monotonic {
    return this.slab.times[this.at / 8 + TIME.FRESH_UNTIL]!;
  }

  /** Asking failed last. */
  get isFailed(): boolean {
    return this.#reason() !== 0;
  }

  /** Copies out how asking failed last; null where it went well. */
  get failure(): Failure | null {
    if (!this.isFailed) return null;
    return { reason: REASONS[this.#reason() - 1]!, ede: this.ede, cause: this.#cause() };
  }

  /** What a client is told of the failure (RFC 8914). */
  get ede(): number {
    return this.#high(WORD.FAILURES_EDE);
  }

  /** Monotonic milliseconds until which nobody is asked again; means something only after a failure. */
  get failedUntil(): Monotonic {
    return this.slab.times[this.at / 8 + TIME.FAILED_UNTIL]!;
  }

  /** Failures in a row, 65,535 at most. */
  get failures(): number {
    return this.#low(WORD.FAILURES_EDE);
  }

  get hasChain(): boolean {
    return this.#word(WORD.CHAIN) > 0;
  }

  get octets(): Buffer {
    return this.slab.octets;
  }

  get offsets(): Uint16Array {
    return this.slab.halves;
  }

  /** Takes the form with DNSSEC records, or the one without, and is its sections from then on. */
  choose(dnssec: boolean): this {
    const plainOctets = this.#low(WORD.PLAIN_OCTETS_TTLS);
    const plainTtls = this.#high(WORD.PLAIN_OCTETS_TTLS);
    const full = dnssec && (this.#word(WORD.FLAGS) & ENTRY_FLAG.TWO_FORMS) !== 0;
    const counts = full ? WORD.FULL_ANSWERS_AUTHORITY : WORD.PLAIN_ANSWERS_AUTHORITY;
    this.ttls = (this.at + HEAD) / 2 + (full ? plainTtls : 0);
    this.ttlCount = full ? this.#high(WORD.FULL_OCTETS_TTLS) : plainTtls;
    const octets = this.#forms();
    this.start = full ? octets + plainOctets : octets;
    this.end = this.start + (full ? this.#low(WORD.FULL_OCTETS_TTLS) : plainOctets);
    this.answers = this.#low(counts);
    this.authority = this.#high(counts);
    return this;
  }

  /** Copies the form without DNSSEC records out. */
  plain(): Form {
    this.choose(false);
    const { octets, halves } = this.slab;
    return {
      octets: Buffer.from(octets.subarray(this.start, this.end)),
      ttls: halves.slice(this.ttls, this.ttls + this.ttlCount),
      answers: this.answers,
      authority: this.authority,
    };
  }

  /** Copies out the names that its CNAME and DNAME chain leads to, in order. */
  chain(): Uint8Array[] {
    return this.#names(this.#lists(), this.#word(WORD.CHAIN));
  }

  /** Where its restricted addresses begin and end in `slab.octets`: before each stands its length, 4 or 16. */
  get restrictedStart(): number {
    return this.#lists() + this.#word(WORD.CHAIN);
  }

  get restrictedEnd(): number {
    return this.restrictedStart + this.#word(WORD.RESTRICTED);
  }

  /** Where stands what a server did; behind it an entry ends. */
  get causeStart(): number {
    return this.restrictedEnd + this.#word(WORD.TARGETS);
  }

  /** Copies out the names other than their owner that its records lead to. */
  targets(): readonly Uint8Array[] {
    const length = this.#word(WORD.TARGETS);
    return length === 0 ? NO_NAMES : this.#names(this.restrictedEnd, length);
  }

  #reason(): number {
    return (this.#word(WORD.FLAGS) >>> FAILURE_SHIFT) & 3;
  }

  #cause(): UpstreamCause | null {
    const server = this.#low(WORD.SERVER_DETAIL);
    const detail = this.#high(WORD.SERVER_DETAIL);
    if (server === 0) return null;
    const { octets } = this.slab;
    const start = this.causeStart;
    const middle = start + server;
    const ede = octets.readInt32LE(middle + detail);
    return {
      server: octets.toString('utf8', start, middle),
      detail: octets.toString('utf8', middle, middle + detail),
      ede,
    };
  }

  #names(start: number, length: number): Uint8Array[] {
    const { octets } = this.slab;
    const names: Uint8Array[] = [];
    for (let at = start; at < start + length; ) {
      let end = at;
      while (octets[end] !== 0) end += 1 + octets[end]!;
      names.push(new Uint8Array(octets.subarray(at, ++end)));
      at = end;
    }
    return names;
  }

  /** Where the octets of the forms begin, and what stands behind them. */
  #forms(): number {
    return this.at + HEAD + 2 * (this.#high(WORD.PLAIN_OCTETS_TTLS) + this.#high(WORD.FULL_OCTETS_TTLS));
  }

  #lists(): number {
    return this.#forms() + this.#low(WORD.PLAIN_OCTETS_TTLS) + this.#low(WORD.FULL_OCTETS_TTLS);
  }

  #word(place: number): number {
    return this.slab.words[this.at / 4 + place]!;
  }

  #low(place: number): number {
    return this.#word(place) & 0xffff;
  }

  #high(place: number): number {
    return this.#word(place) >>> 16;
  }
}

/** A copy of an entry on its own: it is good for ever. */
export function copyOfEntry(entry: Entry): Entry {
  const slab = new Slab(Math.ceil(entry.size / 16) * 16);
  entry.slab.octets.copy(slab.octets, 0, entry.at, entry.at + entry.size);
  const copy = new Entry();
  copy.point(slab, 0);
  return copy;
}

/** An entry that points nowhere has neither an answer nor a failure. */
const NOTHING = new Slab(HEAD);
const NO_NAMES: readonly Uint8Array[] = [];
