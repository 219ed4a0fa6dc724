import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { Draft } from './draft.ts';
import { KINDS, type Kind } from './event.ts';
import { type FoldKey, type FoldOwner, type FoldPlace, FoldTable, hashOf } from './fold-table.ts';
import { nameFields, type QuestionRecord } from './slot-question.ts';

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

/** In place of a verdict: what is under one domain, and what has no domain of its own. No word of a question is negative. */
const UNDER_DOMAIN = -1;
const UNDER_ALL = -2;
const NOTHING = new Uint8Array(0);

/** Keys of what the store keeps of entries. */
export const FOLD_KEY = 'fold ';

/** Questions that are told together. */
interface FoldEntry extends FoldPlace<FoldEntry> {
  /** What its events say beside counts and times. */
  draft: Draft;
  readonly client: string;
  /** Questions that no event tells of yet, and all since it opened. */
  pending: number;
  total: number;
  /** Times of the first and last pending question. */
  from: EpochMilliseconds;
  to: EpochMilliseconds;
  /** When an event was written last. */
  writtenAt: EpochMilliseconds;
  readonly folded: 'repeats' | 'domain';
  /** Of a domain: a bit for each name, by a hash. */
  readonly distinct: Uint8Array | null;
  /** The store has to be told of its counts; it was told. */
  isChanged: boolean;
  isKept: boolean;
}

/** Who asked, and what he has had in the minute under way. */
interface Asker extends FoldOwner {
  readonly identity: string;
  readonly proven: boolean;
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
  readonly #table = new FoldTable<FoldEntry>();
  readonly #askers = new Map<string, Asker>();
  /** Who asked last: most questions are of one of few. */
  #last: Asker | null = null;
  readonly #pending = new Set<FoldEntry>();
  /** Entries whose counts changed since the store was told. */
  readonly #changed = new Map<number, FoldEntry | null>();
  /** Where the registered domain of a wire name starts. */
  readonly #registered: (name: Uint8Array) => number;
  #next = 1;
  #sweptAt: EpochMilliseconds = 0;

  constructor(registered: (name: Uint8Array) => number) {
    this.#registered = registered;
  }

  /** Takes a question: `out` gets what is to be written at once. `now`: a clock of milliseconds. */
  take(question: QuestionRecord, now: EpochMilliseconds, out: Draft[]): void {
    const owner = this.#askerOf(question);
    const { name, what, shape, lease } = question;
    const hash = hashOf(name, 0);
    const open = this.#table.find(owner, what, shape, lease, name, 0, hash);
    if (open !== null) {
      this.#count(open, question);
      return;
    }
    // An allowed question tells what it was given: each has its event.
    if (question.kind === 'allow' || owner.names < NAMES_A_MINUTE) {
      owner.names++;
      const { draft, client } = question;
      const key = { owner, what, shape, lease, name: Uint8Array.from(name), hash };
      this.#open(this.#entry(key, draft, client, 'repeats', now), out);
      out.push({ ...draft, count: 1, total: 1 });
      return;
    }
    this.#takeDomain(owner, question, hash, now, out);
  }

  /** Gives the running counts that are due; `all`: every one, since it stops. */
  flush(now: EpochMilliseconds, all: boolean, out: Draft[]): void {
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
      if (entry !== null) entry.isChanged = false;
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
    owner: Asker,
    question: QuestionRecord,
    nameHash: number,
    now: EpochMilliseconds,
    out: Draft[],
  ): void {
    const { name, kind, expected } = question;
    const start = this.#registered(name);
    const about = aboutOf(kind, expected);
    let hash = hashOf(name, start);
    let entry = this.#table.find(owner, UNDER_DOMAIN, about, '', name, start, hash);
    let isOfAll = false;
    if (entry === null && owner.domains >= DOMAINS_A_MINUTE) {
      isOfAll = true;
      hash = 0;
      entry = this.#table.find(owner, UNDER_ALL, about, '', NOTHING, 0, hash);
    } else if (entry === null) owner.domains++;
    if (entry === null) {
      const { identity = 'unknown', owner: whose, proven = true, verdict = '' } = question.draft;
      // The ring writes over what it gave.
      const domain = isOfAll ? NOTHING : Uint8Array.from(name.subarray(start));
      const draft: Draft = {
        kind,
        at: question.at,
        identity,
        ...(whose === undefined ? {} : { owner: whose }),
        proven,
        ...(isOfAll ? {} : nameFields(domain)),
        verdict,
        ...(expected ? { expected: true as const } : {}),
        folded: 'domain',
      };
      const what = isOfAll ? UNDER_ALL : UNDER_DOMAIN;
      const key = { owner, what, shape: about, lease: '', name: domain, hash };
      entry = this.#entry(key, draft, '', 'domain', now - WRITE_MS);
      this.#open(entry, out);
    }
    const bit = nameHash & (DISTINCT_OCTETS * 8 - 1);
    entry.distinct![bit >>> 3]! |= 1 << (bit & 7);
    this.#count(entry, question);
  }

