import { SharedTable } from '../detect/shared-table.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Draft } from './draft.ts';
import { nameFields, type QuestionRecord } from './slot-question.ts';

/** Entries that are open at once: of one identity, and of all. */
const MOST_OF_ONE = 128;
const MOST_OF_ALL = 2_048;
/** Different names of an identity that have events of their own in a minute, and registered domains after that. */
const NAMES_A_MINUTE = 100;
const DOMAINS_A_MINUTE = 32;
const MINUTE: Milliseconds = 60_000;
/** A running count is written after that. */
const WRITE_MS: Milliseconds = 1_000;
/** An entry that was not asked for so long is over. */
const IDLE_MS: Milliseconds = 60_000;
const SWEEP_MS: Milliseconds = 10_000;
/** Bits in which different names of a domain are counted. */
const DISTINCT_OCTETS = 512;

/** Ends the key of what has no domain of its own; a wire name ends in 0. */
const ALL = ' under all';

/** Keys of what the store keeps of entries. */
export const FOLD_KEY = 'fold ';

/** Questions that are told together. */
interface FoldEntry {
  readonly number: number;
  /** What its events say beside counts and times. */
  draft: Draft;
  readonly client: string;
  /** Questions that no event tells of yet, and all since it opened. */
  pending: number;
  total: number;
  /** Times of the first and last pending question. */
  from: number;
  to: number;
  /** When an event was written last. */
  writtenAt: Milliseconds;
  readonly folded: 'repeats' | 'domain';
  /** Of a domain: a bit for each name, by a hash. */
  readonly distinct: Uint8Array | null;
  isKept: boolean;
}

/** What one identity has had in the minute under way. */
interface Minute {
  minute: number;
  names: number;
  domains: number;
}

/**
 * Makes few events of many questions, with exact counts: the first of a question is an event at once, its repeats coalesce, and
 * an identity that asks for ever other names is told by registered domain. What identities do does not touch each other; nor
 * does what a forged source sends touch those whose address is proved.
 */
export class Folding {
  readonly #table = new SharedTable<FoldEntry>(MOST_OF_ONE, MOST_OF_ALL);
  readonly #minutes = new Map<string, Minute>();
  readonly #pending = new Set<FoldEntry>();
  /** Entries whose counts changed since the store was told. */
  readonly #changed = new Map<number, FoldEntry | null>();
  /** Where the registered domain of a wire name starts. */
  readonly #registered: (name: Uint8Array) => number;
  #next = 1;
  #sweptAt: Milliseconds = 0;

  constructor(registered: (name: Uint8Array) => number) {
    this.#registered = registered;
  }

  /** Takes a question: `out` gets what is to be written at once. `now`: a clock of milliseconds. */
  take(question: QuestionRecord, now: Milliseconds, out: Draft[]): void {
    const owner = `${question.proven ? '+' : '-'}${question.identity}`;
    const { key: place } = question;
    const open = this.#table.get(owner, place);
    if (open !== undefined) {
      this.#count(open, question);
      return;
    }
    const minute = this.#minuteOf(owner, question.at);
    // An allowed question tells what it was given: each has its event.
    if (question.kind === 'allow' || minute.names < NAMES_A_MINUTE) {
      minute.names++;
      const { draft, client } = question;
      this.#open(owner, place, this.#entry(draft, client, 'repeats', now), out);
      out.push({ ...draft, count: 1, total: 1 });
      return;
    }
    this.#takeDomain(owner, minute, question, now, out);
  }

