import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { Loss } from './draft.ts';
import { type FeedEvent, KINDS, type Kind } from './event.ts';

/** Identities that one event of a loss names; the others are `other`. */
const MAX_NAMED = 1_000;
/** Between two events of what one quota lost: a full quota loses something with every batch. */
const QUOTA_PACE_MS: Milliseconds = 5_000;

/** Runs of numbers that one event of a loss has; beyond that the last run holds numbers that are not lost too. */
const MOST_RUNS = 64;

/** What is lost and not told yet. It is kept as JSON in the table `state`. */
interface Untold {
  first: number;
  last: number;
  /** Where numbers between are not lost: the first and last of each run. */
  runs?: [first: number, last: number][];
  count: number;
  lost: Record<string, number>;
  from: EpochMilliseconds;
  to: EpochMilliseconds;
}

/** An event that a quota took though it may have been sent to a sink: it is lost only if it did not arrive. */
interface Doubtful {
  readonly position: number;
  readonly seq: number;
  readonly key: string;
  readonly loss: Loss;
}

/** Events of one sink whose acknowledgement is waited for; what comes besides is told as in doubt at once. */
const MOST_DOUBTFUL = 65_536;

export type DroppedBody = Pick<
  FeedEvent,
  | 'of'
  | 'why'
  | 'first_seq'
  | 'last_seq'
  | 'runs'
  | 'count'
  | 'lost'
  | 'sinks'
  | 'in_doubt'
  | 'first'
  | 'last'
> & { readonly at: EpochMilliseconds };

/** Sums up what was lost, until it is told as an event. */
export class Losses {
  readonly #untold = new Map<string, Untold>();
  readonly #doubtful = new Map<string, Doubtful[]>();
  readonly #toldAt = new Map<string, EpochMilliseconds>();
  /** Keys whose sum changed since `changes` was asked. */
  readonly #changed = new Set<string>();
  /** Lost since the start, by why. */
  readonly counts: Readonly<Record<Loss['why'], number>> = { ring: 0, quota: 0, disk: 0 };

  /** Takes back what `changes` gave. */
  restore(key: string, value: string): void {
    this.#untold.set(key, JSON.parse(value) as Untold);
  }

  /** Adds a loss whose numbers are `first` to `last`. `sinks`: those that it is lost for, as `sinksText` writes them. */
  add(loss: Loss, first: number, last: number, sinks = ''): void {
    this.#sumUp(keyOf(loss, sinks), loss, first, last);
  }

  /** An event that may have been sent to one sink is no longer there, should it have to be sent again. */
  doubt(sink: string, position: number, seq: number, loss: Loss, sinks: string): void {
    const key = keyOf(loss, sinks, true);
    const rows = this.#doubtful.get(sink) ?? [];
    if (rows.length >= MOST_DOUBTFUL) {
      this.#sumUp(key, loss, seq, seq);
      return;
    }
    rows.push({ position, seq, key, loss });
    this.#doubtful.set(sink, rows);
    this.#changed.add(key);
  }

  /** What a sink had up to a position is not lost for it. Whether anything was in doubt. */
  arrived(sink: string, position: number): boolean {
    const gone = this.#takeDoubtful(sink, (row) => row.position <= position);
    for (const { key } of gone) this.#changed.add(key);
    return gone.length > 0;
  }

