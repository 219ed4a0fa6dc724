import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import type { KeptChanges } from './kept-changes.ts';
import type { Thresholds } from './kinds.ts';

/** Claims of ended leases that are remembered, and for how long. */
const MOST = 8_192;
const MEMORY: Milliseconds = 3_600_000;
/** A claim may be in quarantine for longer: whose it was is known for a day. */
const KEPT: Milliseconds = 86_400_000;
/** Leases that live. */
const MOST_LIVE = 32_768;

export const ENDING_KEY = 'detect ending ';

interface Ending {
  readonly lease: string;
  readonly identity: string;
  /** Milliseconds since 1970. */
  readonly at: EpochMilliseconds;
}

/** Which lease a claim had last, when that has ended. The oldest makes room. */
export class Endings {
  readonly #byClaim = new Map<string, Ending>();
  readonly #live = new Map<string, { readonly identity: string; readonly claims: readonly string[] }>();
  readonly #changed = new Set<string>();

  /** Claims have a lease: after a start each that lives is told again. */
  began(lease: string, identity: string, claims: readonly string[]): void {
    for (const claim of claims) this.#forget(claim);
    if (this.#live.size >= MOST_LIVE) this.#live.delete(this.#live.keys().next().value!);
    this.#live.set(lease, { identity, claims });
  }

  ended(lease: string, at: EpochMilliseconds): void {
    const { identity, claims } = this.#live.get(lease) ?? { identity: '', claims: [] };
    this.#live.delete(lease);
    for (const claim of claims) {
      this.#byClaim.delete(claim);
      if (this.#byClaim.size >= MOST) this.#forget(this.#byClaim.keys().next().value!);
      this.#byClaim.set(claim, { lease, identity, at });
      this.#changed.add(claim);
    }
  }

  /** Whether there is nobody after whose end somebody may ask. */
  get isEmpty(): boolean {
    return this.#byClaim.size === 0;
  }

  /** Forgets what is too long ago; to be called now and then. */
  tidy(now: EpochMilliseconds): void {
    for (const [claim, { at }] of this.#byClaim) if (now - at > KEPT) this.#forget(claim);
  }

  #forget(claim: string): void {
    if (this.#byClaim.delete(claim)) this.#changed.add(claim);
  }

  /** Adds what has to be kept since the last call. */
  changes(out: KeptChanges): void {
    for (const claim of this.#changed) {
      const ending = this.#byClaim.get(claim);
      out.set(`${ENDING_KEY}${claim}`, ending === undefined ? null : JSON.stringify(ending));
    }
    this.#changed.clear();
  }

  /** Takes up what `changes` gave to another run. */
  restore(kept: Iterable<readonly [key: string, text: string]>): void {
    for (const [key, text] of kept)
      this.#byClaim.set(key.slice(ENDING_KEY.length), JSON.parse(text) as Ending);
  }

  /** The lease after whose end a claim asks, or null. */
  after(
    claim: string,
    at: EpochMilliseconds,
    isInQuarantine: boolean,
    { grace }: NonNullable<Thresholds['after-end']>,
  ): Ending | null {
    const ending = this.#byClaim.get(claim);
    if (isInQuarantine) return ending ?? { lease: '', identity: '', at };
    if (ending === undefined || at - ending.at <= grace || at - ending.at > MEMORY) return null;
    return ending;
  }
}
