import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parsePrefix } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import type { AccountFacts, AskedFacts, HistoryAsk, HistoryQuestion } from '../../history/questions.ts';
import type { RefusedFacts } from '../../history/refused-rows.ts';
import { reportOf } from '../../history/report.ts';
import type { FoundFacts } from '../../history/search.ts';
import { addressToText } from '../../policy/address.ts';
import { isoTime } from '../../policy/explain/rule-text.ts';
import { overlaps } from '../../policy/lease/lease-claim.ts';
import { typeToText } from '../../wire/iana.ts';
import { nameToText } from '../../wire/name.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';
import { type AlertDesk, silent } from '../alerts/alert-routes.ts';
import { callerName, forbidden, mayRead, maySee, readable } from '../callers/callers.ts';
import { ownerFrom } from '../callers/owner.ts';
import { callerOf, type IdParams, sendRefusal } from '../http/api-exchange.ts';
import { noLease, Refusal } from '../http/refusal.ts';
import type { LeaseBook } from '../leases/lease-book.ts';
import { failedDependencies } from './failed-dependencies.ts';
import * as schema from './history-api-schema.ts';
import { type BudgetSources, nearBudgets } from './near-budgets.ts';

/** What the admin API sees of the history. */
export interface HistoryDesk {
  /** With all that was asked up to now; a text where it cannot say. The tail is not waited for. */
  ask(question: HistoryAsk): Promise<{ readonly told: unknown } | string>;
}

export interface HistoryRouteOptions extends BudgetSources {
  readonly history: HistoryDesk;
  readonly alerts: Pick<AlertDesk, 'request'>;
  readonly leases: LeaseBook;
}

interface JoinedQuery {
  readonly job?: string;
  readonly identity?: string;
  readonly address?: string;
  readonly since?: string;
}

interface SearchBody {
  readonly by: 'name' | 'address' | 'lease' | 'identity';
  readonly values: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
}

/** Reports of leases, and `/v1/history`. */
export function historyRoutes(app: FastifyInstance, options: HistoryRouteOptions): void {
  const { history, leases, alerts } = options;
  /** Accounts that the caller may see, or why there are none. */
  const accountsFor = async (
    request: FastifyRequest,
    question: Extract<HistoryQuestion, { what: 'accounts' }>,
  ): Promise<AccountFacts[] | Refusal> => {
    const caller = callerOf(request);
    const answer = await history.ask(question);
    if (typeof answer === 'string') return silent(answer);
    const all = answer.told as readonly AccountFacts[] | null;
    if (all === null) return silent('the history is off');
    return all.filter(({ id, identity, opener, holder }) =>
      id === null
        ? mayRead(caller, identity)
        : maySee(caller, { identity, owner: ownerFrom({ by: opener ?? '', holder }) }),
    );
  };

  const send = async (
    reply: FastifyReply,
    accounts: readonly AccountFacts[],
    since = 0,
  ): Promise<unknown> => {
    const numbers = accounts.map(({ number }) => number);
    const answer = await history.ask({ what: 'rows', accounts: numbers, since });
    if (typeof answer === 'string') return sendRefusal(reply, silent(answer));
    const refused = await history.ask({ what: 'refused', accounts: numbers, since });
    if (typeof refused === 'string') return sendRefusal(reply, silent(refused));
    const identities = [...new Set(accounts.map(({ identity }) => identity))].flatMap(
      (name) => leases.identity(name) ?? [],
    );
    const audits = identities.map(({ auditUntil }) => auditUntil).filter((until) => until > 0);
    const terms = {
      search: identities.flatMap(({ search }) => search.map(nameToText)),
      auditUntil: audits.length === 0 ? null : isoTime(Math.max(...audits)),
      ask: accounts[0]?.owner ?? '',
      dependencies: await failedDependencies(alerts, accounts),
      nearBudget: nearBudgets(accounts, options),
      typeToText,
    };
    return reportOf(accounts, answer.told as AskedFacts[], terms, refused.told as RefusedFacts[]);
  };

  app.get<{ Params: IdParams }>(
    '/v1/leases/:id/report',
    { schema: schema.leaseReport },
    async (request, reply) => {
      const { id } = request.params;
      const accounts = await accountsFor(request, { what: 'accounts', by: 'lease', value: id, since: 0 });
      if (accounts instanceof Refusal) return sendRefusal(reply, accounts);
      // Whoever may not see a lease does not learn that there is one.
      return accounts.length === 0 ? sendRefusal(reply, noLease(id)) : send(reply, accounts);
    },
  );

  app.get<{ Querystring: JoinedQuery }>(
    '/v1/report',
    { schema: schema.joinedReport },
    async (request, reply) => {
      const { job, identity, address, since } = request.query;
      const from = timeOf(since, 0, '/since');
      if (from instanceof Refusal) return sendRefusal(reply, from);
      if (
        (job === undefined) === (identity === undefined) ||
        (address !== undefined && identity === undefined)
      )
        return sendRefusal(
          reply,
          new Refusal('malformed', 'name one of job and identity, and address beside identity alone'),
        );
      const prefixes = address === undefined ? [] : readPrefixes(address);
      if (prefixes instanceof Refusal) return sendRefusal(reply, prefixes);
      const [by, value] = job === undefined ? (['identity', identity!] as const) : (['job', job] as const);
      const accounts = await accountsFor(request, { what: 'accounts', by, value, since: from });
      if (accounts instanceof Refusal) return sendRefusal(reply, accounts);
      if (address !== undefined) {
        // What the addresses asked between two leases, whoever they were then, belongs to the job as well.
        const between: AccountFacts[] = [];
        for (const client of new Set(prefixes.map(clientOf))) {
          if (client === null) continue;
          const more = await accountsFor(request, {
            what: 'accounts',
            by: 'client',
            value: client,
            since: from,
          });
          if (more instanceof Refusal) return sendRefusal(reply, more);
          between.push(...more);
        }
        const leased = accounts.filter((account) => account.id !== null && isAt(account, prefixes));
        if (leased.length + between.length > 0) return send(reply, [...leased, ...between], from);
      } else if (accounts.length > 0) return send(reply, accounts);
      return sendRefusal(
        reply,
        new Refusal('not-found', `nothing was asked by ${by} ${value} that you may see`),
      );
    },
  );

  app.post<{ Body: SearchBody }>('/v1/history', { schema: schema.search }, async (request, reply) => {
    const caller = callerOf(request);
    const identities = readable(caller);
    if (identities?.length === 0)
      return sendRefusal(reply, forbidden(`${callerName(caller)} may not read the history`));
    const { by, values, since, until, limit = 1_000 } = request.body;
    const from = timeOf(since, 0, '/since');
    const to = timeOf(until, Number.MAX_SAFE_INTEGER, '/until');
    if (from instanceof Refusal) return sendRefusal(reply, from);
    if (to instanceof Refusal) return sendRefusal(reply, to);
    const question = {
      what: 'find',
      by,
      values,
      since: from,
      until: to,
      identities,
      limit: limit + 1,
    } as const;
    const answer = await history.ask(question);
    if (typeof answer === 'string') return sendRefusal(reply, silent(answer));
    const found = (answer.told ?? []) as readonly FoundFacts[];
    return { found: found.slice(0, limit).map(viewOf), more: found.length > limit };
  });
}

