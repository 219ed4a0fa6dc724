import { type Decision, GROUND, VERDICT } from '../decide/decision.ts';
import { findLookAlike } from '../lookalike/look-alikes.ts';
import type { Identity, Snapshot } from '../snapshot.ts';
import { isSearchMiss } from './reason.ts';

/** Letters of the longer of two labels from which they are compared, unless the server file says another number. */
export const LEAST_LETTERS = 6;

/**
 * Looks whether a denied name can be taken for an approved one of its identity, and writes `resembles`. Only where nothing else
 * says why it is denied. `length`: as `findLookAlike` wants it; 0 looks for nothing.
 */
export function lookForResembling(
  snapshot: Snapshot,
  identity: Identity,
  decided: Decision,
  length: number,
): void {
  const { subject, verdict, ground, expected } = decided;
  if (length === 0 || verdict !== VERDICT.DENY || ground !== GROUND.NOTHING || expected >= 0) return;
  if (identity.index < 0 || isSearchMiss(identity, decided)) return;
  const { sets } = identity.everywhere ?? identity.view;
  decided.resembles = findLookAlike(snapshot.lookAlikes, sets, subject.name, length);
}
