import { createHash } from 'node:crypto';
import { SharedTable } from '../detect/shared-table.ts';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { Draft } from './draft.ts';
import { SEVERITIES, type Severity } from './event.ts';

/** Findings that are open at once: of one identity, and of all. */
const MOST_OF_ONE = 128;
const MOST_OF_ALL = 2_048;
/** Of one identity, findings that are about one thing; then each is about a registered domain, and the last about all. */
const SINGLE = 64;
const SAMPLES = 5;
/** A clock that is set back by more than that ends the windows that it began ahead. */
const BACK: Milliseconds = 3_600_000;

/** Keys of what the store keeps of open findings. */
export const OPEN_KEY = 'open ';

/** One sight of something that a person should know. What costs something to make is made when it is asked for. */
export interface Sighting {
  readonly identity: string;
  readonly proven: boolean;
  readonly finding: string;
  /** Tells it from others of the same finding. */
  readonly place: string;
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
  /** How long the finding stays open after its first sight. */
  readonly window: Milliseconds;
  /** Questions that are counted with it; 1 unless said. */
  readonly count?: number;
  /** Where it may rise while the finding is open: then the finding is told anew. */
  readonly severity?: Severity;
  /** It is over: what is open is closed, and nothing begins. */
  readonly isOver?: boolean;
  /** What it is about, beside the identity, for people. */
  key(): string;
  /** The registered domain that it belongs to, where there may be ever other keys; else null. */
  domain(): string | null;
  /** What its events say beside its life. */
  draft(): Draft;
  /** Names to show. */
  names(): readonly string[];
}

interface OpenFinding {
  readonly number: number;
  readonly uid: string;
  readonly until: EpochMilliseconds;
  draft: Draft;
  names: string[];
  pending: number;
  total: number;
  /** The total at which it is told again. */
  next: number;
  from: EpochMilliseconds;
  to: EpochMilliseconds;
  readonly owner: string;
  readonly place: string;
}

/**
 * The life of findings: one event when something is seen first, one each time that its count has doubled, and one at the end of
 * its window. Whoever makes ever other findings fills his own places, and then they are told together: by domain, then in one.
 */
export class FindingLife {
  readonly #open = new SharedTable<OpenFinding>(MOST_OF_ONE, MOST_OF_ALL);
  readonly #changed = new Map<number, OpenFinding | null>();
  #next = 1;

  /** Takes up what `changes` gave to another run. */
  restore(kept: Iterable<readonly [key: string, text: string]>): void {
    for (const [, text] of kept) {
      const finding = JSON.parse(text) as OpenFinding;
      this.#next = Math.max(this.#next, finding.number + 1);
      this.#open.add(finding.owner, finding.place, finding);
    }
  }

  take(sighting: Sighting, out: Draft[]): void {
    const owner = `${sighting.proven ? '+' : '-'}${sighting.identity}`;
    const single = `${sighting.finding} ${sighting.place}`;
    const same = this.#open.get(owner, single);
    if (sighting.isOver === true) {
      if (same !== undefined) this.#end(same, sighting.at, out);
      return;
    }
    if (same !== undefined) {
      this.#sightAgain(same, sighting, out);
      return;
    }
    const under = this.#domainOf(owner, sighting);
    if (under === null) {
      this.#create(owner, single, sighting.key(), sighting, out);
      return;
    }
    const place = `${sighting.finding} under ${under}`;
    const open = this.#open.get(owner, place);
    if (open === undefined) this.#create(owner, place, under, sighting, out);
    else this.#sightAgain(open, sighting, out);
  }

  /** Tells that what is open has gone further: it has another name, such as `budget-contain`. What is not open begins. */
  advance(sighting: Sighting, out: Draft[]): void {
    const owner = `+${sighting.identity}`;
    const place = `budget ${sighting.place}`;
    const open = this.#open.get(owner, place);
    if (open === undefined) {
      this.#create(owner, place, sighting.key(), sighting, out);
      return;
    }
    const { finding } = open.draft;
    open.draft = sighting.draft();
    addNames(open, sighting.names());
    this.#see(open, sighting.at, 1);
    if (finding !== sighting.finding) this.#tell(open, 'update', out);
  }

  /** Ends what `advance` began, before its window does. Nothing where it is not open. */
  end(identity: string, place: string, at: EpochMilliseconds, out: Draft[]): void {
    const open = this.#open.get(`+${identity}`, `budget ${place}`);
    if (open !== undefined) this.#end(open, at, out);
  }

