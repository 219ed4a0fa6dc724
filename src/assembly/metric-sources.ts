import type { Ledger } from '../detect/ledger.ts';
import { counter, gauge, type MetricSource, type Samples, single } from '../metric/metric.ts';
import type { Log } from '../report/log.ts';
import type { DistantSource } from '../report/metrics.ts';
import type { Resolver } from '../resolve/story/resolver.ts';
import type { EpochSeconds, Tick } from '../wire/quantity.ts';
import { identitySamples } from './identity-samples.ts';
import { policySamples } from './policy-samples.ts';
import type { StoryInForce } from './serving.ts';

export interface CountingRooms {
  /** Rooms that hand out what they count as it is; null for one that this server has not. */
  readonly rooms: readonly (DistantSource | null)[];
  readonly story: Pick<StoryInForce, 'present'>;
  readonly ledger: { readonly ledger: Ledger; readonly tick: Tick };
  readonly resolver: Pick<Resolver, 'waiting' | 'flights' | 'paid'>;
  readonly log: Pick<Log, 'dropped'>;
  /** Seconds since 1970. */
  readonly epoch: () => EpochSeconds;
}

/** All that is counted in a server, in the order in which a scrape shows it. */
export function metricSources(options: CountingRooms): DistantSource[] {
  const { rooms, story, ledger, epoch } = options;
  return [
    ...rooms.filter((room) => room !== null),
    { samples: () => storySamples(options) },
    { samples: () => policySamples(story.present.snapshot, epoch()) },
    ledgerSource(ledger),
    { samples: () => identitySamples(story.present.standings.all(), ledger.ledger, ledger.tick) },
  ];
}

function* storySamples({ resolver, log }: CountingRooms): Generator<Samples> {
  yield single(WAITING, resolver.waiting);
  yield single(PAID, resolver.paid.count);
  yield single(LOST_LINES, log.dropped);
}

function ledgerSource({ ledger }: CountingRooms['ledger']): MetricSource {
  return {
    *samples() {
      const { holders } = ledger;
      yield single(KEYS, holders.count);
      yield single(KEY_OCTETS, holders.octets);
      yield single(EVICTED, holders.evicted);
      yield single(CONTAINED, ledger.contained);
    },
  };
}

const WAITING = gauge('namegate_queries_waiting', 'Queries that wait for an upstream.');
const PAID = gauge(
  'namegate_paid_names',
  'Names under wildcards that are kept fresh since a client paid for them.',
);
const LOST_LINES = counter('namegate_log_lines_lost_total', 'Lines of the log that nobody read in time.');
const KEYS = gauge('namegate_ledger_keys', 'Keys of the leak ledger that have a balance.');
const KEY_OCTETS = gauge('namegate_ledger_bytes', 'Memory of these keys.');
const EVICTED = counter(
  'namegate_ledger_evicted_total',
  'Keys of the leak ledger that made room; their sums are kept.',
);
const CONTAINED = gauge('namegate_ledger_contained', 'Keys of the leak ledger that are contained now.');
