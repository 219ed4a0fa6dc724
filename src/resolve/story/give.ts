import { isNonTerminal } from '../../policy/decide/beside.ts';
import { VERDICT } from '../../policy/decide/decision.ts';
import { REASON } from '../../policy/explain/reason.ts';
import { FLAG, readUint32, writeUint32 } from '../../wire/header.ts';
import { EDE, type Ede, RCODE } from '../../wire/iana.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { NO_EDE } from '../../wire/reply.ts';
import { type Sections, sectionsOf } from '../answer/answer.ts';
import type { Entry } from '../answer/entry.ts';
import { outOfRanges, unapproved } from '../answer/withheld.ts';
import { edeText } from '../client/ede-text.ts';
import { EXIT, type Exit } from '../exit.ts';
import { redirectedForm } from '../local/redirect.ts';
import { isAudited } from './audit.ts';
import { rangesOf, ttlBound } from './bounds.ts';
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
  const withheld = withheldBecause(turn, entry);
  if (withheld === REASON.TARGET && isAudited(turn)) {
    // The target would be denied; the name that led here has been recorded if it would be too.
    const { verdict } = turn.decision;
    if (verdict === VERDICT.ALLOW || verdict === VERDICT.LOCAL) turn.end.finding = 'would_deny';
  } else if (withheld !== null) {
    turn.end.finding = withheld === REASON.PRIVATE_ADDRESS ? 'private-address' : 'unapproved-target';
    return negative(turn, RCODE.NOERROR, withheld, EXIT.withheld);
  }
  if (entry.hasChain && isValidating(turn)) trust.remember(turn, entry.chain());
  return writeAnswer(turn, entry, stale, exit);
}

/**
 * Why an answer is not for this asker, or null: an address that the rule does not grant, or a target that the view does
 * not approve. The RRset is given whole or not at all.
 */
function withheldBecause(turn: Turn, entry: Entry): string | null {
  const { inForce, asker, epoch, end } = turn;
  if (entry.restrictedStart < entry.restrictedEnd) {
    end.culprit = outOfRanges(entry, rangesOf(turn));
    if (end.culprit !== null) return REASON.PRIVATE_ADDRESS;
  }
  end.culprit = unapproved(entry, inForce.snapshot, asker.view, epoch);
  return end.culprit === null ? null : REASON.TARGET;
}

/**
 * Writes a kept answer as the reply: the form that the client asked for, TTLs counted down and within its bound, stale data
 * marked. A redirect's answer that does not fit a message, or leads back to it, ends as SERVFAIL.
 */
export function writeAnswer(turn: Turn, entry: Entry, stale: boolean, exit: Exit): number {
  const { query, reply, end, course, inForce } = turn;
  const { writer, out, limit } = reply;
  const { redirect } = course;
  const denied = entry.rcode === RCODE.NXDOMAIN && redirect === null && !entry.hasChain;
  // RFC 8020: NXDOMAIN would take with it what the view has below this name.
  const softened = denied && isNonTerminal(inForce.snapshot, turn.asker.view, turn.decision);
  const asked = query.dnssecOk || (query.flags & FLAG.AD) !== 0;
  let flags = asked && !softened && !stale && redirect === null && entry.authentic ? FLAG.AD : 0;
  let sections: Sections = entry.choose(query.dnssecOk && !softened);
  if (redirect !== null) {
    flags = FLAG.AA;
    const name = query.name.slice(0, query.nameLength);
    const form = redirectedForm(name, redirect.links, query.type, entry.chain(), entry.plain());
    if (form === null) return servfail(turn, EXIT.servfail, EDE.OTHER, LOOP);
    sections = sectionsOf(form);
  }
  writer.begin(query, out, flags, limit);
  const { octets, start, answers, authority } = sections;
  const at = writer.sections(octets, start, sections.end, answers, authority);
  if (at >= 0) {
    writeTtls(turn, at, sections, entry, stale);
    rotateAddresses(out, at, sections, query.type, turn.now);
  }
  end.exit = exit;
  end.rcode = entry.rcode === RCODE.NXDOMAIN && !softened ? RCODE.NXDOMAIN : RCODE.NOERROR;
  end.ede = stale ? staleEde(end.rcode === RCODE.NXDOMAIN) : null;
  return writer.finish(end.rcode, end.ede ?? NO_EDE, null, limit);
}

const LOOP = edeText('what its redirect leads to leads back, or is too long', '');

function staleEde(denied: boolean): Ede {
  return denied ? EDE.STALE_NXDOMAIN : EDE.STALE_ANSWER;
}

function writeTtls(turn: Turn, at: number, sections: Sections, entry: Entry, stale: boolean): void {
  const { out } = turn.reply;
  const { offsets, ttls, ttlCount } = sections;
  const cap = ttlBound(turn);
  const age = Math.floor((turn.now - entry.stored) / 1000);
  const left = Math.round((entry.freshUntil - turn.now) / 1000);
  const { renewed } = entry;
  for (let i = ttls; i < ttls + ttlCount; i++) {
    const place = at + offsets[i]!;
    const own = readUint32(out, place);
    const ttl = stale ? STALE_TTL : renewed ? Math.max(1, Math.min(own, left)) : Math.max(0, own - age);
    writeUint32(out, place, Math.min(ttl, cap));
  }
}
