import type { FastifyInstance } from 'fastify';
import { readExactName } from '../../config/names.ts';
import { describeIdentity } from '../../policy/explain/describe.ts';
import { type Explanation, explanationLine } from '../../policy/explain/explain.ts';
import type { Identity, Stage } from '../../policy/snapshot.ts';
import type { Clock } from '../../resolve/ports.ts';
import { typeFromText } from '../../wire/iana.ts';
import { lowerName } from '../../wire/name.ts';
import type { RrType } from '../../wire/quantity.ts';
import { type Caller, forbidden, maySee, maySeeIdentity } from '../callers/callers.ts';
import { callerOf, sendRefusal } from '../http/api-exchange.ts';
import { noLease, Refusal } from '../http/refusal.ts';
import type { LeaseBook } from '../leases/lease-book.ts';
import * as schema from './policy-api-schema.ts';

interface PolicyRouteOptions {
  readonly leases: LeaseBook;
  readonly clock: Clock;
  readonly explain: Explain;
}

/** Explains a question of an identity at a stage, or of a lease of it; null for none. `name`: a wire name in lower case. */
export type Explain = (
  identity: string,
  stage: string | null,
  lease: string | null,
  name: Uint8Array,
  type: RrType,
) => Explanation;

/** What the policy in force says: `/v1/identities` and `/v1/explain`. */
export function policyRoutes(app: FastifyInstance, { leases, clock, explain }: PolicyRouteOptions): void {
  app.get('/v1/identities', { schema: schema.identities }, (request) => {
    const caller = callerOf(request);
    const all = leases.snapshot.identities.filter((identity) => maySeeIdentity(caller, identity));
    return { identities: all.map((identity) => describeIdentity(identity, clock.epoch())) };
  });

  app.get<{ Params: { name: string } }>(
    '/v1/identities/:name',
    { schema: schema.identity },
    (request, reply) => {
      const identity = findIdentity(request.params.name, callerOf(request), leases);
      if (identity instanceof Refusal) return sendRefusal(reply, identity);
      return describeIdentity(identity, clock.epoch());
    },
  );

  app.get<{ Querystring: ExplainQuery }>('/v1/explain', { schema: schema.explain }, (request, reply) => {
    const explained = explainQuery(request.query, callerOf(request), leases, explain);
    return explained instanceof Refusal ? sendRefusal(reply, explained) : explained;
  });
}

interface ExplainQuery {
  readonly identity?: string;
  readonly lease?: string;
  readonly stage?: string;
  readonly name: string;
  readonly type?: string;
}

function findIdentity(name: string, caller: Caller, leases: LeaseBook): Identity | Refusal {
  const identity = leases.identity(name);
  if (identity !== null && maySeeIdentity(caller, identity)) return identity;
  return new Refusal('not-found', `there is no identity ${name} that you may see`);
}

function explainQuery(
  query: ExplainQuery,
  caller: Caller,
  leases: LeaseBook,
  explain: Explain,
): object | Refusal {
  const subject = findSubject(query, caller, leases);
  if (subject instanceof Refusal) return subject;
  const type = typeFromText(query.type ?? 'A');
  if (type === null) return Refusal.at('#type', `${query.type} is no type`);
  const read = readExactName(query.name, 'a question');
  if (!('name' in read)) return Refusal.at('#name', `${read.message}; ${read.fix}`);
  const { identity, stage } = subject;
  const name = lowerName(read.name);
  const explained = explain(identity.name, stage?.name ?? null, query.lease ?? null, name, type);
  return { ...explained, text: explanationLine(explained) };
}

/** Of whom the question is: an identity at a stage, or the holder of a lease. */
function findSubject(
  { identity: name, lease: id, stage: stageName }: ExplainQuery,
  caller: Caller,
  leases: LeaseBook,
): { readonly identity: Identity; readonly stage: Stage | null } | Refusal {
  if ((name === undefined) === (id === undefined)) return Refusal.at('#identity', 'write identity or lease');
  if (id !== undefined) {
    const lease = leases.live(id);
    const held = leases.held(id);
    if (lease === null || held === null) return noLease(id);
    if (!maySee(caller, held)) {
      return forbidden('this lease is not yours to see');
    }
    const identity = lease.known ? leases.identity(lease.identity) : null;
    if (identity === null)
      return new Refusal('not-found', 'the policy no longer has the identity of this lease');
    return { identity, stage: stageOf(identity, stageName ?? lease.stage) ?? identity.stages[0] ?? null };
  }
  const identity = findIdentity(name!, caller, leases);
  if (identity instanceof Refusal) return identity;
  const stage = stageName === undefined ? null : stageOf(identity, stageName);
  return stage === undefined
    ? Refusal.at('#stage', `${identity.name} has no stage ${stageName}`)
    : { identity, stage };
}

function stageOf({ stages }: Identity, name: string | null): Stage | undefined {
  return stages.find((stage) => stage.name === name);
}
