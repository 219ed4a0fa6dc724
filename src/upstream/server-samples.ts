import { counter, gauge, histogram, type Sample, type Samples, single } from '../metric/metric.ts';
import type { UpstreamCounters } from './upstream-event.ts';
import type { Server } from './upstream-server.ts';

/** A server, and the group that asks it. One that two groups name is asked by each as another. */
export interface Grouped {
  readonly group: string;
  readonly server: Server;
}

export function* upstreamSamples(
  servers: readonly Grouped[],
  counters: Readonly<UpstreamCounters>,
  open: { readonly sockets: number; readonly questions: number },
): Generator<Samples> {
  yield single(QUESTIONS, counters.questions);
  yield single(REPLIES, counters.replies);
  yield single(OVER_TCP, counters.overTcp);
  yield single(MISMATCHED, counters.mismatched);
  yield single(PROBES, counters.probes);
  yield single(SOCKETS, open.sockets);
  yield single(IN_FLIGHT, open.questions);
  yield { metric: UP, values: each(servers, ({ health }) => (health.up ? 1 : 0)) };
  yield { metric: ASKED, values: each(servers, ({ counts }) => counts.asked) };
  yield { metric: ANSWERED, values: each(servers, ({ counts }) => counts.answered) };
  yield { metric: FAILURES, values: failures(servers) };
  yield { metric: TIMES, values: each(servers, ({ counts }) => counts.times) };
}

function* each(servers: readonly Grouped[], value: (server: Server) => Sample['value']): Generator<Sample> {
  for (const { group, server, label } of labelled(servers))
    yield { labels: [group, label], value: value(server) };
}

/** A group may list one server twice, and servers that differ in what they must prove alone: each is a series of its own. */
function* labelled(servers: readonly Grouped[]): Generator<Grouped & { readonly label: string }> {
  const seen = new Map<string, number>();
  for (const { group, server } of servers) {
    const key = `${group} ${server.label}`;
    const times = (seen.get(key) ?? 0) + 1;
    seen.set(key, times);
    yield { group, server, label: times === 1 ? server.label : `${server.label} (${times})` };
  }
}

function* failures(servers: readonly Grouped[]): Generator<Sample> {
  for (const { group, server, label } of labelled(servers)) {
    for (const [reason, value] of Object.entries(server.counts.failures))
      yield { labels: [group, label, reason], value };
  }
}

const QUESTIONS = counter('namegate_upstream_questions_total', 'Questions that were put to upstream groups.');
const REPLIES = counter(
  'namegate_upstream_replies_total',
  'Questions to upstream groups that ended in a reply; the others failed.',
);
const OVER_TCP = counter(
  'namegate_upstream_over_tcp_total',
  'Questions that went on over TCP: the reply was truncated, cut, or right in all but the case of its letters, or came under a wrong ID.',
);
const MISMATCHED = counter(
  'namegate_upstream_mismatched_total',
  'Datagrams from servers that matched no question: forged, late or broken.',
);
const PROBES = counter(
  'namegate_upstream_probes_total',
  'Questions that were put to a server only to see how it is.',
);
const SOCKETS = gauge('namegate_upstream_sockets', 'UDP sockets and streams to servers that are open.');
const IN_FLIGHT = gauge(
  'namegate_upstream_in_flight',
  'Questions to upstream groups that wait for their reply.',
);
const UP = gauge(
  'namegate_upstream_up',
  '1 while the last that was heard of a server is no failure.',
  'group',
  'server',
);
const ASKED = counter(
  'namegate_upstream_asked_total',
  'Times that a server was asked, probes included.',
  'group',
  'server',
);
const ANSWERED = counter('namegate_upstream_answered_total', 'Good answers of a server.', 'group', 'server');
const FAILURES = counter(
  'namegate_upstream_failures_total',
  'Failures of a server: it said no (refused), could not be reached (network), or was silent.',
  'group',
  'server',
  'reason',
);
const TIMES = histogram(
  'namegate_upstream_response_seconds',
  'Time from a question to the good answer of a server.',
  'group',
  'server',
);
