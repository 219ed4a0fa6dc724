import { decide } from '../../policy/decide/decide.ts';
import { GROUND, VERDICT } from '../../policy/decide/decision.ts';
import { approvedElsewhere } from '../../policy/decide/elsewhere.ts';
import { findExpected } from '../../policy/decide/expected.ts';
import { findNear } from '../../policy/explain/near-miss.ts';
import { lookForResembling } from '../../policy/explain/resembling.ts';
import { FLAG } from '../../wire/header.ts';
import { isTrustType, TYPE } from '../../wire/iana.ts';
import { unreachable } from '../../wire/quantity.ts';
import { followRedirects } from '../local/redirect.ts';
import { isAudited } from './audit.ts';
import type { TrustTargets } from './trust.ts';
import { COURSE, type CourseKind, type Turn } from './turn.ts';

/** Decides the question under the policy in force, and says what follows. Writes `turn.decision` and `turn.course`. */
export function decideQuestion(turn: Turn, trust: TrustTargets): CourseKind {
  const { query, asker, decision, course } = turn;
  decide(turn.inForce.snapshot, asker.view, query, query.type, isValidating(turn), turn.epoch, decision);
  course.kind = courseOf(turn, trust);
  return course.kind;
}

/** The client checks signatures itself, or asks not to have them checked. */
export function isValidating({ query }: Turn): boolean {
  return query.dnssecOk || (query.flags & FLAG.CD) !== 0;
}

function courseOf(turn: Turn, trust: TrustTargets): CourseKind {
  const { verdict } = turn.decision;
  switch (verdict) {
    case VERDICT.LOCAL:
      return localCourse(turn);
    case VERDICT.ALLOW:
      return fetchCourse(turn);
    case VERDICT.EMPTY:
    case VERDICT.DENY:
      if (isTrustQuestion(turn, trust)) return COURSE.FETCH;
      if (turn.asker.isKnown) lookAround(turn);
      if (isAudited(turn)) {
        turn.course.isAudited = true;
        return fetchCourse(turn);
      }
      return verdict === VERDICT.EMPTY ? COURSE.EMPTY : COURSE.DENY;
    default:
      return unreachable(verdict);
  }
}

/** Why nothing approves the question may be something that people can mend. */
function lookAround({ asker, decision, inForce }: Turn): void {
  const { snapshot } = inForce;
  const { identity } = asker.standing;
  decision.expected = findExpected(snapshot, identity, decision);
  if (approvedElsewhere(snapshot, identity, asker.stage, decision)) return;
  if (decision.ground !== GROUND.NOTHING) return;
  const near = findNear(snapshot, asker.view, decision);
  if (near !== null) decision.ground = near;
  else lookForResembling(snapshot, identity, decision, inForce.nearMiss);
}

function fetchCourse({ query }: Turn): CourseKind {
  return query.type === TYPE.ANY ? COURSE.ANY : COURSE.FETCH;
}

/** A redirect whose target is not our own is fetched, but for its CNAME itself. */
function localCourse({ query, decision, course, inForce }: Turn): CourseKind {
  if (decision.ground === GROUND.SPECIAL) return COURSE.LOCAL;
  if (query.type === TYPE.ANY) return COURSE.ANY;
  const { redirect } = inForce.snapshot.locals.get(decision.node)!;
  if (redirect === null) return COURSE.LOCAL;
  course.redirect = followRedirects(inForce.snapshot, redirect);
  return course.redirect.local === null && query.type !== TYPE.CNAME ? COURSE.FETCH : COURSE.LOCAL;
}

/** DS and DNSKEY of what a chain just given leads to. A special name stays one, and so does a name with local data. */
function isTrustQuestion(turn: Turn, trust: TrustTargets): boolean {
  const { query, decision } = turn;
  if (!isTrustType(query.type)) return false;
  const free = decision.ground === GROUND.NOTHING || decision.ground === GROUND.ABOVE;
  if (!free || !isValidating(turn)) return false;
  turn.course.trust = trust.find(turn);
  return turn.course.trust !== null;
}
