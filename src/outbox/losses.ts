import type { Loss } from './draft.ts';
import { type FeedEvent, KINDS, type Kind } from './event.ts';

/** Identities that one event of a loss names; the others are `other`. */
const MAX_NAMED = 1_000;
/** Between two events of what one quota lost: a full quota loses something with every batch. */
const QUOTA_PACE_MS = 5_000;

/** In a copy, what stands for the counts; no key of a loss is empty. */
const COUNTS = '';

/** What is lost and not told yet. It is kept as JSON in the table `state`. */
interface Untold {
  first: number;
  last: number;
  count: number;
  lost: Record<string, number>;
  from: number;
  to: number;
}

export type DroppedBody = Pick<
  FeedEvent,
  'of' | 'why' | 'first_seq' | 'last_seq' | 'count' | 'lost' | 'first' | 'last'
> & { readonly at: number };

/** Sums up what was lost, until it is told as an event. */
export class Losses {
  readonly #untold = new Map<string, Untold>();
  readonly #toldAt = new Map<string, number>();
  /** Keys whose sum changed since `changes` was asked. */
  readonly #changed = new Set<string>();
  /** Lost since the start, by why. */
  readonly counts: Readonly<Record<Loss['why'], number>> = { ring: 0, quota: 0, disk: 0 };

  /** Takes back what `changes` gave. */
  restore(key: string, value: string): void {
    this.#untold.set(key, JSON.parse(value) as Untold);
  }

  /** Adds a loss whose numbers are `first` to `last`. */
  add({ of, why, lost, from, to }: Loss, first: number, last: number): void {
    const key = `${of} ${why}`;
    const sum = this.#untold.get(key) ?? { first, last, count: 0, lost: {}, from, to };
    sum.first = Math.min(sum.first, first);
    sum.last = Math.max(sum.last, last);
    sum.from = Math.min(sum.from, from);
    sum.to = Math.max(sum.to, to);
    let named = Object.keys(sum.lost).length;
    const counts = this.counts as Record<Loss['why'], number>;
    for (const [identity, count] of Object.entries(lost)) {
      sum.count += count;
      counts[why] += count;
      const isNamed = Object.hasOwn(sum.lost, identity);
      if (!isNamed && named >= MAX_NAMED) sum.lost.other = (sum.lost.other ?? 0) + count;
      else {
        sum.lost[identity] = (isNamed ? sum.lost[identity]! : 0) + count;
        if (!isNamed) named++;
      }
    }
    this.#untold.set(key, sum);
    this.#changed.add(key);
  }

  /** What is to be told now, each as the rest of an event; it is no longer untold. */
  take(now: number, all: boolean): DroppedBody[] {
    const taken: DroppedBody[] = [];
    for (const [key, sum] of this.#untold) {
      const [of, why] = key.split(' ') as [Kind, Loss['why']];
      const toldAt = this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY;
      if (!all && why === 'quota' && now >= toldAt && now - toldAt < QUOTA_PACE_MS) continue;
      this.#untold.delete(key);
      this.#changed.add(key);
      this.#toldAt.set(key, now);
      taken.push({
        at: sum.to,
        of,
        why,
        first_seq: sum.first,
        last_seq: sum.last,
        count: sum.count,
        lost: sum.lost,
        first: new Date(sum.from).toISOString(),
        last: new Date(sum.to).toISOString(),
      });
    }
    return taken;
  }

  /** What has to be kept, by key; null where nothing is untold any more. */
  changes(): [string, string | null][] {
    const changes = Array.from(this.#changed, (key): [string, string | null] => {
      const sum = this.#untold.get(key);
      return [key, sum === undefined ? null : JSON.stringify(sum)];
    });
    this.#changed.clear();
    return changes;
  }

  /** A copy that `reset` takes, for a transaction that fails. */
  copy(): ReadonlyMap<string, string> {
    return new Map([
      ...Array.from(this.#untold, ([key, sum]) => [key, JSON.stringify(sum)] as const),
      [COUNTS, JSON.stringify(this.counts)],
    ]);
  }

  reset(copy: ReadonlyMap<string, string>): void {
    this.#untold.clear();
    this.#changed.clear();
    for (const [key, value] of copy) {
      if (key === COUNTS) Object.assign(this.counts, JSON.parse(value));
      else this.restore(key, value);
    }
  }
}

/** The number under which the database keeps a kind. */
export function kindNumber(kind: Kind): number {
  return KINDS.indexOf(kind);
}
