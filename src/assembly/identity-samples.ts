import { UNITS_A_BIT } from '../detect/charge.ts';
import { HOLDER } from '../detect/holder.ts';
import type { Ledger } from '../detect/ledger.ts';
import { counter, gauge, type Metric, type Sample, type Samples } from '../metric/metric.ts';
import type { Standing, Underway } from '../resolve/client/standing.ts';
import type { Tick } from '../wire/quantity.ts';

/** Identities that have samples of their own. */
const MOST_NAMED = 1_000;
const OTHER = 'other';

/**
 * What was counted for each identity of the policy. It goes over a reload by the identity's name. Beyond 1,000 identities those
 * that came last are summed up as `other`: which ones are named does not change while they are there.
 */
export function* identitySamples(
  standings: Iterable<Standing>,
  ledger: Pick<Ledger, 'holders'>,
  tick: Tick,
): Generator<Samples> {
  const named: [string, Underway][] = [];
  const others: [string, Underway][] = [];
  const all = Array.from(
    standings,
    ({ identity, underway }) => [identity.name, underway] as [string, Underway],
  );
  all.sort(([, a], [, b]) => a.id - b.id);
  for (const each of all) (each[0] !== OTHER && named.length <= MOST_NAMED ? named : others).push(each);
  for (const [metric, value] of COUNTS)
    yield { metric, values: rows(named, others, ([, own]) => value(own)) };
  const octets = octetsOf(ledger, tick);
  yield { metric: OCTETS, values: rows(named, others, ([name]) => octets.get(name) ?? 0) };
}

function* rows(
  named: readonly [string, Underway][],
  others: readonly [string, Underway][],
  value: (each: [string, Underway]) => number,
): Generator<Sample> {
  for (const each of named) yield { labels: [each[0]], value: value(each) };
  if (others.length > 0) yield { labels: [OTHER], value: others.reduce((sum, each) => sum + value(each), 0) };
}

/** Octets in the ledger's window, by identity: of those that were charged. */
function octetsOf({ holders }: Pick<Ledger, 'holders'>, tick: Tick): ReadonlyMap<string, number> {
  const octets = new Map<string, number>();
  for (const holder of holders.all()) {
    if (holder.kind === HOLDER.IDENTITY) octets.set(holder.subject, holder.balance(tick) / (8 * UNITS_A_BIT));
  }
  return octets;
}

const COUNTS: readonly (readonly [Metric, (of: Underway) => number])[] = [
  [
    counter('namegate_identity_queries_total', 'Queries of an identity that ended.', 'identity'),
    ({ queries }) => queries,
  ],
  [
    counter(
      'namegate_identity_denied_total',
      'Questions of an identity that were denied; none whose source may be forged.',
      'identity',
    ),
    ({ denied }) => denied,
  ],
  [
    counter(
      'namegate_identity_contained_total',
      'Questions of an identity that the leak ledger refused.',
      'identity',
    ),
    ({ contained }) => contained,
  ],
  [
    counter(
      'namegate_identity_limited_total',
      'Queries of an identity that one of its limits refused.',
      'identity',
    ),
    ({ limited }) => limited,
  ],
  [
    counter(
      'namegate_identity_audited_total',
      'Queries that only the audit mode of an identity let through.',
      'identity',
    ),
    ({ audited }) => audited,
  ],
  [
    gauge('namegate_identity_in_flight', 'Questions of an identity that wait for an upstream.', 'identity'),
    ({ inFlight }) => inFlight,
  ],
];
const OCTETS = gauge(
  'namegate_identity_ledger_bytes',
  'What an identity can have put upstream through wildcards in the last day, as the leak ledger counts it.',
  'identity',
);
