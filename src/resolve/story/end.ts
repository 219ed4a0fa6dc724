import { closestAncestor } from '../../policy/decide.ts';
import { denialReason } from '../../policy/explain.ts';
import { FLAG, HEADER_SIZE } from '../../wire/header.ts';
import { EDE, type Ede, RCODE, type Rcode } from '../../wire/iana.ts';
import { NO_EDE } from '../../wire/reply.ts';
import { EXIT, type Exit } from '../exit.ts';
import { DROPPED } from '../ports.ts';
import type { MessageRefusal } from './refuse.ts';
import { AMPLIFICATION, type Turn } from './turn.ts';

/** How a query ends without an answer from elsewhere. Each writes `turn.end`, and all but `drop` a reply, whose length it returns. */

export function drop(turn: Turn): number {
  turn.end.exit = EXIT.drop;
  return DROPPED;
}

/** TC, so that a client of a busy network comes back on TCP, where its address is proved. */
export function truncate(turn: Turn, exit: Exit): number {
  turn.end.exit = exit;
  turn.end.rcode = RCODE.NOERROR;
  return turn.reply.writer.truncated(turn.query, turn.reply.out);
}

/** FORMERR, NOTIMP, BADVERS, REFUSED: about the message, not the name. */
export function refuse(turn: Turn, { rcode, exit }: MessageRefusal): number {
  begin(turn, 0);
  return finish(turn, exit, rcode, null, '', turn.reply.limit);
}

/** A denial whose source may be forged is counted apart: it is held against nobody. */
export function deny(turn: Turn): number {
  const exit = turn.asker.proven ? EXIT.deny : EXIT.deny_unproven;
  return negative(turn, RCODE.NXDOMAIN, denialOf(turn), exit);
}

/** The name is in the tree, without data of this type; only a refused type is told as blocked. */
export function empty(turn: Turn, exit: Exit): number {
  return negative(turn, RCODE.NOERROR, denialOf(turn), exit);
}

/** Our own negative answer: AA and one SOA, its owner the closest ancestor in the view. */
export function negative(turn: Turn, rcode: Rcode, reason: string, exit: Exit): number {
  const { query, decision, asker, reply, inForce } = turn;
  const labels = closestAncestor(inForce.snapshot, asker.view, decision, rcode === RCODE.NOERROR);
  begin(turn, FLAG.AA);
  reply.writer.negativeSoa(labels === 0 ? query.nameLength - 1 : query.labels[query.labelCount - labels]!);
  // A forged source gains nothing from a denial: three times the question at most.
  const denied = asker.client.transport === 'udp' && exit !== EXIT.withheld;
  const room = denied ? AMPLIFICATION * query.length : reply.limit;
  return finish(turn, exit, rcode, reason === '' ? null : EDE.BLOCKED, reason, room);
}

/** Ends what has been written of our own data. */
export function written(turn: Turn, exit: Exit): number {
  return finish(turn, exit, RCODE.NOERROR, null, '', turn.reply.limit);
}

/** SERVFAIL with up to two EDE codes; `reason` is told with the first. */
export function servfail(
  turn: Turn,
  exit: Exit,
  ede: Ede,
  reason: string,
  second: Ede | null = null,
): number {
  begin(turn, 0);
  return finish(turn, exit, RCODE.SERVFAIL, ede, reason, turn.reply.limit, second);
}

/** The reply to a query that met a bug: its header alone, whatever state the turn is in. Never throws. */
export function bareServfail(turn: Turn, message: Uint8Array, out: Buffer): number {
  turn.end.exit = EXIT.servfail;
  turn.end.rcode = RCODE.SERVFAIL;
  turn.end.ede = null;
  out.fill(0, 0, HEADER_SIZE);
  out[0] = message[0]!;
  out[1] = message[1]!;
  out[2] = 0x80 | (message[2]! & 0x79);
  out[3] = 0x80 | RCODE.SERVFAIL;
  return HEADER_SIZE;
}

function denialOf({ asker, decision }: Turn): string {
  return denialReason(asker.standing.identity, decision);
}

function begin({ query, reply }: Turn, flags: number): void {
  reply.writer.begin(query, reply.out, flags, reply.limit);
}

function finish(
  turn: Turn,
  exit: Exit,
  rcode: Rcode,
  ede: Ede | null,
  reason: string,
  room: number,
  second: Ede | null = null,
): number {
  const { end, reply } = turn;
  end.exit = exit;
  end.rcode = rcode;
  end.ede = ede;
  const told = reason !== '' && turn.inForce.replies.edeText;
  const text = told ? turn.asker.standing.text(reason) : null;
  return reply.writer.finish(rcode, ede ?? NO_EDE, text, room, second ?? NO_EDE);
}
