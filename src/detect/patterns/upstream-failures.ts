import { nameToText } from '../../wire/name.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { hashesOf } from './attempts.ts';
import { DEPENDENCY_KEY, Dependencies } from './dependencies.ts';
import type { KeptChanges } from './kept-changes.ts';
import type { Thresholds } from './kinds.ts';
import { latin1, noticed } from './notice.ts';
import type { Noticed, OctetHash, UpstreamOutcome } from './observed.ts';
import { EVERY_NAME, Outages } from './outages.ts';

/** A finding that has no end of its own stays open so long. */
const OUTAGE: Milliseconds = 7 * 86_400_000;

type Limits = NonNullable<Thresholds['dependency']>;

/** Tells an approved name that fails from an upstream that fails: of the second each name would be a finding. */
export class UpstreamFailures {
  readonly #dependencies = new Dependencies();
  readonly #outages = new Outages();
  readonly #hash: OctetHash;

  constructor(hash: OctetHash) {
    this.#hash = hash;
  }

  /** Hears what became of an approved question, and adds what is to be told to `out`. */
  take(outcome: UpstreamOutcome, limits: Limits, out: Noticed[]): void {
    const { identity, name, count, group } = outcome;
    this.#takeUpstream(outcome, limits, out);
    const state = this.#dependencies.take(outcome, latin1(name, 0), limits, this.#outages.endOf(group));
    if (state === null) return;
    if (state === 'failed' && this.#outages.blames(group, identity)) {
      out.push({ ...ofUpstream(identity, group, count), words: UPSTREAM_FAILS });
      return;
    }
    const text = nameToText(name);
    const base = noticed('dependency', identity, text, text, OUTAGE, count);
    out.push(state === 'over' ? { ...base, isOver: true } : base);
  }

  /** Whether names have answers at all. */
  #takeUpstream(
    { group, identity, name, domain, outcome, isFresh, at }: UpstreamOutcome,
    limits: Limits,
    out: Noticed[],
  ): void {
    if (outcome === 'failed') {
      const [low] = hashesOf(this.#hash, name, domain);
      this.#outages.failed(group, low, at, limits.for);
    } else if (isFresh)
      for (const each of this.#outages.answered(group, identity, at))
        out.push({ ...ofUpstream(each, group, 1), isOver: true });
  }

  /** See `Detectors.changes`. */
  changes(out: KeptChanges): void {
    this.#dependencies.changes(out);
  }

  /** See `Detectors.restore`. */
  restore(kept: (prefix: string) => Iterable<readonly [key: string, text: string]>): void {
    this.#dependencies.restore(kept(DEPENDENCY_KEY));
  }

  /** Names that it remembers. */
  get count(): number {
    return this.#dependencies.count;
  }
}

const UPSTREAM_FAILS = {
  text: 'no approved name has an answer from upstream: the upstream fails, and no dependency is to blame',
  next: 'look at the upstreams of namegate and at the way to them; the policy is not to blame',
};

function ofUpstream(identity: string, group: number, count: number): Noticed {
  return noticed('dependency', identity, `upstream ${group}`, EVERY_NAME, OUTAGE, count);
}
