import { grants } from '../../policy/address.ts';
import { approvesName, isNonTerminal } from '../../policy/decide.ts';
import { REASON } from '../../policy/explain.ts';
import type { PrivateGrant } from '../../policy/input.ts';
import type { Snapshot, View } from '../../policy/snapshot.ts';
import { FLAG, readUint32, writeUint32 } from '../../wire/header.ts';
import { EDE, RCODE } from '../../wire/iana.ts';
import { labelOffsets } from '../../wire/name.ts';
import { NO_EDE, type ReplyWriter } from '../../wire/reply.ts';
import type { Answer, Entry, Form } from '../answer/answer.ts';
import { type RedirectEnd, redirectedForm } from '../local/local.ts';
import type { Turn } from './turn.ts';

/** TTL of stale data (RFC 8767 §4), seconds. */
const STALE_TTL = 30;

/**
 * Why an answer is not for this asker, or null: an address that the rule does not grant, or a target that the view does
 * not approve. The RRset is given whole or not at all (DESIGN §2).
 */
export function withheldBecause(
  answer: Answer,
  snapshot: Snapshot,
  view: View,
  grant: PrivateGrant,
  now: number,
): string | null {
  for (const address of answer.restricted) {
    if (!grants(grant, address, 0, address.length as 4 | 16)) return REASON.PRIVATE_ADDRESS;
  }
  for (const name of answer.targets) {
    const subject = { name, labels: scratch, labelCount: labelOffsets(name, scratch) };
    if (!approvesName(snapshot, view, subject, now)) return REASON.TARGET;
  }
  return null;
}

const scratch = new Uint8Array(128);

/**
 * Writes a kept answer as the reply: the form that the client asked for, TTLs counted down and within `cap`, stale data
 * marked. Returns the reply's length, or -1 where a redirect's answer does not fit a message or leads back to it.
 */
export function giveAnswer(
  turn: Turn,
  snapshot: Snapshot,
  writer: ReplyWriter,
  entry: Entry,
  stale: boolean,
  cap: number,
  redirect: RedirectEnd | null,
): number {
  const { query, out, limit } = turn;
  const answer = entry.answer!;
  const denied = answer.rcode === RCODE.NXDOMAIN && redirect === null && answer.chain.length === 0;
  // RFC 8020: NXDOMAIN would take with it what the view has below this name.
  const softened = denied && isNonTerminal(snapshot, turn.view, turn.decision);
  const asked = query.dnssecOk || (query.flags & FLAG.AD) !== 0;
  let flags = answer.authentic && asked && !softened && !stale && redirect === null ? FLAG.AD : 0;
  let form: Form | null = query.dnssecOk && !softened ? answer.full : answer.plain;
  if (redirect !== null) {
    flags = FLAG.AA;
    form = redirectedForm(query.name.slice(0, query.nameLength), redirect.links, query.type, answer);
    if (form === null) return -1;
  }
  writer.begin(query, out, flags, limit);
  const at = writer.sections(form.octets, form.answers, form.authority);
  if (at >= 0) writeTtls(out, at, form, entry, turn.now, stale, cap);
  const rcode = softened ? RCODE.NOERROR : answer.rcode;
  const ede = !stale ? NO_EDE : rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN : EDE.STALE_ANSWER;
  return writer.finish(rcode, ede, null, limit);
}

function writeTtls(
  out: Buffer,
  at: number,
  form: Form,
  entry: Entry,
  now: number,
  stale: boolean,
  cap: number,
): void {
  const age = Math.floor((now - entry.stored) / 1000);
  const left = Math.floor((entry.freshUntil - now) / 1000);
  for (let i = 0; i < form.ttls.length; i++) {
    const own = readUint32(out, at + form.ttls[i]!);
    const ttl = stale ? STALE_TTL : entry.renewed ? Math.max(1, Math.min(own, left)) : Math.max(0, own - age);
    writeUint32(out, at + form.ttls[i]!, Math.min(ttl, cap));
  }
}
