import type { Terms } from '../../policy/snapshot.ts';
import type { Monotonic } from '../../wire/quantity.ts';

/** What a validator may ask about, and who pays for it. */
export interface TrustTarget {
  readonly until: Monotonic;
  /** Base of the wildcard whose answer led here, in wire form; empty where a written-out name did, which is free. */
  readonly base: Uint8Array;
  /** Bases of the wider wildcards above it, which pay too. */
  readonly wider: readonly Uint8Array[];
  /** Of the rule that approved that answer; null in an audit. */
  readonly terms: Terms | null;
}
