import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Top } from '../../history/top.ts';
import type { Clock } from '../../resolve/ports.ts';
import { silent } from '../alerts/alert-routes.ts';
import type { Authentication } from '../callers/authentication.ts';
import { callerName, forbidden, mayRead, readable } from '../callers/callers.ts';
import { callerOf, sendRefusal } from '../http/api-exchange.ts';
import { Refusal } from '../http/refusal.ts';
import type { HistoryDesk } from './history-routes.ts';
import * as schema from './live-api-schema.ts';
import { follow } from './tail-stream.ts';

/** Readers of the tail at once. */
export const MOST_READERS = 16;
const USUAL_MINUTES = '5';
const USUAL_ROWS = '20';

export interface LiveRouteOptions {
  readonly history: HistoryDesk;
  readonly authentication: Authentication;
  readonly clock: Clock;
}

interface TailQuery {
  readonly identity?: string;
  readonly verdict?: string;
  readonly name?: string;
}

interface TopQuery {
  readonly identity?: string;
  readonly minutes?: string;
  readonly limit?: string;
}

/** What happens now: `/v1/tail` and `/v1/top`. */
export function liveRoutes(app: FastifyInstance, { history, authentication, clock }: LiveRouteOptions): void {
  let readers = 0;

  app.get<{ Querystring: TailQuery }>('/v1/tail', { schema: schema.tail }, (request, reply) => {
    const { identity, verdict, name } = request.query;
    const identities = identitiesFor(request, identity);
    if (identities instanceof Refusal) return sendRefusal(reply, identities);
    const last = request.headers['last-event-id'];
    const after = typeof last === 'string' && /^[0-9a-f]{1,40}\.\d{1,15}$/.test(last) ? last : null;
    if (last !== undefined && last !== '' && after === null)
      return sendRefusal(reply, Refusal.at('#last-event-id', 'write the id of an event that was sent'));
    if (readers >= MOST_READERS)
      return sendRefusal(reply, new Refusal('full', `the tail has ${MOST_READERS} readers already`));
    readers++;
    reply.hijack();
    const filter = {
      identities,
      verdicts: verdict?.split(',') ?? null,
      name: name?.toLowerCase().replace(/(?<=.)\.$/, '') ?? null,
    };
    // A token that is withdrawn or ends takes its reader with it.
    const mayGoOn = async (): Promise<boolean> => {
      const caller = await authentication.callerOf(request);
      if (caller instanceof Refusal) return false;
      return identities === null ? mayRead(caller, null) : identities.every((one) => mayRead(caller, one));
    };
    void follow({ raw: reply.raw, history, filter, after, mayGoOn, clock })
      .catch(() => reply.raw.destroy())
      .finally(() => readers--);
    return reply;
  });

  app.get<{ Querystring: TopQuery }>('/v1/top', { schema: schema.top }, async (request, reply) => {
    const { identity, minutes = USUAL_MINUTES, limit = USUAL_ROWS } = request.query;
    const identities = identitiesFor(request, identity);
    if (identities instanceof Refusal) return sendRefusal(reply, identities);
    const question = { what: 'top', minutes: Number(minutes), identities, limit: Number(limit) } as const;
    const answer = await history.ask(question);
    if (typeof answer === 'string') return sendRefusal(reply, silent(answer));
    if (answer.told === null) return sendRefusal(reply, silent('the history is off'));
    const { since, ...rest } = answer.told as Top;
    return { since: new Date(since).toISOString(), ...rest };
  });
}

/** The identities that the caller may read and asks for; null: all. */
function identitiesFor(
  request: FastifyRequest,
  identity: string | undefined,
): readonly string[] | null | Refusal {
  const caller = callerOf(request);
  const whose = identity ?? 'any identity';
  const identities = identity === undefined ? readable(caller) : mayRead(caller, identity) ? [identity] : [];
  return identities?.length === 0
    ? forbidden(`${callerName(caller)} may not read what clients of ${whose} ask`)
    : identities;
}
