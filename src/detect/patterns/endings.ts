import type { Thresholds } from './kinds.ts';

/** Claims of ended leases that are remembered, and for how long. */
const MOST = 8_192;
const MEMORY = 3_600_000;

interface Ending {
  readonly lease: string;
  readonly identity: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Which lease a claim had last, when that has ended. The oldest makes room. */
export class Endings {
  readonly #byClaim = new Map<string, Ending>();

  ended(claims: readonly string[], lease: string, identity: string, at: number): void {
    for (const claim of claims) {
      this.#byClaim.delete(claim);
      if (this.#byClaim.size >= MOST) this.#byClaim.delete(this.#byClaim.keys().next().value!);
      this.#byClaim.set(claim, { lease, identity, at });
    }
  }

  /** A claim has a lease again. */
  began(claims: readonly string[]): void {
    for (const claim of claims) this.#byClaim.delete(claim);
  }

  /** The lease after whose end a claim asks, or null. */
  after(
    claim: string,
    at: number,
    isInQuarantine: boolean,
    { grace }: NonNullable<Thresholds['after-end']>,
  ): Ending | null {
    const ending = this.#byClaim.get(claim);
    if (isInQuarantine) return ending ?? { lease: '', identity: '', at };
    if (ending === undefined || at - ending.at <= grace || at - ending.at > MEMORY) return null;
    return ending;
  }
}
