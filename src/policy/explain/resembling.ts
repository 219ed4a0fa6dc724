import { type Decision, GROUND, VERDICT } from '../decide/decision.ts';
import { findLookAlike } from '../lookalike/look-alikes.ts';
import type { Identity, Snapshot } from '../snapshot.ts';
import { isSearchMiss } from './reason.ts';

/** Letters of the longer of two labels from which they are compared, unless the server file says another number. */
export const LEAST_LETTERS = 6;

/**
 * Whether a denied name may be one that was mistaken for an approved one: nothing else says why it is denied, and no search
 * list made it.
 */
function mayResemble(identity: Identity, decided: Decision): boolean {
  const { verdict, ground, expected } = decided;
  if (verdict !== VERDICT.DENY || ground !== GROUND.NOTHING || expected >= 0) return false;
  return identity.index >= 0 && !isSearchMiss(identity, decided);
}

/**
 * Looks whether a name that `mayResemble` can be taken for an approved one of its identity, and writes `resembles`. `length`:
 * as `findLookAlike` wants it; 0 looks for nothing.
 */
export function lookForResembling(
  snapshot: Snapshot,
  identity: Identity,
  decided: Decision,
  length: number,
): void {
  if (length === 0 || !mayResemble(identity, decided)) return;
  const { sets } = identity.everywhere ?? identity.view;
  decided.resembles = findLookAlike(snapshot.lookAlikes, sets, decided.subject.name, length);
}