  /** What a sink was sent behind a position would have to be sent again: whether it arrived, nobody knows. */
  returned(sink: string, position: number): void {
    for (const { key, loss, seq } of this.#takeDoubtful(sink, (row) => row.position > position))
      this.#sumUp(key, loss, seq, seq);
  }

  /** Nothing is owed to other sinks than these. */
  keep(sinks: ReadonlySet<string>): void {
    for (const sink of this.#doubtful.keys())
      if (!sinks.has(sink)) this.arrived(sink, Number.POSITIVE_INFINITY);
  }

  /** Whether `take` gives something now. */
  isDue(now: EpochMilliseconds): boolean {
    return [...this.#untold.keys()].some((key) => this.#isDue(key, now));
  }

  /** What is to be told now, each as the rest of an event; it is no longer untold. */
  take(now: EpochMilliseconds): DroppedBody[] {
    const taken: DroppedBody[] = [];
    for (const [key, sum] of this.#untold) {
      if (!this.#isDue(key, now)) continue;
      const [of, cause, sinks = ''] = key.split(' ') as [Kind, string, string?];
      const isInDoubt = cause.endsWith(IN_DOUBT);
      const why = (isInDoubt ? cause.slice(0, -IN_DOUBT.length) : cause) as Loss['why'];
      this.#untold.delete(key);
      this.#changed.add(key);
      this.#toldAt.set(key, now);
      taken.push({
        at: sum.to,
        of,
        why,
        first_seq: sum.first,
        last_seq: sum.last,
        ...(sum.runs === undefined ? {} : { runs: sum.runs }),
        count: sum.count,
        lost: sum.lost,
        ...(sinks === '' ? {} : { sinks: sinks.split(',') }),
        ...(isInDoubt ? { in_doubt: true as const } : {}),
        first: new Date(sum.from).toISOString(),
        last: new Date(sum.to).toISOString(),
      });
    }
    return taken;
  }

  /** What has to be kept, by key; null where nothing is untold any more. What is waited for at a kill is in doubt. */
  changes(): [string, string | null][] {
    const changes = Array.from(this.#changed, (key): [string, string | null] => {
      const untold = this.#untold.get(key);
      let sum = untold === undefined ? undefined : (JSON.parse(JSON.stringify(untold)) as Untold);
      for (const rows of this.#doubtful.values())
        for (const row of rows) if (row.key === key) sum = summed(sum, row.loss, row.seq, row.seq);
      return [key, sum === undefined ? null : JSON.stringify(sum)];
    });
    this.#changed.clear();
    return changes;
  }

  /** A copy that `reset` takes, for a transaction that fails. */
  copy(): LossesCopy {
    return {
      untold: new Map(Array.from(this.#untold, ([key, sum]) => [key, JSON.stringify(sum)] as const)),
      doubtful: new Map(Array.from(this.#doubtful, ([sink, rows]) => [sink, [...rows]] as const)),
      counts: { ...this.counts },
    };
  }

  reset({ untold, doubtful, counts }: LossesCopy): void {
    this.#untold.clear();
    this.#doubtful.clear();
    for (const [key, value] of untold) this.restore(key, value);
    for (const [sink, rows] of doubtful) this.#doubtful.set(sink, rows);
    Object.assign(this.counts, counts);
  }

  /** A full quota loses something with every batch. */
  #isDue(key: string, now: EpochMilliseconds): boolean {
    const toldAt = this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY;
    return !key.includes(' quota') || now < toldAt || now - toldAt >= QUOTA_PACE_MS;
  }

  #takeDoubtful(sink: string, isMeant: (row: Doubtful) => boolean): Doubtful[] {
    const rows = this.#doubtful.get(sink);
    if (rows === undefined) return [];
    const taken = rows.filter(isMeant);
    if (taken.length === rows.length) this.#doubtful.delete(sink);
    else if (taken.length > 0)
      this.#doubtful.set(
        sink,
        rows.filter((row) => !isMeant(row)),
      );
    return taken;
  }

  #sumUp(key: string, loss: Loss, first: number, last: number): void {
    const counts = this.counts as Record<Loss['why'], number>;
    for (const count of Object.values(loss.lost)) counts[loss.why] += count;
    this.#untold.set(key, summed(this.#untold.get(key), loss, first, last));
    this.#changed.add(key);
  }
}

interface LossesCopy {
  readonly untold: ReadonlyMap<string, string>;
  readonly doubtful: ReadonlyMap<string, Doubtful[]>;
  readonly counts: Readonly<Record<Loss['why'], number>>;
}

/** Names of sinks in a key: none where all have lost it. */
export function sinksText(some: readonly string[], all: readonly string[]): string {
  return some.length === all.length ? '' : some.join(',');
}

/** Behind the cause in a key: it may have arrived. */
const IN_DOUBT = '?';

function keyOf({ of, why }: Loss, sinks: string, isInDoubt = false): string {
  return `${of} ${why}${isInDoubt ? IN_DOUBT : ''}${sinks === '' ? '' : ` ${sinks}`}`;
}

/** A sum with a loss added: changed in place where there is one. */
function summed(sum: Untold | undefined, { lost, from, to }: Loss, first: number, last: number): Untold {
  const next = sum ?? { first, last, count: 0, lost: {}, from, to };
  addRun(next, first, last);
  next.first = Math.min(next.first, first);
  next.last = Math.max(next.last, last);
  next.from = Math.min(next.from, from);
  next.to = Math.max(next.to, to);
  let named = Object.keys(next.lost).length;
  for (const [identity, count] of Object.entries(lost)) {
    next.count += count;
    const isNamed = Object.hasOwn(next.lost, identity);
    if (!isNamed && named >= MAX_NAMED) next.lost.other = (next.lost.other ?? 0) + count;
    else {
      next.lost[identity] = (isNamed ? next.lost[identity]! : 0) + count;
      if (!isNamed) named++;
    }
  }
  return next;
}

/** Notes which numbers between the first and the last are lost. They come in order, but for those that came back. */
function addRun(sum: Untold, first: number, last: number): void {
  if (sum.runs === undefined && first <= sum.last + 1 && last >= sum.first - 1) return;
  sum.runs ??= [[sum.first, sum.last]];
  const at = sum.runs.findIndex((run) => first <= run[1] + 1);
  const run = at < 0 ? undefined : sum.runs[at]!;
  if (run !== undefined && last >= run[0] - 1) {
    run[0] = Math.min(run[0], first);
    run[1] = Math.max(run[1], last);
    const next = sum.runs[at + 1];
    if (next === undefined || run[1] < next[0] - 1) return;
    run[1] = Math.max(run[1], next[1]);
    sum.runs.splice(at + 1, 1);
    return;
  }
  if (sum.runs.length < MOST_RUNS) sum.runs.splice(at < 0 ? sum.runs.length : at, 0, [first, last]);
  else if (run !== undefined) run[0] = first;
  else sum.runs.at(-1)![1] = last;
}

/** The number under which the database keeps a kind. */
export function kindNumber(kind: Kind): number {
  return KINDS.indexOf(kind);
}
