import { DETECTED, type Detected } from '../detect/patterns/kinds.ts';
import { type EpochMilliseconds, passOver, unreachable } from '../wire/quantity.ts';
import type { Draft, Loss } from './draft.ts';
import type { Kind } from './event.ts';
import type { Store } from './event-store.ts';
import { FindingLife, OPEN_KEY, type Sighting } from './finding-life.ts';
import { directSighting, guardSighting } from './firewall-sightings.ts';
import { FOLD_KEY, Folding } from './folding.ts';
import type { Follower } from './follower.ts';
import { readNote } from './notes.ts';
import type { OwnLookups } from './own-lookups.ts';
import type { RingReader } from './ring-reader.ts';
import { RingWords, WORD_KEY } from './ring-words.ts';
import { isBefore } from './ring-writer.ts';
import { budgetKey, budgetSighting, operationsSighting, sightingOf } from './sightings.ts';
import { readSlot, type SlotRecord } from './slot-record.ts';

/** Where reading goes on, as the store keeps it: the ring's id and a position. */
const READ_KEY = 'read';

/** Events of one commit, and slots that are read for it. */
const MOST_ROWS = 256;
const MOST_SLOTS = 4_096;
/** Slots that one text has at most. */
const MOST_PARTS = 64;

/** What a turn of the loop did. */
export interface Taking {
  readonly slots: number;
  /** It took as much as one commit does: more may wait. */
  readonly isFull: boolean;
  /** Why nothing could be committed, or null. */
  readonly fault: Error | null;
}

/**
 * Takes what waits in the ring to the store: reads, folds, leads the life of findings, commits. What is committed is given back
 * to the writer only then, with all that is not an event yet, so that a kill between any two steps loses nothing and tells
 * nothing twice. While the store cannot be written, nothing more is read than fits one commit.
 */
export class FeedLoop {
  /** Slots that could not be read: a bug, or what a loss of power left. */
  faults = 0;
  readonly #store: Store;
  readonly #reader: RingReader;
  readonly #words: RingWords;
  readonly #folding: Folding;
  readonly #life = new FindingLife();
  readonly #registered: (name: Uint8Array) => number;
  readonly #now: () => EpochMilliseconds;
  readonly #followers: readonly Follower[];
  readonly #sight = (sighting: Sighting): void => this.#life.take(sighting, this.#drafts);
  /** Kinds of decisions that become events; null for all. */
  #kinds: ReadonlySet<Kind> | null = null;
  /** Findings that are open and have risen: as many as can be open. */
  readonly #risen = new Set<string>();
  #heard: ((findings: readonly Draft[]) => void) | null = null;
  #ownLookups: OwnLookups | null = null;
  #drafts: Draft[] = [];
  #losses: Loss[] = [];
  #state = new Map<string, string | null>();
  /** Behind the last slot with which a text is whole: reading goes on there. */
  #position: number;
  #committed: number;
  /** The disk had trouble since the last loss was told. */
  #hadTrouble = false;
  /** Slots that were read since the last commit. */
  #held = 0;

  /**
   * `registered`: where the registered domain of a wire name starts. `now`: milliseconds since 1970. The loop does not close
   * its followers.
   */
  constructor(
    store: Store,
    reader: RingReader,
    registered: (name: Uint8Array) => number,
    now: () => EpochMilliseconds,
    followers: readonly Follower[] = [],
  ) {
    this.#followers = followers;
    this.#store = store;
    this.#reader = reader;
    this.#registered = registered;
    this.#now = now;
    this.#words = new RingWords(store.state(WORD_KEY));
    this.#folding = new Folding(registered);
    this.#folding.restore(store.state(FOLD_KEY), this.#drafts);
    this.#life.restore(store.state(OPEN_KEY));
    this.#position = reader.position;
    this.#committed = -1;
  }

  /** What nobody but followers hears of becomes no event. `kinds`: of decisions that somebody takes. */
  keep(kinds: Iterable<Kind>): void {
    this.#kinds = new Set(kinds);
  }

  /** Of these questions no event is made, and no finding: the history alone hears of them. */
  leaveOut(lookups: OwnLookups): void {
    this.#ownLookups = lookups;
  }

  /** Whether all before this place in the ring is committed. */
  hasReached(position: number): boolean {
    return !isBefore(this.#position, position) && this.#held === 0;
  }

  /** How many findings are open, by what they are. */
  get open(): ReadonlyMap<string, number> {
    return this.#life.open;
  }

  /** Who is told of findings of detectors that were committed: when they begin, rise and end. */
  hear(heard: (findings: readonly Draft[]) => void): void {
    this.#heard = heard;
  }

  #tellFindings(): void {
    const findings = this.#drafts.filter((draft) => this.#isNews(draft));
    if (findings.length > 0) this.#heard?.(findings);
  }

  /** Only what detectors and the firewall noticed: the query thread knows the rest. That a count doubled is no news. */
  #isNews({ kind, finding = '', activity, severity, uid = '' }: Draft): boolean {
    if (kind !== 'finding') return false;
    // The firewall tells of its own trouble by itself.
    if (finding === 'direct-address') return activity === 'create';
    if (!Object.hasOwn(DETECTED, finding)) return false;
    if (activity === 'close') {
      this.#risen.delete(uid);
      return finding === 'dependency';
    }
    if (activity === 'create') return true;
    if (severity === DETECTED[finding as Detected].severity || this.#risen.has(uid)) return false;
    this.#risen.add(uid);
    return true;
  }

