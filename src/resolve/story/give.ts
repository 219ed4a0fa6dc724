import { grants } from '../../policy/address.ts';
import { approvesName, isNonTerminal } from '../../policy/decide.ts';
import { VERDICT } from '../../policy/decision.ts';
import { REASON } from '../../policy/explain.ts';
import { FLAG, readUint32, writeUint32 } from '../../wire/header.ts';
import { EDE, type Ede, RCODE } from '../../wire/iana.ts';
import { labelOffsets } from '../../wire/name.ts';
import type { Milliseconds, Seconds } from '../../wire/quantity.ts';
import { NO_EDE } from '../../wire/reply.ts';
import type { Answer, Entry, Form } from '../answer/answer.ts';
import { EXIT, type Exit } from '../exit.ts';
import { redirectedForm } from '../local/redirect.ts';
import { isAudited } from './audit.ts';
import { grantOf, ttlBound } from './bounds.ts';
import { isValidating } from './deciding.ts';
import { negative, servfail } from './end.ts';
import { rotateAddresses } from './rotation.ts';
import type { TrustTargets } from './trust.ts';
import type { Turn } from './turn.ts';

/** TTL of stale data (RFC 8767 §4), seconds. */
const STALE_TTL: Seconds = 30;

/** Gives the answer that `lookup.ts` found, if it is for this asker, and ends in `exit`. Returns the reply's length. */
export function give(turn: Turn, stale: boolean, exit: Exit, trust: TrustTargets): number {
  const entry = turn.wanted.entry!;
  const answer = entry.answer!;
  const withheld = withheldBecause(turn, answer);
  if (withheld === REASON.TARGET && isAudited(turn)) {
    // The target would be denied; the name that led here has been recorded if it would be too.
    const { verdict } = turn.decision;
    if (verdict === VERDICT.ALLOW || verdict === VERDICT.LOCAL) turn.end.finding = 'would_deny';
  } else if (withheld !== null) {
    turn.end.finding = withheld === REASON.PRIVATE_ADDRESS ? 'private-address' : 'unapproved-target';
    return negative(turn, RCODE.NOERROR, withheld, EXIT.withheld);
  }
  if (answer.chain.length > 0 && isValidating(turn)) trust.remember(turn, answer.chain);
  return writeAnswer(turn, entry, stale, exit);
}

/**
 * Why an answer is not for this asker, or null: an address that the rule does not grant, or a target that the view does
 * not approve. The RRset is given whole or not at all.
 */
function withheldBecause(turn: Turn, answer: Answer): string | null {
  const { inForce, asker, epoch } = turn;
  if (answer.restricted.length > 0) {
    const grant = grantOf(turn);
    for (const address of answer.restricted) {
      if (!grants(grant, address, 0, address.length as 4 | 16)) return REASON.PRIVATE_ADDRESS;
    }
  }
  for (const name of answer.targets) {
    const subject = { name, labels: scratch, labelCount: labelOffsets(name, scratch) };
    if (!approvesName(inForce.snapshot, asker.view, subject, epoch)) return REASON.TARGET;
  }
  return null;
}

/** Labels of one target. Not re-entrant. */
const scratch = new Uint8Array(128);

/**
 * Writes a kept answer as the reply: the form that the client asked for, TTLs counted down and within its bound, stale data
 * marked. A redirect's answer that does not fit a message, or leads back to it, ends as SERVFAIL.
 */
export function writeAnswer(turn: Turn, entry: Entry, stale: boolean, exit: Exit): number {
  const { query, reply, end, course, inForce } = turn;
  const { writer, out, limit } = reply;
  const { redirect } = course;
  const answer = entry.answer!;
  const denied = answer.rcode === RCODE.NXDOMAIN && redirect === null && answer.chain.length === 0;
  // RFC 8020: NXDOMAIN would take with it what the view has below this name.
  const softened = denied && isNonTerminal(inForce.snapshot, turn.asker.view, turn.decision);
  const asked = query.dnssecOk || (query.flags & FLAG.AD) !== 0;
  let flags = answer.authentic && asked && !softened && !stale && redirect === null ? FLAG.AD : 0;
  let form: Form | null = query.dnssecOk && !softened ? answer.full : answer.plain;
  if (redirect !== null) {
    flags = FLAG.AA;
    form = redirectedForm(query.name.slice(0, query.nameLength), redirect.links, query.type, answer);
    if (form === null) return servfail(turn, EXIT.servfail, EDE.OTHER, '');
  }
  writer.begin(query, out, flags, limit);
  const at = writer.sections(form.octets, form.answers, form.authority);
  if (at >= 0) {
    writeTtls(out, at, form, entry, turn.now, stale, ttlBound(turn));
    rotateAddresses(out, at, form, query.type, turn.now);
  }
  end.exit = exit;
  end.rcode = answer.rcode === RCODE.NXDOMAIN && !softened ? RCODE.NXDOMAIN : RCODE.NOERROR;
  end.ede = stale ? staleEde(end.rcode === RCODE.NXDOMAIN) : null;
  return writer.finish(end.rcode, end.ede ?? NO_EDE, null, limit);
}

function staleEde(denied: boolean): Ede {
  return denied ? EDE.STALE_NXDOMAIN : EDE.STALE_ANSWER;
}

function writeTtls(
  out: Buffer,
  at: number,
  form: Form,
  entry: Entry,
  now: Milliseconds,
  stale: boolean,
  cap: Seconds,
): void {
  const age = Math.floor((now - entry.stored) / 1000);
  const left = Math.floor((entry.freshUntil - now) / 1000);
  for (let i = 0; i < form.ttls.length; i++) {
    const own = readUint32(out, at + form.ttls[i]!);
    const ttl = stale ? STALE_TTL : entry.renewed ? Math.max(1, Math.min(own, left)) : Math.max(0, own - age);
    writeUint32(out, at + form.ttls[i]!, Math.min(ttl, cap));
  }
}
