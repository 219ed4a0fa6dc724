import { VERDICT } from '../policy/decide/decision.ts';
import { NO_NODE } from '../policy/tree.ts';
import { EXIT } from '../resolve/exit.ts';
import { COURSE, type Turn } from '../resolve/story/turn.ts';
import { QuestionHash } from '../wire/half-siphash.ts';
import { RCODE, TYPE } from '../wire/iana.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import { COUNT_ENTRIES, COUNT_WAYS, COUNTS, COUNTS_HEADER, ENTRY, ENTRY_WORDS } from './count-table.ts';
import { CountTags } from './count-tags.ts';
import { KINDS, type Kind } from './event.ts';
import { copyAddresses } from './given-addresses.ts';
import { DAY, MOST_DOMAINS, type QuestionAsker, QuestionAskers } from './question-askers.ts';
import type { QuestionSlots } from './question-slots.ts';
import { ADDRESS_SIZE, ASKED, AT, FLAG_BIT, MAX_ADDRESSES, RECORD } from './slot.ts';

/** Behind the verdicts of the policy: a budget refused it. */
const CONTAIN = 4;
const VERDICT_KINDS: readonly Kind[] = [];
const kinds = VERDICT_KINDS as Kind[];
kinds[VERDICT.DENY] = 'deny';
kinds[VERDICT.EMPTY] = 'empty';
kinds[VERDICT.ALLOW] = 'allow';
kinds[VERDICT.LOCAL] = 'allow';
kinds[CONTAIN] = 'contain';

/** What else tells a question from another, beside its type and verdict. */
const AUDITED = 1 << 20;
const PROVEN = 1 << 21;
const FOLDED_SHIFT = 22;

const SETS = COUNT_ENTRIES / COUNT_WAYS;
const NOWHERE = -1;

/** How many octets of a name stand behind its first label. */
const ROOT_ONLY = 1;

/**
 * Counts every question where it was decided: one that is known costs a look into the table, one that is new a slot of the ring.
 * Nothing here waits. What has no room in the ring is counted as lost.
 */
export class CountWriter {
  /** Questions and addresses that the ring had no room for, since the start. */
  lost = 0;
  readonly #slots: QuestionSlots;
  readonly #askers: QuestionAskers;
  readonly #hash = new QuestionHash();
  readonly #ints: Int32Array;
  readonly #floats: Float64Array;
  readonly #tags = new CountTags();
  readonly #addresses = Buffer.alloc(MAX_ADDRESSES * ADDRESS_SIZE);

  /** `memory`: made by `openCounts`; whoever wrote it before is gone. `secret`: two random words. */
  constructor(slots: QuestionSlots, memory: ArrayBufferLike, secret: Readonly<Uint32Array>) {
    this.#slots = slots;
    this.#askers = new QuestionAskers(secret);
    this.#ints = new Int32Array(memory);
    this.#floats = new Float64Array(memory);
    // Another run hashed with another secret. What it counted stays until the entry is used again.
    for (let entry = 0; entry < COUNT_ENTRIES; entry++)
      this.#ints[COUNTS_HEADER / 4 + entry * ENTRY_WORDS + ENTRY.PRINT] = 0;
  }

  /** Of `Observer`: a question waits for an upstream. */
  waits(turn: Turn): void {
    this.#count(turn);
  }

  /** Of `Observer`. One that has waited is counted already, unless a budget refused it after all. */
  ended(turn: Turn, length: number): void {
    const { course, end, fetched, query } = turn;
    if (course.kind === COURSE.NONE) return;
    const isNew = fetched.round === 0 || end.exit === EXIT.contained;
    const isGiven =
      end.rcode === RCODE.NOERROR &&
      course.kind !== COURSE.EMPTY &&
      (query.type === TYPE.A || query.type === TYPE.AAAA);
    if (isNew) {
      const at = this.#count(turn);
      if (isGiven && at !== NOWHERE) this.#give(turn, at, length);
    } else if (isGiven) {
      const asker = this.#askers.of(turn, this.#day(turn));
      this.#hashOf(turn, asker, whatOf(turn));
      const at = this.#find();
      if (at !== NOWHERE) this.#give(turn, at, length);
    }
  }