  /** Closes what is over by `now` (milliseconds since 1970). */
  flush(now: EpochMilliseconds, out: Draft[]): void {
    for (const { value } of [...this.#open.all()]) {
      if (now >= value.until || now < value.to - BACK) this.#close(value, out);
    }
  }

  /** How many findings are open, by what they are. */
  get open(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { value } of this.#open.all()) {
      const { finding = '' } = value.draft;
      counts.set(finding, (counts.get(finding) ?? 0) + 1);
    }
    return counts;
  }

  /** What the store has to keep; null for what it need not any more. */
  changes(): Map<string, string | null> {
    const changes = new Map<string, string | null>();
    for (const [number, open] of this.#changed) {
      changes.set(`${OPEN_KEY}${number}`, open === null ? null : JSON.stringify(open));
    }
    this.#changed.clear();
    return changes;
  }

  /** The domain under which a new finding of an owner is told, `.` for all; null for itself alone. */
  #domainOf(owner: string, { finding, domain }: Sighting): string | null {
    const size = this.#open.sizeOf(owner);
    const isFull = this.#open.isFull(owner);
    if (size < SINGLE && !isFull) return null;
    const name = domain();
    if (name === null) return isFull ? '.' : null;
    const isOpen = this.#open.get(owner, `${finding} under ${name}`) !== undefined;
    return isOpen || (size < MOST_OF_ONE - 1 && !isFull) ? name : '.';
  }

  #create(owner: string, place: string, key: string, sighting: Sighting, out: Draft[]): void {
    const { at, identity, finding, window, count = 1 } = sighting;
    const open: OpenFinding = {
      number: this.#next++,
      uid: uidOf(finding, identity, key, at),
      until: at + window,
      draft: { ...sighting.draft(), finding, key },
      names: sighting.names().slice(-SAMPLES),
      pending: count,
      total: count,
      next: 2 * count,
      from: at,
      to: at,
      owner,
      place,
    };
    const evicted = this.#open.add(owner, place, open);
    if (evicted !== null) this.#tellClosed(evicted.value, out);
    this.#tell(open, 'create', out);
  }

  #sightAgain(open: OpenFinding, sighting: Sighting, out: Draft[]): void {
    const { at, severity, finding, count = 1 } = sighting;
    if (open.names.length < SAMPLES) addNames(open, sighting.names());
    this.#see(open, at, count);
    const hasRisen = severity !== undefined && rankOf(severity) > rankOf(open.draft.severity);
    if (hasRisen) open.draft = { ...sighting.draft(), finding, key: open.draft.key ?? sighting.key() };
    if (open.total < open.next && !hasRisen) return;
    this.#tell(open, 'update', out);
    open.next = open.total * 2;
  }

  #see(open: OpenFinding, at: EpochMilliseconds, count: number): void {
    if (open.pending === 0) open.from = at;
    open.pending += count;
    open.total += count;
    open.from = Math.min(open.from, at);
    open.to = at;
    this.#changed.set(open.number, open);
  }

  #tell(open: OpenFinding, activity: 'create' | 'update' | 'close', out: Draft[]): void {
    const { draft, uid, names, pending, total, from, to } = open;
    out.push({
      ...draft,
      at: to,
      activity,
      uid,
      count: pending,
      total,
      first: new Date(pending === 0 ? to : from).toISOString(),
      last: new Date(to).toISOString(),
      ...(names.length === 0 ? {} : { names: [...names] }),
    });
    open.pending = 0;
    this.#changed.set(open.number, open);
  }

  #end(open: OpenFinding, at: EpochMilliseconds, out: Draft[]): void {
    open.to = at;
    this.#close(open, out);
  }

  #close(open: OpenFinding, out: Draft[]): void {
    this.#open.delete(open.owner, open.place);
    this.#tellClosed(open, out);
  }

  #tellClosed(open: OpenFinding, out: Draft[]): void {
    this.#tell(open, 'close', out);
    this.#changed.set(open.number, null);
  }
}

function rankOf(severity: Severity | undefined): number {
  return SEVERITIES.indexOf(severity ?? 'low');
}

function addNames({ names }: OpenFinding, more: readonly string[]): void {
  for (const name of more) if (names.length < SAMPLES && !names.includes(name)) names.push(name);
}

/** 32 hexadecimal digits. */
function uidOf(finding: string, identity: string, key: string, at: EpochMilliseconds): string {
  return createHash('sha256')
    .update(JSON.stringify([finding, identity, key, at]))
    .digest('hex')
    .slice(0, 32);
}
