import { GROUND } from '../../policy/decide/decision.ts';
import { OWN_ZONE } from '../../policy/special.ts';
import { isAtOrUnder } from '../../wire/name.ts';
import type { Turn } from './turn.ts';

/** Whether a denial is only recorded. Special names, our own zone and private reverse zones are as in enforce mode. */
export function isAudited({ asker, decision, query, epoch }: Turn): boolean {
  if (asker.standing.identity.auditUntil <= epoch) return false;
  if (decision.ground === GROUND.SPECIAL || decision.privateReverse) return false;
  return !isAtOrUnder(query.name.subarray(0, query.nameLength), OWN_ZONE);
}
