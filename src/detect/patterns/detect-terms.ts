import { isAtOrUnder } from '../../wire/name.ts';
import type { Detected } from './kinds.ts';
import type { Observed } from './observed.ts';

/** What an identity's part of the policy says to detectors. */
export interface DetectTerms {
  /** Kinds that are off for it. */
  readonly off: ReadonlySet<Detected>;
  /** Search suffixes of its stubs, as wire names in lower case: what lies under one is noise where it is denied. */
  readonly search: readonly Uint8Array[];
}

export const NO_TERMS: DetectTerms = { off: new Set(), search: [] };

/** A stub appends its search suffixes to each name: what is denied under one says nothing. */
export function isNoise({ name }: Observed, { search }: DetectTerms): boolean {
  for (const suffix of search) if (name.length > suffix.length && isAtOrUnder(name, suffix)) return true;
  return false;
}