  /** Reads what is there, as much as one commit takes, and commits it. `all`: running counts too, since it stops. */
  round(all = false): Taking {
    let slots = 0;
    while (this.#held + slots < MOST_SLOTS && this.#drafts.length < MOST_ROWS) {
      const wanted = Math.min(MOST_ROWS, MOST_SLOTS - this.#held - slots);
      // One reading of the clock for some hundred slots.
      const now = this.#now();
      const taken = this.#reader.read(wanted, (slot) => this.#take(slot, now));
      slots += taken;
      if (taken < wanted) break;
    }
    // A text that is begun is read to its end.
    for (let i = 0; this.#words.isPartial && i < MOST_PARTS; i++) {
      if (this.#reader.read(1, (slot) => this.#take(slot, this.#now())) === 0) break;
    }
    this.#held += slots;
    const isFull = this.#held >= MOST_SLOTS || this.#drafts.length >= MOST_ROWS;
    const now = this.#now();
    // A batch that waits for the disk does not grow.
    if (this.#drafts.length < MOST_ROWS) {
      this.#folding.flush(now, all, this.#drafts);
      for (const follower of this.#followers) follower.flush(now, all, this.#sight);
      this.#life.flush(now, this.#drafts);
    }
    return { slots, isFull, fault: this.#commit(all) };
  }

  #take(slot: Buffer, now: EpochMilliseconds): void {
    try {
      const record = readSlot(slot, this.#words);
      if (record !== null && !this.#isLeftOut(record)) this.#hear(record, now);
    } catch {
      this.faults++;
    }
    if (!this.#words.isPartial) this.#position = this.#positionBehind();
  }

  #isLeftOut(record: SlotRecord): boolean {
    if (this.#ownLookups === null || !('question' in record)) return false;
    return record.record !== 'asked' && record.record !== 'given' && this.#ownLookups.has(record.question);
  }

  /** The reader counts a slot when `take` is over. */
  #positionBehind(): number {
    return (this.#reader.position + 1) >>> 0;
  }

  /** A fault of one of those who hear it keeps it from none of the others. */
  #hear(record: SlotRecord, now: EpochMilliseconds): void {
    for (const follower of this.#followers) {
      try {
        follower.take(record, this.#reader.position, now, this.#sight);
      } catch {
        this.faults++;
      }
    }
    this.#sort(record, now);
  }

  #sort(record: SlotRecord, now: EpochMilliseconds): void {
    switch (record.record) {
      case 'decision':
        if (this.#kinds?.has(record.question.kind) === false) break;
        this.#folding.take(record.question, now, this.#drafts);
        break;
      case 'finding':
        this.#life.take(sightingOf(record, this.#registered), this.#drafts);
        break;
      case 'losses':
        for (const loss of record.losses)
          this.#losses.push(this.#hadTrouble ? { ...loss, why: 'disk' } : loss);
        this.#hadTrouble = false;
        break;
      case 'note':
        this.#takeNote(record.text);
        break;
      case 'asked':
      case 'given':
      case 'outcome':
        // Followers hear of these, and no event is made of them.
        break;
      default:
        unreachable(record);
    }
  }

  #takeNote(text: string): void {
    const note = readNote(text);
    switch (note?.note) {
      case 'budget':
        if (note.what === 'end') this.#life.end(note.identity, budgetKey(note), note.at, this.#drafts);
        else this.#life.advance(budgetSighting(note), this.#drafts);
        break;
      case 'heartbeat': {
        const { at, policy, counts } = note;
        this.#drafts.push({ kind: 'heartbeat', at, policy, counts });
        break;
      }
      case 'operations':
        this.#life.take(operationsSighting(note), this.#drafts);
        break;
      case 'direct':
        this.#life.take(directSighting(note), this.#drafts);
        break;
      case 'guard':
        this.#life.take(guardSighting(note), this.#drafts);
        break;
      case 'lease':
      case 'rates':
        break;
      default:
        if (note !== null) passOver(note);
        this.faults++;
    }
  }

  #commit(all: boolean): Error | null {
    try {
      for (const follower of this.#followers) follower.commit(this.#position);
    } catch (error) {
      this.#hadTrouble = true;
      return error as Error;
    }
    const own = [this.#words.changes(), this.#folding.changes(), this.#life.changes()];
    for (const changes of [...own, ...this.#followers.map((follower) => follower.changes?.(all) ?? [])]) {
      for (const [key, value] of changes) this.#state.set(key, value);
    }
    const hasMoved = this.#position !== this.#committed;
    const isIdle = !hasMoved && this.#drafts.length === 0 && this.#losses.length === 0;
    if (isIdle && this.#state.size === 0 && !this.#store.isBehind) {
      this.#held = 0;
      return null;
    }
    this.#state.set(READ_KEY, `${this.#reader.id} ${this.#position}`);
    try {
      this.#store.commit({ drafts: this.#drafts, losses: this.#losses, state: this.#state });
    } catch (error) {
      this.#hadTrouble = true;
      return error as Error;
    }
    this.#tellFindings();
    this.#drafts = [];
    this.#losses = [];
    this.#state = new Map();
    this.#committed = this.#position;
    this.#held = 0;
    this.#reader.release(this.#position);
    return null;
  }
}

/** What the store has kept of the ring, for its reader. */
export function keptPosition(store: Store): { readonly id: string; readonly position: number } | null {
  const [kept] = store.state(READ_KEY);
  const [id, position] = kept?.[1].split(' ') ?? [];
  return id === undefined || position === undefined ? null : { id, position: Number(position) };
}
