import { byLabel, counter, gauge, type Sample, type Samples, single } from '../../metric/metric.ts';
import type { Feed } from '../../outbox/feed.ts';
import type { WorkerStatus } from '../../outbox/feed-messages.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';

/** What the alert feed counts. `status`: what its worker said last, null where it said nothing. `now`: ms since 1970. */
export function* feedSamples(
  { writer, restarts }: Pick<Feed, 'writer' | 'restarts'>,
  status: WorkerStatus | null,
  now: EpochMilliseconds,
): Generator<Samples> {
  const { lost, depth } = writer.counts;
  yield single(RING, depth);
  yield single(RESTARTS, restarts);
  yield single(WORKING, status !== null && status.trouble === null ? 1 : 0);
  if (status === null) {
    yield byLabel(DROPPED, [['ring', lost]]);
    return;
  }
  const { numbers, decisions, findings, sinks, lost: dropped } = status.store;
  yield byLabel(DROPPED, Object.entries({ ring: lost, quota: dropped.quota }));
  yield byLabel(EVENTS, Object.entries(numbers));
  const tables = Object.entries({ decisions, findings });
  yield byLabel(
    KEPT,
    tables.map(([table, { rows }]) => [table, rows]),
  );
  yield byLabel(
    OCTETS,
    tables.map(([table, { octets }]) => [table, octets]),
  );
  yield byLabel(
    QUOTA,
    tables.map(([table, { quota }]) => [table, quota]),
  );
  yield single(UNREADABLE, status.faults);
  for (const [name, metric] of FIGURES) {
    const value = status.figures[name];
    if (value !== undefined) yield single(metric, value);
  }
  const each = (value: (sink: (typeof sinks)[number]) => number): Sample[] =>
    sinks.map((sink) => ({ labels: [sink.name], value: value(sink) }));
  yield { metric: OWED, values: each(({ depth: owed }) => owed) };
  yield {
    metric: OLDEST,
    values: each(({ oldest }) => (oldest === null ? 0 : Math.max(0, now - oldest) / 1000)),
  };
  yield { metric: DEAD, values: each(({ dead }) => dead) };
  yield {
    metric: REFUSED,
    values: status.sinks.map(({ name, status: state }) => ({
      labels: [name],
      value: state === 'refused' ? 1 : 0,
    })),
  };
}

const RING = gauge(
  'namegate_feed_ring_slots',
  'Slots of the ring that wait for the worker of the alert feed.',
);
const RESTARTS = counter(
  'namegate_feed_worker_restarts_total',
  'Times that the worker of the alert feed was started again.',
);
const WORKING = gauge('namegate_feed_up', '1 while the worker of the alert feed writes events down.');
const DROPPED = counter(
  'namegate_feed_dropped_total',
  'Events that were dropped since the start, and counted by identity: the ring or a quota was full.',
  'reason',
);
const EVENTS = counter(
  'namegate_feed_events_total',
  'The last sequence number of each kind of event.',
  'kind',
);
const KEPT = gauge('namegate_feed_kept_events', 'Events in the database.', 'table');
const OCTETS = gauge('namegate_feed_kept_bytes', 'Size of these events.', 'table');
const QUOTA = gauge('namegate_feed_quota_bytes', 'Size that these events may have.', 'table');
const UNREADABLE = counter('namegate_feed_unreadable_total', 'Slots of the ring that could not be read.');
const OWED = gauge(
  'namegate_feed_sink_events',
  'Events behind the last that a sink has acknowledged.',
  'sink',
);
const OLDEST = gauge(
  'namegate_feed_sink_oldest_seconds',
  'Age of the oldest event that a sink has not acknowledged; 0 where there is none.',
  'sink',
);
const DEAD = gauge(
  'namegate_feed_sink_dead_letters',
  'Events that the receiver of a sink does not take.',
  'sink',
);
const REFUSED = gauge(
  'namegate_feed_sink_refused',
  '1 while a receiver does not accept what a sink shows, and the sink has stopped.',
  'sink',
);
/** What followers of the ring count, by the name that they have for it. */
const FIGURES = [
  [
    'historyQuestions',
    counter('namegate_history_questions_total', 'Questions that the history wrote down since the start.'),
  ],
  [
    'historyLost',
    counter(
      'namegate_history_lost_total',
      'Questions that had no room on their way to the history; accounts say so.',
    ),
  ],
  ['historyOctets', gauge('namegate_history_bytes', 'What the rows of the history take.')],
  ['historyQuota', gauge('namegate_history_size_bytes', 'What they may take.')],
] as const;