  #entry(
    key: FoldKey,
    draft: Draft,
    client: string,
    folded: FoldEntry['folded'],
    writtenAt: EpochMilliseconds,
  ): FoldEntry {
    const isRepeats = folded === 'repeats';
    return {
      ...key,
      number: this.#next++,
      next: null,
      draft: isRepeats ? { ...draft, folded } : draft,
      client,
      pending: 0,
      total: isRepeats ? 1 : 0,
      from: 0,
      to: draft.at,
      writtenAt,
      folded,
      distinct: isRepeats ? null : new Uint8Array(DISTINCT_OCTETS),
      isChanged: false,
      isKept: false,
    };
  }

  #open(entry: FoldEntry, out: Draft[]): void {
    const evicted = this.#table.add(entry);
    if (evicted !== null && evicted.pending > 0) this.#write(evicted, entry.writtenAt, out);
  }

  #count(entry: FoldEntry, question: QuestionRecord): void {
    if (entry.pending === 0) {
      entry.from = question.at;
      this.#pending.add(entry);
    }
    entry.pending++;
    entry.total++;
    // A clock may be set back between two questions.
    entry.from = Math.min(entry.from, question.at);
    entry.to = question.at;
    if (entry.draft.client !== undefined && entry.client !== question.client) {
      // It stands for several clients now.
      const { client: _c, client_port: _p, certificate: _x, transport: _t, ...rest } = entry.draft;
      entry.draft = rest;
    }
    this.#change(entry);
  }

  #write(entry: FoldEntry, now: EpochMilliseconds, out: Draft[]): void {
    out.push(eventOf(entry));
    entry.pending = 0;
    entry.writtenAt = now;
    this.#pending.delete(entry);
    this.#change(entry);
  }

  #change(entry: FoldEntry): void {
    if (entry.isChanged) return;
    entry.isChanged = true;
    this.#changed.set(entry.number, entry);
  }

  #askerOf({ identity, proven, at }: QuestionRecord): Asker {
    let asker = this.#last;
    if (asker === null || asker.identity !== identity || asker.proven !== proven) {
      asker = this.#askerNamed(identity, proven);
      this.#last = asker;
    }
    const minute = Math.floor(at / MINUTE);
    if (asker.minute !== minute) {
      asker.minute = minute;
      asker.names = 0;
      asker.domains = 0;
    }
    return asker;
  }

  #askerNamed(identity: string, proven: boolean): Asker {
    const text = `${proven ? '+' : '-'}${identity}`;
    const known = this.#askers.get(text);
    if (known !== undefined) return known;
    const salt = crypto.getRandomValues(new Int32Array(1))[0]!;
    const asker = { text, salt, identity, proven, minute: -1, names: 0, domains: 0 };
    this.#askers.set(text, asker);
    return asker;
  }

  #sweep(now: EpochMilliseconds): void {
    this.#sweptAt = now;
    for (const entry of this.#table.all()) {
      const isOver = now - entry.writtenAt >= IDLE_MS || now < entry.writtenAt;
      if (entry.pending === 0 && isOver) this.#table.delete(entry);
    }
    this.#last = null;
    for (const asker of this.#askers.values()) if (!this.#table.has(asker)) this.#askers.delete(asker.text);
  }
}

/** What questions under one domain have in common: the kind, and whether it is expected. */
function aboutOf(kind: Kind, expected: boolean): number {
  return KINDS.indexOf(kind) * 2 + (expected ? 1 : 0);
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

function countBits(bits: Uint8Array): number {
  let count = 0;
  for (const octet of bits) for (let left = octet; left !== 0; left &= left - 1) count++;
  return count;
}
