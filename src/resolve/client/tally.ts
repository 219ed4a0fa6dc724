import { VERDICT, type Verdict } from '../../policy/decide/decision.ts';

/** Verdicts as they are counted, by the numbers of `VERDICT`. */
const NAMES: readonly (readonly [string, number])[] = Object.entries(VERDICT).map(
  ([name, verdict]) => [name.toLowerCase(), verdict] as const,
);
/** Behind the verdicts: denials of questions whose source anybody may have forged. */
const UNPROVEN = Math.max(...NAMES.map(([, verdict]) => verdict)) + 1;
/** Denials that are expected, with proof. */
const EXPECTED = UNPROVEN + 1;
const SIZE = EXPECTED + 1;

/**
 * How often each verdict was given under each lease, and how often a question without proof of its source was denied: those
 * are counted apart, for anyone may have sent them, and so are denials that are expected. It grows with the leases that are in force, whoever asks what.
 */
export class Tally {
  readonly #counts = new Map<string, Uint32Array>();

  count(lease: string, verdict: Verdict, proven: boolean, expected = false): void {
    // A quarantine has no lease; what is allowed without proof is asked again with it.
    if (lease === '' || (!proven && verdict !== VERDICT.DENY)) return;
    let counts = this.#counts.get(lease);
    if (counts === undefined) {
      counts = new Uint32Array(SIZE);
      this.#counts.set(lease, counts);
    }
    const known = expected && verdict === VERDICT.DENY ? EXPECTED : verdict;
    counts[proven ? known : UNPROVEN]!++;
  }

  /** By verdict, `deny_unproven` and `deny_expected`; zeros included. */
  of(lease: string): Record<string, number> {
    const counts = this.#counts.get(lease);
    const proven = NAMES.map(([name, verdict]) => [name, counts?.[verdict] ?? 0] as const);
    return Object.fromEntries([
      ...proven,
      ['deny_unproven', counts?.[UNPROVEN] ?? 0],
      ['deny_expected', counts?.[EXPECTED] ?? 0],
    ]);
  }

  /** Forgets a lease that has ended. */
  forget(lease: string): void {
    this.#counts.delete(lease);
  }
}
