import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import { reverseOf } from './question-rows.ts';

/** What a reader of the tail asks: what happened after the place that it has read up to. */
export interface TailQuestion {
  readonly what: 'tail';
  /** The place that the last answer gave; null for what happens from now on. */
  readonly after: string | null;
  /** Null: of all. */
  readonly identities: readonly string[] | null;
  /** Words of TAIL_VERDICTS; null for all. */
  readonly verdicts: readonly string[] | null;
  /** A name, *.NAME for one label below, **.NAME for all below; null for all. */
  readonly name: string | null;
}

export interface TailPage {
  /** Up to where this answer goes. */
  readonly place: string;
  /** Events that nobody kept until this reader came for them; null where nobody counted them. */
  readonly skipped: number | null;
  /** Events as `text/event-stream`. */
  readonly text: string;
  /** There are more already. */
  readonly more: boolean;
}

export const TAIL_VERDICTS = [
  'allow',
  'local',
  'empty',
  'deny',
  'contain',
  'would_deny',
  'would_contain',
] as const;

type TailVerdict = (typeof TAIL_VERDICTS)[number];

/** A decision as it is told. `count`: questions that it stands for. */
export interface TailEvent {
  readonly time: string;
  readonly identity: string;
  readonly verdict: TailVerdict;
  readonly name: string;
  readonly type: string;
  readonly count: number;
  readonly [field: string]: unknown;
}

/** What the tail needs of a record of the ring. */
export interface TailRecord {
  readonly record: string;
  readonly question?: {
    readonly kind: string;
    readonly identity: string;
    readonly proven: boolean;
    readonly expected: boolean;
    readonly at: EpochMilliseconds;
    readonly draft: Readonly<Record<string, unknown>>;
  };
  readonly audited?: boolean;
  readonly folded?: number;
}

/** Events that are kept for readers: the newest. */
const MOST_EVENTS = 4_096;
/** Characters of one answer; one event may go beyond it. */
const MOST_TEXT = 65_536;
/** After the last question of a reader, so long events are kept for its return. */
const IDLE_MS: Milliseconds = 60_000;

interface Kept {
  readonly identity: string;
  readonly verdict: string;
  readonly reverse: string;
  readonly json: string;
}

/** Decisions of now, for those who look on. Where nobody does, nothing is kept and a record costs a comparison. */
export class Tail {
  #epoch: string;
  readonly #draw: () => string;
  readonly #events: Kept[] = [];
  /** Number of the first event that is kept. */
  #first = 0;
  #until: EpochMilliseconds = Number.NEGATIVE_INFINITY;
  /** Kinds of which each decision has a record of its own; of others the first, and then counts. */
  #decided: ReadonlySet<string> = new Set();

  /** `draw` gives a text that no other run gives: places of others are known by it. */
  constructor(draw: () => string) {
    this.#draw = draw;
    this.#epoch = draw();
  }

  decide(kinds: Iterable<string>): void {
    this.#decided = new Set(kinds);
  }

  /** Somebody looks on, or did until just now. `now`: milliseconds since 1970. */
  isWatched(now: EpochMilliseconds): boolean {
    return now < this.#until && this.#until - now <= IDLE_MS;
  }

  take({ record, question, audited = false, folded = 0 }: TailRecord, now: EpochMilliseconds): void {
    if (question === undefined || (record !== 'decision' && record !== 'asked') || !this.isWatched(now))
      return;
    const { kind, draft, at, identity, proven, expected } = question;
    const isAudited = audited || kind.startsWith('would_');
    const { verdict = 'deny', name = '.', type = '', at: _at, kind: _kind, identity: _i, ...rest } = draft;
    const word = wordOf(String(verdict), isAudited);
    if (record === 'asked' && (folded !== 0 || this.#decided.has(isAudited ? word : kind))) return;
    this.#put({
      time: new Date(at).toISOString(),
      identity,
      verdict: word,
      name: String(name),
      type: String(type),
      count: 1,
      ...rest,
      proven,
      ...(expected ? { expected } : {}),
    });
  }

  /** A question that is known was asked again. */
  again(event: TailEvent, now: EpochMilliseconds): void {
    const kind = event.verdict === 'local' ? 'allow' : event.verdict;
    if (this.isWatched(now) && !this.#decided.has(kind)) this.#put(event);
  }

  page({ after, identities, verdicts, name }: TailQuestion, now: EpochMilliseconds): TailPage {
    if (!this.isWatched(now)) this.#begin();
    this.#until = now + IDLE_MS;
    const end = this.#first + this.#events.length;
    if (after === null) return { place: this.#placeOf(end), skipped: 0, text: '', more: false };
    const [epoch, number = ''] = after.split('.');
    const known = /^\d{1,15}$/.test(number) ? Number(number) : Number.NaN;
    if (epoch !== this.#epoch || !(known <= end))
      return { place: this.#placeOf(end), skipped: null, text: '', more: false };
    let at = Math.max(known, this.#first);
    const skipped = at - known;
    const isWanted = matcher(identities, verdicts, name);
    let text = '';
    for (; at < end && text.length < MOST_TEXT; at++) {
      const kept = this.#events[at - this.#first]!;
      if (isWanted(kept)) text += `id: ${this.#placeOf(at + 1)}\nevent: decision\ndata: ${kept.json}\n\n`;
    }
    return { place: this.#placeOf(at), skipped, text, more: at < end };
  }

  #placeOf(number: number): string {
    return `${this.#epoch}.${number}`;
  }

  /** What happened while nobody looked on has no number. */
  #begin(): void {
    if (this.#first + this.#events.length > 0) this.#epoch = this.#draw();
    this.#events.length = 0;
    this.#first = 0;
  }

  #put(event: TailEvent): void {
    if (this.#events.length >= MOST_EVENTS + MOST_EVENTS / 4) {
      this.#first += this.#events.length - MOST_EVENTS;
      this.#events.splice(0, this.#events.length - MOST_EVENTS);
    }
    const { identity, verdict, name } = event;
    this.#events.push({ identity, verdict, reverse: reverseOf(name), json: JSON.stringify(event) });
  }
}

/** What was decided, in one word. */
export function wordOf(verdict: string, audited: boolean): TailVerdict {
  if (!audited) return verdict as TailVerdict;
  return verdict === 'contain' ? 'would_contain' : 'would_deny';
}

function matcher(
  identities: TailQuestion['identities'],
  verdicts: TailQuestion['verdicts'],
  name: string | null,
): (kept: Kept) => boolean {
  const [, stars = '', base = ''] = /^(\*\*?)\.(.+)$/.exec(name ?? '') ?? [];
  const wanted = name === null ? '' : stars === '' ? reverseOf(name) : `${reverseOf(base)}.`;
  const isNamed = (reverse: string): boolean =>
    stars === ''
      ? reverse === wanted
      : reverse.startsWith(wanted) && (stars === '**' || isOneLabel(reverse.slice(wanted.length)));
  return ({ identity, verdict, reverse }) =>
    (identities === null || identities.includes(identity)) &&
    (verdicts === null || verdicts.includes(verdict)) &&
    (name === null || isNamed(reverse));
}

/** A dot within a label has a backslash in front of it. */
function isOneLabel(text: string): boolean {
  return /^(?:\\.|[^.\\])+$/.test(text);
}
