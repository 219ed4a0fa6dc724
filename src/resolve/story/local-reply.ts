import { GROUND } from '../../policy/decide/decision.ts';
import { FLAG, HEADER_SIZE } from '../../wire/header.ts';
import { TYPE } from '../../wire/iana.ts';
import { EXIT } from '../exit.ts';
import type { Flights } from '../flights/flights.ts';
import type { Charges } from '../ledger/charges.ts';
import { writeAny, writeLocal, writeSpecial } from '../local/local.ts';
import { type RedirectEnd, writeLinks } from '../local/redirect.ts';
import { ttlBound } from './bounds.ts';
import { empty, written } from './end.ts';
import type { Turn } from './turn.ts';

/** Answers from our own data: a special name, a record of the policy, a redirect to one. Returns the reply's length. */
export function replyLocally(turn: Turn, flights: Flights, charges: Charges | null): number {
  const { query, decision, course, reply } = turn;
  const { writer } = reply;
  if (course.redirect !== null) return replyRedirected(turn, course.redirect);
  writer.begin(query, reply.out, FLAG.AA, reply.limit);
  if (decision.ground === GROUND.SPECIAL) writeSpecial(turn, flights, charges, writer, ttlBound(turn));
  else {
    const local = turn.inForce.snapshot.locals.get(decision.node)!;
    writeLocal(writer, HEADER_SIZE, local, query.type, ttlBound(turn));
  }
  return writer.isEmpty ? empty(turn, EXIT.local) : written(turn, EXIT.local);
}

function replyRedirected(turn: Turn, end: RedirectEnd): number {
  const { query, reply } = turn;
  const { writer } = reply;
  const cap = ttlBound(turn);
  writer.begin(query, reply.out, FLAG.AA, reply.limit);
  const links = query.type === TYPE.CNAME ? end.links.slice(0, 1) : end.links;
  const owner = writeLinks(writer, links, cap);
  const answers = writer.answers;
  if (end.local !== null && query.type !== TYPE.CNAME) writeLocal(writer, owner, end.local, query.type, cap);
  // No data of this type at the end of the chain: its SOA's owner is the root, an ancestor of every target.
  if (query.type !== TYPE.CNAME && writer.answers === answers) writer.negativeSoa(query.nameLength - 1);
  return written(turn, EXIT.local);
}

/** RFC 8482 §4.2. */
export function replyAny(turn: Turn): number {
  const { query, reply } = turn;
  reply.writer.begin(query, reply.out, FLAG.AA, reply.limit);
  writeAny(reply.writer, ttlBound(turn));
  return written(turn, EXIT.local);
}
