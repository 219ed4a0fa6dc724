import type { Milliseconds } from '../wire/quantity.ts';

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
  /** By identity, then by finding, when it was told. The oldest stands first: insertion order is time order. */
  readonly #told = new Map<string, Map<string, Milliseconds>>();
  #size = 0;

  /**
   * `tell`: it is new, or an hour old, and is remembered from now on. `known`: it was told within the hour. `fold`: there is no
   * room for it.
   */
  judge(identity: string, key: string, now: Milliseconds): 'tell' | 'known' | 'fold' {
    const own = this.#told.get(identity) ?? new Map<string, Milliseconds>();
    const before = own.get(key);
    if (before !== undefined && now - before < TELL_AGAIN) return 'known';
    if (before !== undefined) this.#drop(identity, own, key);
    else if (!this.#makeRoom(identity, own, now)) return 'fold';
    own.set(key, now);
    this.#told.set(identity, own);
    this.#size++;
    return 'tell';
  }

  #makeRoom(identity: string, own: Map<string, Milliseconds>, now: Milliseconds): boolean {
    for (const [key, at] of own) {
      if (now - at < TELL_AGAIN) break;
      this.#drop(identity, own, key);
    }
    if (own.size >= MAX_OF_ONE) return false;
    if (this.#size < MAX_OF_ALL) return true;
    // Whoever has less than its share takes the oldest place of whoever has most.
    const share = Math.max(1, Math.floor(MAX_OF_ALL / (this.#told.size + (own.size === 0 ? 1 : 0))));
    if (own.size >= share) return false;
    let most = own;
    let whose = identity;
    for (const [name, theirs] of this.#told) {
      if (theirs.size <= most.size) continue;
      most = theirs;
      whose = name;
    }
    const [oldest] = most.keys();
    if (oldest === undefined) return false;
    this.#drop(whose, most, oldest);
    return true;
  }

  #drop(identity: string, from: Map<string, Milliseconds>, key: string): void {
    from.delete(key);
    this.#size--;
    if (from.size === 0) this.#told.delete(identity);
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
