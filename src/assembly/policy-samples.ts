import { gauge, type Samples, single } from '../metric/metric.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import type { EpochSeconds } from '../wire/quantity.ts';

/** What is in force, and what a person should look after in it. `epoch`: seconds since 1970, now. */
export function* policySamples(
  { identities, rules, views }: Snapshot,
  epoch: EpochSeconds,
): Generator<Samples> {
  yield single(IDENTITIES, identities.length);
  yield single(RULES, rules.count);
  yield single(VIEWS, views.length);
  yield single(AUDITED, identities.filter(({ auditUntil }) => auditUntil > epoch).length);
  yield single(OVERDUE, identities.filter(({ reviewBy }) => reviewBy !== null && reviewBy < epoch).length);
}

const IDENTITIES = gauge('namegate_policy_identities', 'Identities of the policy in force.');
const RULES = gauge('namegate_policy_rules', 'Rules of the policy in force.');
const VIEWS = gauge('namegate_policy_views', 'Different views of the policy in force.');
const AUDITED = gauge(
  'namegate_policy_audited_identities',
  'Identities in audit mode: nothing is denied to them.',
);
const OVERDUE = gauge('namegate_policy_reviews_overdue', 'Identities whose review date has passed.');
