import { VERDICT, type Verdict } from '../../policy/decision.ts';

/** Verdicts as they are counted, by the numbers of `VERDICT`. */
const NAMES: readonly (readonly [string, number])[] = Object.entries(VERDICT).map(
  ([name, verdict]) => [name.toLowerCase(), verdict] as const,
);
const SIZE = Math.max(...NAMES.map(([, verdict]) => verdict)) + 1;

/**
 * How often each verdict was given under each lease. It grows with the leases that are in force, whoever asks what; a
 * question whose source is not proved is not counted, for anyone may have sent it.
 */
export class Tally {
  readonly #counts = new Map<string, Uint32Array>();

  count(lease: string, verdict: Verdict): void {
    let counts = this.#counts.get(lease);
    if (counts === undefined) {
      counts = new Uint32Array(SIZE);
      this.#counts.set(lease, counts);
    }
    counts[verdict]!++;
  }

  /** By verdict, zeros included. */
  of(lease: string): Record<string, number> {
    const counts = this.#counts.get(lease);
    return Object.fromEntries(NAMES.map(([name, verdict]) => [name, counts?.[verdict] ?? 0]));
  }

  /** Forgets a lease that has ended. */
  forget(lease: string): void {
    this.#counts.delete(lease);
  }
}
