import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';

/** What an outage of a whole group is about, in place of a name. */
export const EVERY_NAME = 'every name upstream';

/** Registered domains that fail before an upstream is blamed, and not each of them. */
const MOST_BLAMED = 3;
/** Answers of one name are told so seldom, and a little: what was silent for less may have answered meanwhile. */
const LEAST_SILENCE_MS: Milliseconds = 35_000;

/** What is known of one group of upstreams. Milliseconds since 1970; -1 for never. */
interface Group {
  /** The first failure since the last answer, and hashes of the registered domains that have failed since. */
  since: EpochMilliseconds;
  readonly domains: Set<number>;
  /** Nothing has an answer: it is told in place of the names. */
  isDown: boolean;
  /** When it was over last. */
  endedAt: EpochMilliseconds;
  /** Identities to which it is told, and those of which nothing is open. */
  readonly told: Set<string>;
  readonly calm: Set<string>;
}

/**
 * Whether a group of upstreams fails as a whole: several registered domains have no answer, and nothing else has one. Then no
 * dependency is to blame. Bounded by the groups and identities of the policy.
 */
export class Outages {
  readonly #groups = new Map<number, Group>();

  /** Hears that a name had an answer from upstream just now; gives the identities for which an outage is over. */
  answered(group: number, identity: string, at: EpochMilliseconds): readonly string[] {
    const of = this.#of(group);
    of.since = -1;
    of.domains.clear();
    // What another run told may be open still.
    const over = of.calm.has(identity) ? [] : [identity];
    of.calm.add(identity);
    if (!of.isDown) return over;
    of.isDown = false;
    of.endedAt = at;
    over.push(...[...of.told].filter((other) => other !== identity));
    of.told.clear();
    return over;
  }

  /** Hears that a name has none. `domain`: a hash of its registered domain. `patience`: how long a dependency fails before it is told. */
  failed(group: number, domain: number, at: EpochMilliseconds, patience: Milliseconds): void {
    const of = this.#of(group);
    if (of.since < 0) of.since = at;
    if (of.domains.size < MOST_BLAMED) of.domains.add(domain);
    const silence = Math.max(patience, LEAST_SILENCE_MS);
    if (of.domains.size >= MOST_BLAMED && at - of.since >= silence) of.isDown = true;
  }

  /** Whether it is down; then it is told to this identity. */
  blames(group: number, identity: string): boolean {
    const of = this.#of(group);
    if (!of.isDown) return false;
    of.told.add(identity);
    of.calm.delete(identity);
    return true;
  }

  /** When its last outage ended: what has failed since before that is not known to fail by itself. */
  endOf(group: number): EpochMilliseconds {
    return this.#groups.get(group)?.endedAt ?? -1;
  }

  #of(group: number): Group {
    let of = this.#groups.get(group);
    if (of === undefined) {
      of = { since: -1, domains: new Set(), isDown: false, endedAt: -1, told: new Set(), calm: new Set() };
      this.#groups.set(group, of);
    }
    return of;
  }
}