function readPrefixes(text: string): Prefix[] | Refusal {
  const prefixes: Prefix[] = [];
  for (const each of text.split(',')) {
    const prefix = parsePrefix(each);
    if (prefix instanceof TextFault)
      return Refusal.at('/address', 'write an address or a prefix; several with commas between them');
    prefixes.push(prefix);
  }
  return prefixes;
}

/** As the history calls whoever has no lease: the address, of IPv6 its /64. Null for a prefix of many. */
function clientOf({ family, words, length }: Prefix): string | null {
  const [w0 = 0, w1 = 0] = words;
  if (family === 4)
    return length === 32 ? addressToText(Uint8Array.of(w0 >>> 24, w0 >>> 16, w0 >>> 8, w0)) : null;
  const half = (word: number, shift: number): string => ((word >>> shift) & 0xffff).toString(16);
  return length < 64 ? null : `${half(w0, 16)}:${half(w0, 0)}:${half(w1, 16)}:${half(w1, 0)}::/64`;
}

/** Whether the lease binds one of the addresses, or who asked first came from one where nobody said what it binds. */
function isAt({ claim, client }: AccountFacts, prefixes: readonly Prefix[]): boolean {
  const bound =
    claim === null ? [client] : (JSON.parse(claim) as { readonly addresses: readonly string[] }).addresses;
  return bound.some((text) => {
    const own = parsePrefix(text);
    return !(own instanceof TextFault) && prefixes.some((prefix) => overlaps(own, prefix));
  });
}

function timeOf(
  text: string | undefined,
  otherwise: EpochMilliseconds,
  pointer: string,
): EpochMilliseconds | Refusal {
  if (text === undefined) return otherwise;
  const at = Date.parse(text);
  return Number.isNaN(at) ? Refusal.at(pointer, 'write it as 2026-11-28T00:00:00Z') : at;
}

function viewOf({
  type,
  audited,
  proven,
  expected,
  first,
  last,
  folded,
  account: _,
  ...rest
}: FoundFacts): object {
  return {
    ...rest,
    job: rest.job === null ? null : (JSON.parse(rest.job) as object),
    type: typeToText(type),
    folded: folded !== 0,
    audited: audited === 1,
    proven: proven === 1,
    expected: expected === 1,
    first: new Date(first).toISOString(),
    last: new Date(last).toISOString(),
  };
}
