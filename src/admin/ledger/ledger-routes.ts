import type { FastifyInstance } from 'fastify';
import { parsePrefix } from '../../config/addresses.ts';
import { readExactName } from '../../config/names.ts';
import { TextFault } from '../../config/problems.ts';
import { HOLDER, type Holder } from '../../detect/holder.ts';
import { addressToText } from '../../policy/address.ts';
import type { Log } from '../../report/log.ts';
import type { Clock } from '../../resolve/ports.ts';
import {
  administers,
  type Caller,
  callerName,
  forbidden,
  mayInspect,
  mayInspectAll,
} from '../callers/callers.ts';
import { answer, callerOf, sendRefusal } from '../http/api-exchange.ts';
import { plainText } from '../http/plain-text.ts';
import { notDurable, Refusal } from '../http/refusal.ts';
import * as schema from './ledger-api-schema.ts';
import { type BalanceView, balanceView, byUrgency, type LedgerDesk } from './ledger-view.ts';

export interface LedgerRouteOptions {
  readonly desk: LedgerDesk;
  readonly clock: Clock;
  readonly log: Log;
}

/** The leak ledger: `/v1/ledger` and `/v1/ledger/reset`. */
export function ledgerRoutes(app: FastifyInstance, options: LedgerRouteOptions): void {
  const { desk, clock } = options;
  app.get<{ Querystring: ListQuery }>('/v1/ledger', { schema: schema.list }, (request, reply) => {
    const caller = callerOf(request);
    const { identity, lease, limit = '100' } = request.query;
    if (identity !== undefined && !mayInspect(caller, identity))
      return sendRefusal(reply, forbidden(`${callerName(caller)} may not see the ledger of ${identity}`));
    const found: BalanceView[] = [];
    for (const holder of desk.ledger.holders.all()) {
      if (!mayInspectHolder(caller, holder)) continue;
      if (identity !== undefined && holder.identity !== identity) continue;
      if (lease !== undefined && (holder.kind !== HOLDER.LEASE || holder.subject !== lease)) continue;
      const view = balanceView(holder, desk.tick, clock.epoch());
      if (view.spent > 0 || view.contained !== null) found.push(view);
    }
    found.sort(byUrgency);
    return {
      balances: found.slice(0, Math.min(Number(limit), schema.MAX_BALANCES)),
      count: found.length,
      contained: found.filter(({ contained }) => contained !== null).length,
    };
  });

  app.post<{ Body: ResetBody }>('/v1/ledger/reset', { schema: schema.reset }, async (request, reply) =>
    answer(reply, await reset(request.body, callerOf(request), options)),
  );
}

interface ListQuery {
  readonly identity?: string;
  readonly lease?: string;
  readonly limit?: string;
}

interface ResetBody {
  readonly lease?: string;
  readonly identity?: string;
  readonly claim?: string;
  readonly wildcard?: string;
  readonly reason: string;
}

/** A claim belongs to no identity: whoever may know of all of them may see it. */
function mayInspectHolder(caller: Caller, { identity }: Holder): boolean {
  return identity === '' ? mayInspectAll(caller) : mayInspect(caller, identity);
}

async function reset(
  body: ResetBody,
  caller: Caller,
  { desk, clock, log }: LedgerRouteOptions,
): Promise<Refusal | { readonly reset: readonly BalanceView[] }> {
  const { lease, identity, claim } = body;
  const named = [lease, identity, claim].filter((one) => one !== undefined);
  if (named.length !== 1) return Refusal.at('', 'write one of lease, identity and claim');
  const reason = plainText(body.reason);
  if (reason === null) return Refusal.at('/reason', 'a reset has a reason, in plain text');
  const base = body.wildcard === undefined ? null : baseOf(body.wildcard);
  if (base instanceof Refusal) return base;
  const isMeant = meant(body, base);
  const holders = [...desk.ledger.holders.all()].filter(isMeant);
  const whose = identity ?? holders[0]?.identity ?? null;
  // Whoever may not reset it does not learn whether it is there.
  if (!administers(caller, claim === undefined ? whose : null))
    return forbidden(`${callerName(caller)} may not reset the ledger of ${named[0]}`);
  if (holders.length === 0) {
    const where = body.wildcard === undefined ? '' : ` under ${body.wildcard}`;
    return new Refusal('not-found', `nothing was charged to ${named[0]}${where}`);
  }
  const before = holders.map((holder) => balanceView(holder, desk.tick, clock.epoch()));
  desk.ledger.reset(isMeant);
  log.info('ledger-reset', 'balances of the leak ledger were reset', {
    ...(lease === undefined ? {} : { lease }),
    ...(identity === undefined ? {} : { identity }),
    ...(claim === undefined ? {} : { claim }),
    ...(body.wildcard === undefined ? {} : { wildcard: body.wildcard }),
    by: callerName(caller),
    reason,
    balances: before.length,
    octets: Math.max(...before.map(({ spent }) => spent)),
  });
  const fault = await desk.writeAll();
  if (fault !== null) return notDurable(fault, 'the reset holds until namegate is started anew');
  return { reset: before };
}

/** Which holders a request means. What a claim asks without a lease counts as its own too. */
function meant({ lease, identity, claim }: ResetBody, base: Uint8Array | null): (holder: Holder) => boolean {
  const subjects = claim === undefined ? [] : claimSubjects(claim);
  return (holder) => {
    const { kind } = holder;
    if (base !== null && Buffer.compare(base, holder.base) !== 0) return false;
    if (lease !== undefined) return kind === HOLDER.LEASE && holder.subject === lease;
    if (identity !== undefined) return holder.identity === identity;
    return (kind === HOLDER.CLAIM || kind === HOLDER.CLIENT) && subjects.includes(holder.subject);
  };
}

/** An address as the ledger writes it (IPv6: its /64, and itself where a lease binds it), or a certificate's name as it is. */
function claimSubjects(text: string): string[] {
  const prefix = parsePrefix(text);
  if (prefix instanceof TextFault) return [text];
  const { family, words } = prefix;
  if (family === 4) return [[24, 16, 8, 0].map((shift) => (words[0]! >>> shift) & 0xff).join('.')];
  const groups = [words[0]! >>> 16, words[0]! & 0xffff, words[1]! >>> 16, words[1]! & 0xffff];
  const octets = Uint8Array.from({ length: 16 }, (_, i) => words[i >> 2]! >>> (24 - 8 * (i & 3)));
  return [`${groups.map((group) => group.toString(16)).join(':')}::/64`, addressToText(octets)];
}

/** Wire form of a wildcard's base, written with its stars or without. */
function baseOf(text: string): Uint8Array | Refusal {
  const read = readExactName(text.replace(/^\*\*?\./, ''), 'a wildcard');
  if ('name' in read) return read.name;
  return Refusal.at('/wildcard', `${read.message}; ${read.fix}`);
}
