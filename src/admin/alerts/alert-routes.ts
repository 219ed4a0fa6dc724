import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestAnswer, WorkerStatus } from '../../outbox/feed-messages.ts';
import type { FeedRequest } from '../../outbox/requests.ts';
import type { Log } from '../../report/log.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';
import { administers, callerName, forbidden, mayInspectAll } from '../callers/callers.ts';
import { callerOf, sendRefusal } from '../http/api-exchange.ts';
import { Refusal } from '../http/refusal.ts';
import * as schema from './alert-api-schema.ts';

/** What the admin API sees of the alert feed. */
export interface AlertDesk {
  /** Null where the feed does not answer. */
  status(): Promise<WorkerStatus | null>;
  /** Null where there is no such sink; a text says why it could not be done. */
  request(request: FeedRequest): Promise<RequestAnswer>;
}

export interface AlertRouteOptions {
  readonly alerts: AlertDesk;
  readonly log: Log;
}

/** The alert feed: `/v1/alerts`, and what a person asks of its sinks. */
export function alertRoutes(app: FastifyInstance, { alerts }: AlertRouteOptions): void {
  app.get('/v1/alerts', { schema: schema.status }, async (request, reply) => {
    const caller = callerOf(request);
    if (!mayInspectAll(caller))
      return sendRefusal(reply, forbidden(`${callerName(caller)} may not see the alert feed`));
    const status = await alerts.status();
    return status === null ? sendRefusal(reply, silent('the alert feed does not answer')) : viewOf(status);
  });

  const doIt = async (request: FastifyRequest, reply: FastifyReply, what: FeedRequest) => {
    const caller = callerOf(request);
    if (!administers(caller, null))
      return sendRefusal(reply, forbidden(`${callerName(caller)} may not ask this of the sinks`));
    const sinks = await alerts.request(what);
    if (sinks === null)
      return sendRefusal(
        reply,
        new Refusal('not-found', 'there is no such sink; namegate alerts status lists them'),
      );
    return Array.isArray(sinks) ? { sinks } : sendRefusal(reply, silent(String(sinks)));
  };

  app.post('/v1/alerts/test', { schema: schema.test }, (request, reply) =>
    doIt(request, reply, { ask: 'test' }),
  );

  app.post<{ Body: { sink: string; since: string } }>(
    '/v1/alerts/replay',
    { schema: schema.replay },
    (request, reply) => {
      const { sink, since } = request.body;
      return doIt(request, reply, { ask: 'replay', sink, since: Date.parse(since) });
    },
  );

  app.post<{ Body: { sink?: string; retry?: boolean } }>(
    '/v1/alerts/dead',
    { schema: schema.dead },
    (request, reply) => {
      const { sink = null, retry = false } = request.body;
      return doIt(request, reply, { ask: 'dead', sink, retry });
    },
  );
}

/** Why the worker of the feed has no answer. */
export function silent(detail: string): Refusal {
  return new Refusal('feed-silent', detail);
}

function viewOf({ store, sinks: states, trouble, faults }: WorkerStatus): object {
  const byName = new Map(states.map((state) => [state.name, state]));
  return {
    sinks: store.sinks.map(({ name, depth, oldest, acknowledged, dead }) => {
      const { status = 'waiting', reason = '' } = byName.get(name) ?? {};
      return { name, status, reason, depth, oldest: iso(oldest), acknowledged: iso(acknowledged), dead };
    }),
    numbers: store.numbers,
    decisions: store.decisions,
    findings: store.findings,
    lost: store.lost,
    unreadable: faults,
    trouble,
  };
}

function iso(at: EpochMilliseconds | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
