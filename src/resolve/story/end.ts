import { closestAncestor, isNonTerminal } from '../../policy/decide/beside.ts';
import { denialReason, REASON, whomToAsk } from '../../policy/explain/reason.ts';
import { FLAG, HEADER_SIZE } from '../../wire/header.ts';
import { EDE, type Ede, RCODE, type Rcode } from '../../wire/iana.ts';
import { NO_EDE } from '../../wire/reply.ts';
import { type EdeText, edeText } from '../client/ede-text.ts';
import { UnclaimedTexts } from '../client/unclaimed.ts';
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
  return finish(turn, exit, rcode, null, null, turn.reply.limit);
}

/** A denial whose source may be forged is counted apart, as is one that is expected: they are held against nobody. */
export function deny(turn: Turn): number {
  if (isLeasedUnproven(turn)) return truncate(turn, EXIT.deny_unproven);
  const denied = turn.decision.expected < 0 ? EXIT.deny : EXIT.deny_expected;
  const exit = turn.asker.proven ? denied : EXIT.deny_unproven;
  return negative(turn, RCODE.NXDOMAIN, denialOf(turn), exit);
}

/**
 * A job is held to what it is denied, so a denial to the address of its lease is proven: the client is sent to TCP, where
 * nobody can forge its address, and is denied there. The reply has no part of a denial, and is no longer than the question.
 */
function isLeasedUnproven({ asker }: Turn): boolean {
  return !asker.proven && asker.bound !== null && asker.bound.lease !== '';
}

/** The name is in the tree, without data of this type; only a refused type is told as blocked. */
export function empty(turn: Turn, exit: Exit): number {
  return negative(turn, RCODE.NOERROR, denialOf(turn), exit);
}

/** The ledger refuses it: what the wildcard approves beyond its budget is no longer in the tree. */
export function contain(turn: Turn): number {
  const { inForce, asker, decision } = turn;
  const exists = isNonTerminal(inForce.snapshot, asker.view, decision);
  return negative(turn, exists ? RCODE.NOERROR : RCODE.NXDOMAIN, REASON.BUDGET, EXIT.contained);
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
  return finish(turn, exit, rcode, reason === '' ? null : EDE.BLOCKED, textOf(turn, reason), room);
}

/** Ends what has been written of our own data. */
export function written(turn: Turn, exit: Exit): number {
  return finish(turn, exit, RCODE.NOERROR, null, null, turn.reply.limit);
}

/** SERVFAIL, for an identity has as much as it may; `reason` is one of the constants of `policy/explain/reason.ts`. */
export function limited(turn: Turn, reason: string): number {
  const { underway, identity } = turn.asker.standing;
  underway.limitedAt = turn.now;
  underway.limitedBy = reason;
  const ask = turn.inForce.replies.contact || identity.owner;
  return servfail(turn, EXIT.limited, EDE.OTHER, turn.asker.standing.text(reason, ask));
}

/** SERVFAIL with up to two EDE codes; `text` is told with the first. */
export function servfail(
  turn: Turn,
  exit: Exit,
  ede: Ede,
  text: EdeText | null,
  second: Ede | null = null,
): number {
  begin(turn, 0);
  return finish(turn, exit, RCODE.SERVFAIL, ede, text, turn.reply.limit, second);
}

/** The reply to a query that met a bug: its header alone, whatever state the turn is in. Never throws. */
export function bareServfail(turn: Turn, message: Uint8Array, out: Buffer): number {
  turn.end.exit = EXIT.servfail;
  turn.end.rcode = RCODE.SERVFAIL;
  turn.end.ede = null;
  turn.reply.writer.filling.most = 0;
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

/** What is told of a refusal to who was refused; null for nothing. */
function textOf(turn: Turn, reason: string): EdeText | null {
  const { asker, decision, inForce } = turn;
  if (reason === '' || !inForce.replies.edeText) return null;
  if (!asker.isKnown) return reason === REASON.UNKNOWN ? unclaimed.of(turn) : null;
  const { snapshot, replies } = inForce;
  const { standing } = asker;
  const { identity } = standing;
  // No rule is about the name that wants an approval: a target, or a name that a pattern just misses.
  if (reason === REASON.TARGET || reason === REASON.NOT_APPROVED)
    return standing.text(reason, replies.contact || identity.owner);
  // One of very many, and rare: it is not kept. Where it does not fit, the name matters more than whom to ask.
  if (decision.resembles !== '')
    return { ...edeText(`${identity.name}: ${reason}`, replies.contact || identity.owner), keep: 0 };
  return standing.text(reason, whomToAsk(snapshot, identity, replies.contact, decision));
}

const unclaimed = new UnclaimedTexts();

function begin({ query, reply }: Turn, flags: number): void {
  reply.writer.begin(query, reply.out, flags, reply.limit);
}

function finish(
  turn: Turn,
  exit: Exit,
  rcode: Rcode,
  ede: Ede | null,
  text: EdeText | null,
  room: number,
  second: Ede | null = null,
): number {
  const { end, reply } = turn;
  end.exit = exit;
  end.rcode = rcode;
  end.ede = ede;
  const told = turn.inForce.replies.edeText ? text : null;
  const octets = told === null ? null : told.octets;
  return reply.writer.finish(
    rcode,
    ede ?? NO_EDE,
    octets,
    room,
    second ?? NO_EDE,
    told === null ? 0 : told.keep,
  );
}
