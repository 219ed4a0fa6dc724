import { VERDICT } from '../../policy/decide.ts';
import type { PrivateGrant } from '../../policy/input.ts';
import type { Rules } from '../../policy/snapshot.ts';
import type { ReplySetting } from '../../settings/settings.ts';
import type { Turn } from './turn.ts';

/**
 * Seconds that a TTL may have for this client: the bounds of the config, what is left of the rule, and what is left of the
 * lease that says who asks.
 */
export function ttlBound({ decision, bound, now, epoch }: Turn, replies: ReplySetting): number {
  const { maxTtl, dynamicMaxTtl } = replies;
  const dynamic = decision.dynamic || bound !== null;
  const left = bound === null ? maxTtl : (bound.endsAt - now) / 1000;
  const most = dynamic ? Math.min(maxTtl, dynamicMaxTtl, left) : maxTtl;
  return Math.max(0, Math.floor(Math.min(most, decision.until - epoch)));
}

/** Which restricted addresses an answer may hold: what the redirect says, else what the rule says. */
export function grantOf({ decision }: Turn, rules: Rules, redirect: PrivateGrant | undefined): PrivateGrant {
  if (redirect !== undefined) return redirect;
  const { rule, verdict } = decision;
  return rule < 0 || verdict !== VERDICT.ALLOW ? false : rules.terms[rules.term[rule]!]!.private;
}
