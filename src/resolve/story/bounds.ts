import { VERDICT } from '../../policy/decide/decision.ts';
import type { RestrictedRanges } from '../../policy/input.ts';
import type { Seconds } from '../../wire/quantity.ts';
import type { Turn } from './turn.ts';

/**
 * Seconds that a TTL may have for this client: the bounds of the config, what is left of the rule, and what is left of the
 * lease that says who asks.
 */
export function ttlBound({ decision, asker, now, nextEpoch, inForce }: Turn): Seconds {
  const { maxTtl, dynamicMaxTtl } = inForce.replies;
  const { bound } = asker;
  const dynamic = decision.dynamic || bound !== null;
  const left = bound === null ? maxTtl : (bound.endsAt - now) / 1000;
  const most = dynamic ? Math.min(maxTtl, dynamicMaxTtl, left) : maxTtl;
  return Math.max(0, Math.floor(Math.min(most, decision.until - nextEpoch)));
}

/** Which restricted addresses an answer may hold: what the redirect says, else what the rule says. */
export function rangesOf({ decision, course, inForce }: Turn): RestrictedRanges {
  if (course.redirect !== null) return course.redirect.last.private;
  const { rule, verdict } = decision;
  const { rules } = inForce.snapshot;
  return rule < 0 || verdict !== VERDICT.ALLOW ? false : rules.terms[rules.term[rule]!]!.private;
}
