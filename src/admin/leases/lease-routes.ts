import type { FastifyInstance } from 'fastify';
import { overlaps } from '../../policy/lease/lease-claim.ts';
import type { Clock } from '../../resolve/ports.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { callerName, forbidden, mayAdvance, mayEnd, maySee } from '../callers/callers.ts';
import { answer, callerOf, type IdParams, sendRefusal } from '../http/api-exchange.ts';
import { noLease, Refusal } from '../http/refusal.ts';
import * as schema from './lease-api-schema.ts';
import type { LeaseBook } from './lease-book.ts';
import { type OpenBody, readOpening } from './lease-opening.ts';
import { prefixFromText } from './lease-record.ts';
import type { LeaseView } from './lease-view.ts';

interface LeaseRouteOptions {
  readonly leases: LeaseBook;
  readonly clock: Clock;
  readonly countsOf: (lease: string) => Readonly<Record<string, number>>;
  readonly withoutTcp: (prefixes: readonly Prefix[]) => readonly string[];
}

/** `/v1/leases`: who may do what is judged before anything is said of what is there. */
export function leaseRoutes(
  app: FastifyInstance,
  { leases, clock, countsOf, withoutTcp }: LeaseRouteOptions,
): void {
  app.post<{ Body: OpenBody }>('/v1/leases', { schema: schema.open }, async (request, reply) => {
    const wanted = readOpening(request.body, callerOf(request), leases, clock);
    const result = wanted instanceof Refusal ? wanted : await leases.open(wanted);
    if (result instanceof Refusal) return sendRefusal(reply, result);
    const notes = loopbackNotes(result);
    return reply
      .code(201)
      .header('location', `/v1/leases/${result.id}`)
      .send({ ...result, notes });
  });

  app.get<{ Querystring: ListQuery }>('/v1/leases', { schema: schema.list }, (request) => {
    const { identity, after = '', limit = '100' } = request.query;
    const caller = callerOf(request);
    const most = Math.min(Number(limit), schema.MAX_PAGE);
    const page: object[] = [];
    let next: string | null = null;
    for (const id of leases.ids()) {
      if (id <= after) continue;
      const held = leases.held(id);
      if (held === null || (identity !== undefined && held.identity !== identity)) continue;
      const view = maySee(caller, held) ? leases.view(id) : null;
      if (view === null) continue;
      if (page.length === most) {
        next = (page.at(-1) as { id: string }).id;
        break;
      }
      page.push({ ...view, counts: countsOf(id) });
    }
    return { leases: page, next };
  });

  app.get<{ Params: IdParams }>('/v1/leases/:id', { schema: schema.show }, (request, reply) => {
    const { id } = request.params;
    const held = leases.held(id);
    const view = leases.view(id);
    if (held === null || view === null) return sendRefusal(reply, noLease(id));
    if (!maySee(callerOf(request), held)) {
      return sendRefusal(reply, forbidden('this lease is not yours to see'));
    }
    const lacking = withoutTcp(view.addresses.map(prefixFromText));
    return { ...view, counts: countsOf(id), without_tcp: lacking };
  });

  app.patch<{ Params: IdParams; Body: ChangeBody }>(
    '/v1/leases/:id',
    { schema: schema.change },
    async (request, reply) => {
      const { id } = request.params;
      const { stage, ttl } = request.body;
      const caller = callerOf(request);
      const held = leases.held(id);
      if (held === null) return sendRefusal(reply, noLease(id));
      if (!mayEnd(caller, held)) return sendRefusal(reply, forbidden('this lease is not yours to change'));
      if (stage !== undefined && !mayAdvance(caller, held, leases.identity(held.identity))) {
        return sendRefusal(reply, forbidden(`jobs of ${held.identity} do not advance their own stage`));
      }
      const change = { ...(stage === undefined ? {} : { stage }), ...(ttl === undefined ? {} : { ttl }) };
      return answer(reply, await leases.change(id, change, callerName(caller)));
    },
  );

  app.delete<{ Params: IdParams }>('/v1/leases/:id', { schema: schema.end }, async (request, reply) => {
    const { id } = request.params;
    const caller = callerOf(request);
    const held = leases.held(id);
    if (held !== null && !mayEnd(caller, held)) {
      return sendRefusal(reply, forbidden('this lease is not yours to end'));
    }
    return answer(reply, await leases.end(id, callerName(caller)));
  });
}

interface ChangeBody {
  readonly stage?: string;
  readonly ttl?: Seconds;
}

interface ListQuery {
  readonly identity?: string;
  readonly after?: string;
  readonly limit?: string;
}

const LOOPBACKS = ['127.0.0.0/8', '::1'].map((text) => prefixFromText(text));

/** What a lease of an address of this machine means, for whoever opened it. */
function loopbackNotes({ addresses, identity }: LeaseView): readonly string[] {
  return addresses
    .filter((text) => LOOPBACKS.some((loopback) => overlaps(loopback, prefixFromText(text))))
    .map(
      (text) => `${text} is this machine's own: every process that asks from it is ${identity} until the end`,
    );
}
