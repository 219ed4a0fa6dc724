import { VERDICT } from '../../policy/decide/decision.ts';
import { FOREVER } from '../../policy/input.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { Milliseconds, Monotonic, Seconds } from '../../wire/quantity.ts';
import type { Turn } from '../story/turn.ts';
import type { FirewallTerms } from './enforcement.ts';
import type { GrantReason } from './grant-line.ts';

/** Seconds: a grant lives for the TTL that was given, but at least the first, and the second on top. */
const LEAST_TTL: Seconds = 30;
const GRACE: Seconds = 60;

/** The first moment at which nothing may be left of a grant: the end of the rule, the lease; else infinity. */
export function hardEnd({ decision, asker, now, nextEpoch }: Turn): Monotonic {
  const rule = decision.until === FOREVER ? ENDLESS : now + 1000 * (decision.until - nextEpoch);
  return asker.bound === null ? rule : Math.min(rule, asker.bound.endsAt);
}

/** A moment that never comes, and a life without an end. */
const ENDLESS = Number.POSITIVE_INFINITY;

/** How long a grant lives of an answer with this TTL (seconds). */
export function lifeOf(turn: Turn, ttl: Seconds): Milliseconds {
  if (turn.asker.bound !== null && termsOf(turn)?.keep === 'lease') return ENDLESS;
  return 1000 * (Math.max(ttl, LEAST_TTL) + GRACE);
}

/** What the client may connect to. */
export function portsOf(turn: Turn, terms: FirewallTerms): readonly string[] {
  return termsOf(turn)?.ports ?? terms.ports;
}

function termsOf({
  decision,
  inForce,
}: Turn): { readonly ports: readonly string[] | null; readonly keep: 'lease' | null } | null {
  const { rule, verdict } = decision;
  const { rules } = inForce.snapshot;
  const approved = verdict === VERDICT.ALLOW || verdict === VERDICT.LOCAL;
  return rule < 0 || !approved ? null : rules.terms[rules.term[rule]!]!;
}

/** Why the answer is given, for who asks later. */
export function reasonOf({ decision, inForce, asker }: Turn, chain: readonly string[]): GrantReason {
  const { rule } = decision;
  return { chain, rule: ruleText(inForce.snapshot, rule), policy: asker.view.id };
}

/** `FILE:LINE`, as in events. */
export function ruleText({ rules }: Snapshot, rule: number): string | null {
  return rule < 0 ? null : `${rules.terms[rules.term[rule]!]!.file}:${rules.line[rule]!}`;
}
