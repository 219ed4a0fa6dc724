import { type Identity, NODE, type Snapshot, type Stage } from '../snapshot.ts';
import { NO_NODE } from '../tree.ts';
import { approve } from './decide.ts';
import { type Decision, GROUND } from './decision.ts';

/** A rule of one of these kinds on the way may approve a name that stands nowhere. */
const PATTERN = NODE.STAR | NODE.GLOBSTAR | NODE.FAMILY;

/**
 * Whether another stage of the same identity, or the list that its present stage leaves out, approves a question that the
 * present view refuses, name and type. Then writes GROUND.OTHER_STAGE, `near` and `nearStage`; else leaves all as it is.
 * `decided`: as `decide` left it. Allocates nothing. One look at all stages together comes first, so a name that no stage
 * approves costs the same however many there are.
 */
export function approvedElsewhere(
  snapshot: Snapshot,
  identity: Identity,
  stage: Stage | null,
  decided: Decision,
): boolean {
  const { everywhere } = identity;
  if (everywhere === null || decided.ground === GROUND.SPECIAL) return false;
  if (decided.node === NO_NODE && (decided.seen & PATTERN) === 0) return false;
  const { rule, dynamic, until, refused, strange } = decided;
  const found = approve(snapshot, everywhere, decided) && findStage(snapshot, identity, stage, decided);
  if (found) {
    decided.ground = GROUND.OTHER_STAGE;
    decided.near = decided.rule;
  }
  decided.rule = rule;
  decided.dynamic = dynamic;
  decided.until = until;
  decided.refused = refused;
  decided.strange = strange;
  return found;
}

/** The stages that come later first, for a lease moves forward; then those before, and the identity's own list. */
function findStage(snapshot: Snapshot, identity: Identity, stage: Stage | null, decided: Decision): boolean {
  const { stages } = identity;
  const own = (stage ?? identity).view;
  const present = stage === null ? -1 : stages.indexOf(stage);
  for (let i = 1; i <= stages.length; i++) {
    const other = stages[(present + i) % stages.length]!;
    if (other.view === own || !approve(snapshot, other.view, decided)) continue;
    decided.nearStage = other;
    return true;
  }
  decided.nearStage = null;
  return stage !== null && approve(snapshot, identity.view, decided);
}
