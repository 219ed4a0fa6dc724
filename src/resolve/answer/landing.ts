import { RCODE } from '../../wire/iana.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Answer, Failure, Form } from './answer.ts';
import { ENTRY_FLAG, Entry, FAILURE_SHIFT, HEAD, RCODE_SHIFT, REASONS, TIME, WORD } from './entry.ts';
import { Slab } from './slab.ts';

/**
 * Octets that an entry may have: two forms of 65,535 octets, their TTLs' offsets, and the chain, addresses and targets that
 * one message holds.
 */
const MOST = 0x8_0000;

/** Letters of a server's name, and of what it did, that are kept. */
const MOST_CAUSE = 500;

/** Where an upstream's word becomes an entry, before it is stored and given to those who wait. */
export class Landing extends Entry {
  constructor() {
    super();
    this.point(new Slab(MOST), 0);
  }

  /** A good answer. Times are monotonic milliseconds. */
  takeAnswer(answer: Answer, stored: Monotonic, freshUntil: Monotonic, renewed: boolean): void {
    const { plain, full } = answer;
    const { octets, halves, words } = this.slab;
    const two = full !== plain;
    const flags =
      ENTRY_FLAG.ANSWER |
      (answer.authentic ? ENTRY_FLAG.AUTHENTIC : 0) |
      (renewed ? ENTRY_FLAG.RENEWED : 0) |
      (two ? ENTRY_FLAG.TWO_FORMS : 0);
    words[WORD.FLAGS] = flags | (answer.rcode << RCODE_SHIFT);
    words[WORD.FAILURES_EDE] = 0;
    words[WORD.SERVER_DETAIL] = 0;
    words[WORD.PLAIN_OCTETS_TTLS] = plain.octets.length | (plain.ttls.length << 16);
    words[WORD.PLAIN_ANSWERS_AUTHORITY] = plain.answers | (plain.authority << 16);
    words[WORD.FULL_OCTETS_TTLS] = two ? full.octets.length | (full.ttls.length << 16) : 0;
    words[WORD.FULL_ANSWERS_AUTHORITY] = two ? full.answers | (full.authority << 16) : 0;
    this.#times(stored, freshUntil, 0);
    let half = copyTtls(halves, HEAD / 2, plain);
    if (two) half = copyTtls(halves, half, full);
    let at = copy(octets, half * 2, plain.octets);
    if (two) at = copy(octets, at, full.octets);
    const chain = at;
    for (const name of answer.chain) at = copy(octets, at, name);
    const restricted = at;
    for (const address of answer.restricted) {
      octets[at] = address.length;
      at = copy(octets, at + 1, address);
    }
    const targets = at;
    for (const name of answer.targets) at = copy(octets, at, name);
    words[WORD.CHAIN] = restricted - chain;
    words[WORD.RESTRICTED] = targets - restricted;
    words[WORD.TARGETS] = at - targets;
    words[WORD.SIZE] = Math.ceil(at / 8) * 8;
  }

  /**
   * A failure. Of `old`, what there was, the answer is kept where `keep` says so; null for nothing. `until`: monotonic
   * milliseconds; `now`: since when there is an entry, where there was none.
   */
  takeFailure(
    old: Entry | null,
    keep: boolean,
    failure: Failure,
    until: Monotonic,
    renewed: boolean,
    now: Monotonic,
  ): void {
    const failures = Math.min((old?.failures ?? 0) + 1, 0xffff);
    const stored = old?.stored ?? now;
    const freshUntil = keep && old !== null ? old.freshUntil : now;
    if (keep && old !== null) this.take(old);
    else this.#clear();
    const { words } = this.slab;
    const kept = words[WORD.FLAGS]! & ~((3 << FAILURE_SHIFT) | ENTRY_FLAG.RENEWED);
    const reason = (REASONS.indexOf(failure.reason) + 1) << FAILURE_SHIFT;
    words[WORD.FLAGS] = kept | reason | (renewed ? ENTRY_FLAG.RENEWED : 0);
    words[WORD.FAILURES_EDE] = failures | (failure.ede << 16);
    this.#takeCause(failure);
    this.#times(stored, freshUntil, until);
  }

  /** NXDOMAIN becomes no data. Its proofs are of another answer, and the name's existence is not what a server said. */
  soften(): void {
    const { words } = this.slab;
    const flags = words[WORD.FLAGS]! & ~(ENTRY_FLAG.AUTHENTIC | ENTRY_FLAG.TWO_FORMS);
    words[WORD.FLAGS] = (flags & ((1 << RCODE_SHIFT) - 1)) | (RCODE.NOERROR << RCODE_SHIFT);
  }

  /** What another entry says. */
  take(other: Entry): void {
    const { octets } = other.slab;
    octets.copy(this.slab.octets, 0, other.at, other.at + other.size);
  }

  /** Leaves neither an answer nor a failure. */
  #clear(): void {
    const { words } = this.slab;
    words.fill(0, 0, HEAD / 4);
    words[WORD.SIZE] = HEAD;
  }

  #takeCause({ cause }: Failure): void {
    const { words, octets } = this.slab;
    const start = this.causeStart;
    let at = start;
    words[WORD.SERVER_DETAIL] = 0;
    if (cause !== null) {
      const server = octets.write(cause.server.slice(0, MOST_CAUSE), start);
      const detail = octets.write(cause.detail.slice(0, MOST_CAUSE), start + server);
      words[WORD.SERVER_DETAIL] = server | (detail << 16);
      at = octets.writeInt32LE(cause.ede, start + server + detail);
    }
    words[WORD.SIZE] = Math.ceil(at / 8) * 8;
  }

  #times(stored: Monotonic, freshUntil: Monotonic, failedUntil: Monotonic): void {
    const { times } = this.slab;
    times[TIME.STORED] = stored;
    times[TIME.FRESH_UNTIL] = freshUntil;
    times[TIME.FAILED_UNTIL] = failedUntil;
  }
}

function copyTtls(halves: Uint16Array, at: number, { ttls }: Form): number {
  for (let i = 0; i < ttls.length; i++) halves[at + i] = ttls[i]!;
  return at + ttls.length;
}

/** A loop where `set` would cost more than what it copies. */
function copy(to: Uint8Array, at: number, octets: Uint8Array): number {
  if (octets.length > 256) to.set(octets, at);
  else for (let i = 0; i < octets.length; i++) to[at + i] = octets[i]!;
  return at + octets.length;
}
