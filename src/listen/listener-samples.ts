import { counter, gauge, type Sample, type Samples } from '../metric/metric.ts';
import { type Listener, listenerUrl } from './listener.ts';
import type { StreamCounters } from './stream/stream-limits.ts';

/** What all listeners counted since they listen. */
export function* listenerSamples(listeners: readonly Listener[]): Generator<Samples> {
  const named = listeners.map((listener) => ({ url: listenerUrl(listener), counters: listener.counters }));
  yield { metric: RECEIVED, values: named.map(({ url, counters }) => one(counters.received, url)) };
  yield {
    metric: ENDED,
    values: named.flatMap(({ url, counters: { answered, dropped, sendErrors, faults } }) =>
      outcomes(url, { answered, dropped, send_error: sendErrors, fault: faults }),
    ),
  };
  const streams = listeners.flatMap((listener) =>
    listener.connections === undefined
      ? []
      : [
          {
            url: listenerUrl(listener),
            protocol: listener.protocol,
            open: listener.connections,
            counters: listener.counters as StreamCounters,
          },
        ],
  );
  yield { metric: CONNECTIONS, values: streams.map(({ url, open }) => one(open, url)) };
  yield { metric: ACCEPTED, values: streams.map(({ url, counters }) => one(counters.accepted, url)) };
  yield {
    metric: TURNED_AWAY,
    values: streams.flatMap(({ url, counters }) => outcomes(url, endsOf(counters))),
  };
  yield {
    metric: HANDSHAKES,
    values: streams.flatMap(({ url, protocol, counters: { handshakes, resumed, failed } }) =>
      protocol === 'tls' ? outcomes(url, { full: handshakes - resumed, resumed, failed }) : [],
    ),
  };
}

/** Connections that the listener ended, by why. */
function endsOf(counters: StreamCounters): Record<string, number> {
  const {
    refusedClient,
    refusedTotal,
    evicted,
    idle,
    slow,
    stalled,
    malformed,
    reset,
    late,
    proxy,
    distrusted,
  } = counters;
  return {
    client_cap: refusedClient,
    total_cap: refusedTotal,
    evicted,
    idle,
    slow,
    stalled,
    malformed,
    reset,
    late,
    proxy,
    distrusted,
  };
}

function one(value: number, ...labels: string[]): Sample {
  return { labels, value };
}

function outcomes(url: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([outcome, value]) => one(value, url, outcome));
}

const RECEIVED = counter('namegate_listener_received_total', 'Messages that a listener took.', 'listener');
const ENDED = counter(
  'namegate_listener_ended_total',
  'What became of these: answered or dropped. Of the answered ones, send_error could not be sent; fault is a bug.',
  'listener',
  'outcome',
);
const CONNECTIONS = gauge('namegate_listener_connections', 'Connections that are open.', 'listener');
const ACCEPTED = counter('namegate_listener_accepted_total', 'Connections that were taken.', 'listener');
const TURNED_AWAY = counter(
  'namegate_listener_closed_total',
  'Connections that the listener closed or lost, by why; a cap refuses them at once.',
  'listener',
  'reason',
);
const HANDSHAKES = counter(
  'namegate_listener_handshakes_total',
  'TLS handshakes, by how they ended.',
  'listener',
  'outcome',
);
