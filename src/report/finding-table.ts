import { SharedTable } from '../detect/shared-table.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';

/** After this a finding is told again. */
const TELL_AGAIN: Milliseconds = 3_600_000;
/** Findings that are remembered, so as to be told once: of one identity, and of all. */
const MAX_OF_ONE = 128;
const MAX_OF_ALL = 2048;

/**
 * Which findings have been told. Each identity has room of its own: however many findings one of them makes, those of
 * another are told.
 */
export class FindingTable {
  /** By identity, then by finding, when it was told: insertion order is time order. */
  readonly #told = new SharedTable<Monotonic>(MAX_OF_ONE, MAX_OF_ALL);

  /**
   * `tell`: it is new, or an hour old, and is remembered from now on. `known`: it was told within the hour. `fold`: there is no
   * room for it.
   */
  judge(identity: string, key: string, now: Monotonic): 'tell' | 'known' | 'fold' {
    const told = this.#told;
    const before = told.get(identity, key);
    if (before !== undefined && now - before < TELL_AGAIN) return 'known';
    told.delete(identity, key);
    for (const [old, at] of told.entriesOf(identity)) {
      if (now - at < TELL_AGAIN) break;
      told.delete(identity, old);
    }
    // One that was told before has had its place.
    if (before === undefined && told.isFull(identity)) return 'fold';
    told.add(identity, key, now);
    return 'tell';
  }
}

/** Findings that were counted and not told one by one. */
export interface Folded {
  readonly identity: string;
  /** For want of room. */
  readonly folded: number;
  /** Since the source address may be forged. */
  readonly unproven: number;
}

/** Identities that are told of by name each time; the others are told of together. */
const MAX_NAMED = 32;

/** Counts what is not told one by one. It grows with the identities of the policy, whatever clients send. */
export class FoldedFindings {
  readonly #counts = new Map<string, { folded: number; unproven: number }>();

  count(identity: string, why: 'folded' | 'unproven'): void {
    const counts = this.#counts.get(identity) ?? { folded: 0, unproven: 0 };
    counts[why]++;
    this.#counts.set(identity, counts);
  }

  /** What was counted since the last call, whoever has most first; what is beyond 32 identities comes as one, without a name. */
  take(): readonly Folded[] {
    const all = Array.from(this.#counts, ([identity, counts]) => ({ identity, ...counts }));
    this.#counts.clear();
    all.sort((a, b) => b.folded + b.unproven - (a.folded + a.unproven));
    if (all.length <= MAX_NAMED) return all;
    const rest = all.slice(MAX_NAMED);
    const sum = (of: 'folded' | 'unproven'): number => rest.reduce((total, each) => total + each[of], 0);
    return [...all.slice(0, MAX_NAMED), { identity: '', folded: sum('folded'), unproven: sum('unproven') }];
  }
}