  /** Counts a question; gives the word at which its entry begins, or NOWHERE. */
  #count(turn: Turn): number {
    const asker = this.#askers.of(turn, this.#day(turn));
    const what = whatOf(turn);
    this.#hashOf(turn, asker, what);
    const at = this.#find();
    if (at === NOWHERE) return this.#first(turn, asker, what, this.#slots.origin + turn.now);
    this.#ints[at + ENTRY.COUNT]!++;
    this.#floats[(at + ENTRY.LAST) >>> 1] = this.#slots.origin + turn.now;
    return at;
  }

  /** A whole number: the time itself has a fraction, and V8 makes an object of that for each call. */
  #day({ now }: Turn): number {
    return Math.floor((this.#slots.origin + now) / DAY);
  }

  /**
   * A name that the policy writes out is known by its place in the tree, one that is fetched by the hash of the cache's key, which
   * has a secret too: neither is hashed again.
   */
  #hashOf(turn: Turn, { state }: QuestionAsker, what: number): void {
    const { decision, query, course, wanted } = turn;
    const { name, nameLength } = query;
    if (decision.node !== NO_NODE) this.#mix(decision.node ^ state.v0, what ^ state.v1, state.v2);
    else if (course.kind === COURSE.FETCH && course.redirect === null && wanted.key !== null) {
      const start = name[1]! | (name[2]! << 8) | (name[3]! << 16) | (nameLength << 24);
      this.#mix(wanted.key.hash ^ state.v0, what ^ state.v1, state.v3 ^ start);
    } else this.#hash.ofWords(state, what, query.nameWords, nameLength);
  }

  #mix(first: number, second: number, third: number): void {
    const hash = this.#hash;
    let a = Math.imul(first ^ (first >>> 16), 0x85eb_ca6b);
    a = Math.imul(a ^ (a >>> 13), 0xc2b2_ae35);
    let b = Math.imul(second ^ a ^ (second >>> 16), 0x7feb_352d);
    b = Math.imul(b ^ third ^ (b >>> 15), 0x846c_a68b);
    hash.print = a ^ (a >>> 16) ^ ((b << 13) | (b >>> 19));
    hash.place = b ^ (b >>> 16);
  }

  #find(): number {
    const { print, place } = this.#hash;
    const ints = this.#ints;
    if (!this.#tags.mayHave(place & (SETS - 1), print)) return NOWHERE;
    const wanted = print === 0 ? 1 : print;
    let at = COUNTS_HEADER / 4 + ((place >>> 0) & (SETS - 1)) * (COUNT_WAYS * ENTRY_WORDS);
    for (let way = 0; way < COUNT_WAYS; way++, at += ENTRY_WORDS) {
      if (ints[at + ENTRY.PRINT] === wanted) return at;
    }
    return NOWHERE;
  }

  /**
   * A question that has no entry has one of its own, or that of its domain where its account has many; what such a one is
   * answered with is not told.
   */
  #first(turn: Turn, asker: QuestionAsker, what: number, time: EpochMilliseconds): number {
    const { account } = asker;
    if (account.names < account.mostNames) {
      const at = this.#begin(turn, what, 0, asker, time);
      if (at !== NOWHERE) account.names++;
      return at;
    }
    const folded = account.domains < MOST_DOMAINS ? 1 : 2;
    const { name, nameLength } = turn.query;
    const start = folded === 1 ? domainStart(name, nameLength) : nameLength - ROOT_ONLY;
    this.#hash.of(asker.state, what | (folded << FOLDED_SHIFT), name, start, nameLength);
    const at = this.#find();
    if (at === NOWHERE) {
      if (this.#begin(turn, what, folded, asker, time) !== NOWHERE && folded === 1) account.domains++;
      return NOWHERE;
    }
    this.#ints[at + ENTRY.COUNT]!++;
    this.#floats[(at + ENTRY.LAST) >>> 1] = time;
    return NOWHERE;
  }

  /** Takes an entry for what was hashed last, and writes the slot that says so. */
  #begin(turn: Turn, what: number, folded: number, asker: QuestionAsker, time: EpochMilliseconds): number {
    const slots = this.#slots;
    const { ring } = slots;
    if (!ring.hasRoom()) {
      this.#lose(time);
      return NOWHERE;
    }
    const ints = this.#ints;
    const { print, place } = this.#hash;
    const entryAt = this.#victim(place);
    const entry = (entryAt - COUNTS_HEADER / 4) / ENTRY_WORDS;
    const generation = ints[entryAt + ENTRY.GENERATION]!;
    const pattern = this.#patternOf(turn);
    // Nobody counts in it any more when the slot says what it had.
    ints[entryAt + ENTRY.PRINT] = 0;
    const kind = KINDS.indexOf(VERDICT_KINDS[(what >>> 16) & 15]!);
    const at = slots.begin(turn, RECORD.ASKED, kind);
    if (at < 0) return NOWHERE;
    const { words, bytes, floats } = ring;
    words[(at + ASKED.PATTERN) >>> 2] = pattern;
    words[(at + ASKED.ENTRY) >>> 2] = entry;
    words[(at + ASKED.GENERATION) >>> 2] = generation + 1;
    words[(at + ASKED.OLD_GENERATION) >>> 2] = generation;
    words[(at + ASKED.OLD_COUNT) >>> 2] = ints[entryAt + ENTRY.COUNT]!;
    floats[(at + ASKED.OLD_LAST) >>> 3] = this.#floats[(entryAt + ENTRY.LAST) >>> 1]!;
    bytes[at + ASKED.FOLDED] = folded;
    bytes[at + ASKED.AUDITED] = (what & AUDITED) === 0 ? 0 : 1;
    bytes[at + ASKED.OTHERS] = asker.account.isOthers ? 1 : 0;
    ring.publish();
    ints[entryAt + ENTRY.COUNT] = 0;
    this.#floats[(entryAt + ENTRY.LAST) >>> 1] = time;
    ints[entryAt + ENTRY.ANSWER] = 0;
    ints[entryAt + ENTRY.GIVEN] = 0;
    Atomics.store(ints, entryAt + ENTRY.GENERATION, generation + 1);
    this.#tags.put(entry, print);
    ints[entryAt + ENTRY.PRINT] = print === 0 ? 1 : print;
    return entryAt;
  }

  #patternOf({ inForce, decision }: Turn): number {
    const { words } = this.#slots;
    words.begin(inForce.snapshot);
    return words.pattern(inForce.snapshot, decision.rule);
  }

  /** The entry of a set that nobody asks for, else the one that was asked for the longest time ago. */
  #victim(place: number): number {
    const first = COUNTS_HEADER / 4 + ((place >>> 0) & (SETS - 1)) * (COUNT_WAYS * ENTRY_WORDS);
    let oldest = first;
    for (let way = 0, at = first; way < COUNT_WAYS; way++, at += ENTRY_WORDS) {
      if (this.#ints[at + ENTRY.PRINT] === 0) return at;
      if (this.#floats[(at + ENTRY.LAST) >>> 1]! < this.#floats[(oldest + ENTRY.LAST) >>> 1]!) oldest = at;
    }
    return oldest;
  }

  /** Tells which addresses an entry's question is given, where these are others than before. */
  #give(turn: Turn, at: number, length: number): void {
    const ints = this.#ints;
    const { entry } = turn.wanted;
    const answer = entry === null ? 1 : Math.floor(entry.stored) | 0 || 1;
    if (ints[at + ENTRY.ANSWER] === answer) return;
    const given = this.#addresses;
    const count = copyAddresses(turn.reply.out, length, given, 0, MAX_ADDRESSES);
    if (count > 0) {
      const which = setOf(given, count);
      if (which !== ints[at + ENTRY.GIVEN]) {
        if (!this.#tellGiven(turn, at, count)) return;
        ints[at + ENTRY.GIVEN] = which;
      }
    }
    ints[at + ENTRY.ANSWER] = answer;
  }

  #tellGiven(turn: Turn, entryAt: number, count: number): boolean {
    const slots = this.#slots;
    const { ring } = slots;
    if (!ring.hasRoom()) {
      this.#lose(slots.origin + turn.now);
      return false;
    }
    const at = slots.begin(turn, RECORD.GIVEN, KINDS.indexOf('allow'));
    if (at < 0) return false;
    const { words, bytes } = ring;
    words[(at + AT.ENTRY) >>> 2] = (entryAt - COUNTS_HEADER / 4) / ENTRY_WORDS;
    words[(at + AT.GENERATION) >>> 2] = this.#ints[entryAt + ENTRY.GENERATION]!;
    bytes[at + AT.EXTRA_COUNT] = count;
    bytes[at + AT.FLAGS]! |= FLAG_BIT.ADDRESSES;
    bytes.set(this.#addresses.subarray(0, count * ADDRESS_SIZE), at + AT.EXTRA);
    ring.publish();
    return true;
  }

  #lose(time: EpochMilliseconds): void {
    this.lost++;
    const floats = this.#floats;
    if (floats[COUNTS.LOST_FROM / 2] === 0) floats[COUNTS.LOST_FROM / 2] = time;
    floats[COUNTS.LOST_TO / 2] = time;
    Atomics.add(this.#ints, COUNTS.LOST, 1);
  }
}

function whatOf({ query, decision, course, departure, end, asker }: Turn): number {
  const isContained = end.exit === EXIT.contained || departure.isOverspent;
  const verdict = isContained ? CONTAIN : decision.verdict;
  return (
    query.type |
    (verdict << 16) |
    (course.isAudited || departure.isOverspent ? AUDITED : 0) |
    (asker.proven ? PROVEN : 0)
  );
}

/** Where a domain of three labels starts: what the worker finds the registered domain in. */
function domainStart(name: Uint8Array, length: number): number {
  let [first, second, third] = [0, 0, 0];
  for (let at = 0; at < length - 1; at += 1 + name[at]!) [first, second, third] = [second, third, at];
  return first;
}

/** The same for the same addresses in any order. */
function setOf(octets: Buffer, count: number): number {
  let sum = count;
  for (let i = 0; i < count; i++) {
    let hash = 0x811c_9dc5;
    const size = octets[i * ADDRESS_SIZE] === 4 ? 5 : ADDRESS_SIZE;
    for (let j = 0; j < size; j++) hash = Math.imul(hash ^ octets[i * ADDRESS_SIZE + j]!, 0x0100_0193);
    sum = (sum + Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d)) | 0;
  }
  return sum === 0 ? 1 : sum;
}
