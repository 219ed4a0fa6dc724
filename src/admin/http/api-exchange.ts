import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../callers/callers.ts';
import { PROBLEM_JSON, Refusal } from './refusal.ts';

/** Parameters of `/v1/…/{id}`. */
export interface IdParams {
  readonly id: string;
}

/** Who asks; `Authentication` has said so before any route. */
export function callerOf(request: FastifyRequest): Caller {
  return request.getDecorator<Caller>('caller');
}

/** A result, or the refusal in its place. */
export function answer<T extends object>(reply: FastifyReply, result: T | Refusal): FastifyReply | T {
  return result instanceof Refusal ? sendRefusal(reply, result) : result;
}

export function sendRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  if (refusal.kind === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  if (refusal.kind === 'keys-unavailable' || refusal.kind === 'full') reply.header('retry-after', '10');
  return reply.code(refusal.status).type(PROBLEM_JSON).serializer(JSON.stringify).send(refusal);
}
