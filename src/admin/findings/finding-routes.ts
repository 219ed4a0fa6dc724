import type { FastifyInstance } from 'fastify';
import type { AlertDesk } from '../alerts/alert-routes.ts';
import { silent } from '../alerts/alert-routes.ts';
import { callerName, forbidden, mayRead } from '../callers/callers.ts';
import { callerOf, sendRefusal } from '../http/api-exchange.ts';
import { Refusal } from '../http/refusal.ts';
import * as schema from './finding-api-schema.ts';

interface ListQuery {
  readonly identity?: string;
  readonly since?: string;
  readonly limit?: string;
}

/** Findings: `/v1/findings`. */
export function findingRoutes(app: FastifyInstance, { alerts }: { readonly alerts: AlertDesk }): void {
  app.get<{ Querystring: ListQuery }>('/v1/findings', { schema: schema.list }, async (request, reply) => {
    const caller = callerOf(request);
    const { identity = null, since, limit = '100' } = request.query;
    if (!mayRead(caller, identity)) {
      const whose = identity === null ? 'all identities' : identity;
      return sendRefusal(reply, forbidden(`${callerName(caller)} may not read the findings of ${whose}`));
    }
    const from = since === undefined ? 0 : Date.parse(since);
    if (Number.isNaN(from))
      return sendRefusal(reply, Refusal.at('/since', 'write it as 2026-11-28T00:00:00Z'));
    const found = await alerts.request({ ask: 'findings', identity, since: from, limit: Number(limit) });
    if (found === null || typeof found === 'string' || !('findings' in found))
      return sendRefusal(reply, silent(typeof found === 'string' ? found : 'the alert feed does not answer'));
    return found;
  });
}
