import type { FastifyInstance } from 'fastify';
import type { GrantLine, GrantOrder, LiveLine } from '../../resolve/grants/grant-line.ts';
import { type Caller, callerName, forbidden, mayRead, maySee } from '../callers/callers.ts';
import { callerOf, sendRefusal } from '../http/api-exchange.ts';
import { noLease, Refusal } from '../http/refusal.ts';
import type { LeaseBook } from '../leases/lease-book.ts';
import * as schema from './grant-api-schema.ts';

/** What the admin API sees of the firewall. */
export interface GrantDesk {
  /** All that is live and granted now, as the grant feed tells it. */
  grants(): Iterable<GrantOrder>;
}

export interface GrantRouteOptions {
  /** Absent without a firewall. */
  readonly grants?: GrantDesk | undefined;
  readonly leases: LeaseBook;
}

interface ListQuery {
  readonly identity?: string;
  readonly lease?: string;
  readonly limit?: string;
}

/** `/v1/grants`: who may read what clients asked sees them, and a job those of its own lease. */
export function grantRoutes(app: FastifyInstance, { grants: desk, leases }: GrantRouteOptions): void {
  app.get<{ Querystring: ListQuery }>('/v1/grants', { schema: schema.list }, (request, reply) => {
    const caller = callerOf(request);
    const { identity, lease, limit = '1000' } = request.query;
    const refused = judge(caller, request.query, leases);
    if (refused !== null) return sendRefusal(reply, refused);
    if (desk === undefined)
      return sendRefusal(
        reply,
        new Refusal('not-found', 'the server file has no enforce: nothing is granted'),
      );
    const most = Math.min(Number(limit), schema.MAX_GRANTS);
    const live: Omit<LiveLine, 'op'>[] = [];
    const grants: Omit<GrantLine, 'op'>[] = [];
    const isWanted = (line: LiveLine | GrantLine): boolean =>
      (identity === undefined || line.identity === identity) &&
      (lease === undefined || line.lease === lease) &&
      maySeeLine(caller, line, leases);
    for (const order of desk.grants()) {
      if ((order.op !== 'live' && order.op !== 'grant') || !isWanted(order)) continue;
      if (live.length + grants.length === most) return { live, grants, more: true };
      if (order.op === 'live') {
        const { op, ...line } = order;
        live.push(line);
      } else {
        const { op, ...line } = order;
        grants.push(line);
      }
    }
    return { live, grants, more: false };
  });
}

function judge(caller: Caller, { identity, lease }: ListQuery, leases: LeaseBook): Refusal | null {
  if (lease !== undefined) {
    const held = leases.held(lease);
    const seen =
      held !== null && (mayRead(caller, held.identity) || (caller.kind === 'job' && maySee(caller, held)));
    // Whoever may not see a lease does not learn that there is one.
    return seen ? null : noLease(lease);
  }
  if (caller.kind === 'job') return null;
  const reads = identity === undefined ? readsSome(caller) : mayRead(caller, identity);
  return reads
    ? null
    : forbidden(`${callerName(caller)} may not read the grants of ${identity ?? 'anybody'}`);
}

function readsSome(caller: Caller): boolean {
  if (mayRead(caller, null)) return true;
  return (
    caller.kind === 'token' &&
    caller.token.identities !== 'all' &&
    caller.token.identities.some((name) => mayRead(caller, name))
  );
}

function maySeeLine(caller: Caller, { identity, lease }: LiveLine | GrantLine, leases: LeaseBook): boolean {
  if (mayRead(caller, identity)) return true;
  const held = caller.kind === 'job' && lease !== null ? leases.held(lease) : null;
  return held !== null && maySee(caller, held);
}