  /** Gives the running counts that are due; `all`: every one, since it stops. */
  flush(now: Milliseconds, all: boolean, out: Draft[]): void {
    for (const entry of this.#pending) {
      if (all || now - entry.writtenAt >= WRITE_MS || now < entry.writtenAt) this.#write(entry, now, out);
    }
    if (now - this.#sweptAt >= SWEEP_MS || now < this.#sweptAt) this.#sweep(now);
  }

  /** What the store has to keep, so that a kill loses no count; null for what it need not any more. */
  changes(): Map<string, string | null> {
    const changes = new Map<string, string | null>();
    for (const [number, entry] of this.#changed) {
      const isPending = entry !== null && entry.pending > 0;
      if (!isPending && entry !== null && !entry.isKept) continue;
      if (entry !== null) entry.isKept = isPending;
      changes.set(`${FOLD_KEY}${number}`, isPending ? keptText(entry) : null);
    }
    this.#changed.clear();
    return changes;
  }

  /** Gives events of what another run has kept. */
  restore(kept: Iterable<readonly [key: string, text: string]>, out: Draft[]): void {
    for (const [key, text] of kept) {
      this.#changed.set(Number(key.slice(FOLD_KEY.length)), null);
      out.push(JSON.parse(text) as Draft);
    }
    for (const number of this.#changed.keys()) this.#next = Math.max(this.#next, number + 1);
  }

  #takeDomain(
    owner: string,
    minute: Minute,
    question: QuestionRecord,
    now: Milliseconds,
    out: Draft[],
  ): void {
    const { name, kind, expected } = question;
    const domain = name.subarray(this.#registered(name));
    const what = expected ? `${kind} expected` : kind;
    let key = `${what} under ${latin1(domain)}`;
    let entry = this.#table.get(owner, key);
    if (entry === undefined && minute.domains >= DOMAINS_A_MINUTE) {
      key = `${what}${ALL}`;
      entry = this.#table.get(owner, key);
    } else if (entry === undefined) minute.domains++;
    if (entry === undefined) {
      const { identity = 'unknown', owner: whose, proven = true, verdict = '' } = question.draft;
      const about: Draft = {
        kind,
        at: question.at,
        identity,
        ...(whose === undefined ? {} : { owner: whose }),
        proven,
        ...(key.endsWith(ALL) ? {} : nameFields(domain)),
        verdict,
        ...(expected ? { expected: true as const } : {}),
        folded: 'domain',
      };
      entry = this.#entry(about, '', 'domain', now - WRITE_MS);
      this.#open(owner, key, entry, out);
    }
    markDistinct(entry.distinct!, name);
    this.#count(entry, question);
  }

  #entry(draft: Draft, client: string, folded: FoldEntry['folded'], writtenAt: Milliseconds): FoldEntry {
    const isRepeats = folded === 'repeats';
    return {
      number: this.#next++,
      draft: isRepeats ? { ...draft, folded } : draft,
      client,
      pending: 0,
      total: isRepeats ? 1 : 0,
      from: 0,
      to: draft.at,
      writtenAt,
      folded,
      distinct: isRepeats ? null : new Uint8Array(DISTINCT_OCTETS),
      isKept: false,
    };
  }

  #open(owner: string, key: string, entry: FoldEntry, out: Draft[]): void {
    const evicted = this.#table.add(owner, key, entry);
    if (evicted !== null && evicted.value.pending > 0) this.#write(evicted.value, entry.writtenAt, out);
  }

  #count(entry: FoldEntry, question: QuestionRecord): void {
    if (entry.pending === 0) entry.from = question.at;
    entry.pending++;
    entry.total++;
    entry.to = question.at;
    if (entry.client !== question.client && entry.draft.client !== undefined) {
      // It stands for several clients now.
      const { client: _c, client_port: _p, certificate: _x, transport: _t, ...rest } = entry.draft;
      entry.draft = rest;
    }
    this.#pending.add(entry);
    this.#changed.set(entry.number, entry);
  }

  #write(entry: FoldEntry, now: Milliseconds, out: Draft[]): void {
    out.push(eventOf(entry));
    entry.pending = 0;
    entry.writtenAt = now;
    this.#pending.delete(entry);
    this.#changed.set(entry.number, entry);
  }

  #minuteOf(owner: string, at: number): Minute {
    const minute = Math.floor(at / MINUTE);
    let has = this.#minutes.get(owner);
    if (has === undefined) {
      has = { minute, names: 0, domains: 0 };
      this.#minutes.set(owner, has);
    }
    if (has.minute !== minute) {
      has.minute = minute;
      has.names = 0;
      has.domains = 0;
    }
    return has;
  }

  #sweep(now: Milliseconds): void {
    this.#sweptAt = now;
    for (const { owner, key, value } of [...this.#table.all()]) {
      if (value.pending === 0 && now - value.writtenAt >= IDLE_MS) this.#table.delete(owner, key);
    }
    for (const owner of this.#minutes.keys())
      if (this.#table.sizeOf(owner) === 0) this.#minutes.delete(owner);
  }
}

function eventOf({ draft, pending, total, from, to, distinct }: FoldEntry): Draft {
  return {
    ...draft,
    at: from,
    count: pending,
    total,
    first: new Date(from).toISOString(),
    last: new Date(to).toISOString(),
    ...(distinct === null ? {} : { distinct_names: countBits(distinct) }),
  };
}

function keptText(entry: FoldEntry): string {
  return JSON.stringify(eventOf(entry));
}

function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}

function markDistinct(bits: Uint8Array, name: Uint8Array): void {
  let hash = 0x811c_9dc5;
  for (const octet of name) hash = Math.imul(hash ^ octet, 0x0100_0193);
  hash = (hash ^ (hash >>> 15)) >>> 0;
  const bit = hash % (DISTINCT_OCTETS * 8);
  bits[bit >>> 3]! |= 1 << (bit & 7);
}

function countBits(bits: Uint8Array): number {
  let count = 0;
  for (const octet of bits) for (let left = octet; left !== 0; left &= left - 1) count++;
  return count;
}
