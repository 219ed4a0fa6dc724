import { TYPE } from '../../wire/iana.ts';
import type { RrType } from '../../wire/quantity.ts';
import type { Identity, RuleIndex, Snapshot } from '../snapshot.ts';
import { approve, walk } from './decide.ts';
import { Decision, GROUND } from './decision.ts';

/**
 * The live entry of the identity's `expected:` that names a refused question, of any type, as an index into the rules of
 * `snapshot.expected`; -1 for none. It approves nothing: somebody said beforehand that the denial is no news. Allocates
 * nothing, and costs a comparison for an identity that expects nothing.
 */
export function findExpected(snapshot: Snapshot, identity: Identity, decided: Decision): RuleIndex {
  const { expectedView } = identity;
  if (expectedView === null || snapshot.expected === null || decided.ground === GROUND.SPECIAL) return -1;
  walk(snapshot.expected, decided.subject, 0, probe);
  probe.type = ANY_TYPE;
  probe.now = decided.now;
  return approve(snapshot.expected, expectedView, probe) ? probe.rule : -1;
}

const ANY_TYPE: RrType = TYPE.ANY;
/** Not re-entrant. */
const probe = new Decision();
