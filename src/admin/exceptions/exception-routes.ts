import type { FastifyInstance } from 'fastify';
import { readPattern } from '../../config/names.ts';
import { secondsToText } from '../../config/units.ts';
import type { ExceptionSetting } from '../../settings/settings.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { administers, type Caller, callerName, forbidden, mayInspect } from '../callers/callers.ts';
import { answer, callerOf, type IdParams, sendRefusal } from '../http/api-exchange.ts';
import { plainText } from '../http/plain-text.ts';
import { Refusal } from '../http/refusal.ts';
import type { LeaseBook } from '../leases/lease-book.ts';
import * as schema from './exception-api-schema.ts';
import type { ExceptionBook, WantedException } from './exception-book.ts';

interface ExceptionRouteOptions {
  readonly exceptions: ExceptionBook;
  readonly leases: LeaseBook;
  /** Read anew for each request: a reload may change it. */
  readonly limits: () => ExceptionSetting;
}

/** `/v1/exceptions`, for those who administer. */
export function exceptionRoutes(
  app: FastifyInstance,
  { exceptions, leases, limits }: ExceptionRouteOptions,
): void {
  app.post<{ Body: AddBody }>('/v1/exceptions', { schema: schema.add }, async (request, reply) => {
    const wanted = readException(request.body, callerOf(request), leases, limits());
    const result = wanted instanceof Refusal ? wanted : await exceptions.add(wanted);
    if (result instanceof Refusal) return sendRefusal(reply, result);
    return reply.code(201).header('location', `/v1/exceptions/${result.id}`).send(result);
  });

  app.get<{ Querystring: ListQuery }>('/v1/exceptions', { schema: schema.list }, (request) => {
    const caller = callerOf(request);
    const mine = exceptions
      .views(request.query.ended === 'true')
      .filter(({ identity }) => mayInspect(caller, identity));
    return { exceptions: mine };
  });

  app.delete<{ Params: IdParams }>(
    '/v1/exceptions/:id',
    { schema: schema.revoke },
    async (request, reply) => {
      const { id } = request.params;
      const caller = callerOf(request);
      const exception = exceptions.find(id);
      if (!administers(caller, exception?.identity ?? null)) {
        return sendRefusal(reply, forbidden('only who administers revokes exceptions'));
      }
      return answer(reply, await exceptions.revoke(id, callerName(caller)));
    },
  );
}

interface ListQuery {
  readonly ended?: 'true' | 'false';
}

interface AddBody {
  readonly identity: string;
  readonly name: string;
  readonly types?: readonly string[] | null;
  readonly ttl: Seconds;
  readonly reason: string;
  readonly approved_by?: string;
}

function readException(
  { identity, name, types, ttl, reason, approved_by: approver }: AddBody,
  caller: Caller,
  leases: LeaseBook,
  { maxTtl }: ExceptionSetting,
): WantedException | Refusal {
  if (!administers(caller, identity)) return forbidden('only who administers makes exceptions');
  if (leases.identity(identity) === null) return Refusal.at('/identity', `there is no identity ${identity}`);
  const text = plainText(reason);
  if (text === null) return Refusal.at('/reason', 'an exception has a reason, in plain text');
  const person = approver === undefined ? '' : plainText(approver);
  if (person === null) return Refusal.at('/approved_by', 'write who approves it, in plain text');
  if (ttl > maxTtl)
    return Refusal.at(
      '/ttl',
      `exceptions last at most ${secondsToText(maxTtl)} (${maxTtl} seconds; exceptions.max_ttl)`,
    );
  // Who asked is said beside whom they name: nobody approves in another's name unseen.
  const by = callerName(caller);
  const approvedBy = person === '' ? by : `${person} (by ${by})`;
  const pattern = readPattern(name);
  if (!('pattern' in pattern)) return Refusal.at('/name', `${pattern.message}; ${pattern.fix}`);
  return { identity, name, types: types ?? null, ttl, reason: text, approvedBy };
}
