import { byLabel, counter, gauge, type Samples, single } from '../../metric/metric.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import type { FeedCounts } from './grant-feed.ts';

/** What the resolver's side of the firewall counts. */
export interface FirewallCounts {
  /** Clients, and grants: a name that opens an address to one of them. */
  readonly book: { readonly size: number; readonly grants: number };
  /** The way to `namegate enforce`; null where the server file has feeds alone. */
  readonly link: { readonly isSettled: boolean; readonly oldest: Milliseconds } | null;
  /** Changes of the rules by somebody else. */
  readonly changes: number;
  /** Answers that were not given, or without their grants, by finding. */
  readonly ungranted: Iterable<readonly [string, number]>;
  /** Packets, by whether each was told with its client and address. */
  readonly refused: Iterable<readonly [string, number]>;
  /** By the feed's name. */
  readonly feeds: readonly (readonly [string, FeedCounts])[];
}

export function* firewallSamples(counts: FirewallCounts): Generator<Samples> {
  const { book, link, changes, ungranted, refused, feeds } = counts;
  const ofLink = (value: number): Samples['values'] => (link === null ? [] : [{ labels: [], value }]);
  yield single(GRANTS, book.grants);
  yield single(CLIENTS, book.size);
  yield { metric: UP, values: ofLink(link?.isSettled ? 1 : 0) };
  yield { metric: OLDEST, values: ofLink((link?.oldest ?? 0) / 1000) };
  yield { metric: CHANGES, values: ofLink(changes) };
  yield byLabel(UNGRANTED, ungranted);
  yield byLabel(REFUSED, refused);
  for (const [metric, value] of OF_FEEDS)
    yield byLabel(
      metric,
      feeds.map(([name, each]) => [name, value(each)] as const),
    );
}

const GRANTS = gauge('namegate_grants', 'Grants that hold: a name that opens an address to a client.');
const CLIENTS = gauge(
  'namegate_granted_clients',
  'Clients that have grants, or are known by their certificate alone.',
);
const UP = gauge('namegate_enforce_up', '1 while namegate enforce has all that is live.');
const OLDEST = gauge(
  'namegate_enforce_oldest_seconds',
  'Age of the oldest grant that namegate enforce has not acknowledged and an answer waits for; 0 where there is none.',
);
const CHANGES = counter(
  'namegate_enforce_rules_changed_total',
  'Times that somebody else had changed the rules of the firewall.',
);
const UNGRANTED = counter(
  'namegate_ungranted_answers_total',
  'Answers that were not given, or without their grants: they came too late, or were too many.',
  'finding',
);
const REFUSED = counter(
  'namegate_refused_packets_total',
  'Packets that the firewall refused; told: each with its client and address, or only counted.',
  'told',
);

const OF_FEEDS = [
  [
    gauge('namegate_grant_feed_consumers', 'Consumers of a grant feed that are connected.', 'feed'),
    ({ consumers }: FeedCounts) => consumers,
  ],
  [
    gauge('namegate_grant_feed_synced', 'Consumers that have acknowledged all that is live.', 'feed'),
    ({ synced }: FeedCounts) => synced,
  ],
  [
    counter(
      'namegate_grant_feed_dropped_total',
      'Times that a consumer of a grant feed was too slow, and lines were dropped.',
      'feed',
    ),
    ({ dropped }: FeedCounts) => dropped,
  ],
  [
    gauge(
      'namegate_grant_feed_oldest_seconds',
      'Age of the oldest line of a grant feed that a consumer has not acknowledged; 0 where there is none.',
      'feed',
    ),
    ({ oldest }: FeedCounts) => oldest / 1000,
  ],
] as const;
