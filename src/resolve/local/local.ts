import { explain, explanationLine } from '../../policy/explain.ts';
import type { LocalName, Snapshot } from '../../policy/snapshot.ts';
import { SPECIAL } from '../../policy/special.ts';
import { NO_NODE } from '../../policy/tree.ts';
import { TYPE } from '../../wire/iana.ts';
import { sameName } from '../../wire/name.ts';
import { QUESTION, type ReplyWriter } from '../../wire/reply.ts';
import type { Answer, Form } from '../answer/answer.ts';
import { recordsOf } from '../answer/join.ts';
import { type CleanRecord, writeSections } from '../answer/sections.ts';
import type { InForce } from '../in-force.ts';
import type { AskedAddress } from '../ports.ts';
import type { Turn } from '../story/turn.ts';
import { DESIGNATION_TTL, type Designation, DISCOVERY, designated } from './designation.ts';

const LOOPBACK_4 = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK_6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** `RFC8482` and an empty string (RFC 8482 §4.2). */
const HINFO = Uint8Array.of(7, 0x52, 0x46, 0x43, 0x38, 0x34, 0x38, 0x32, 0);

/** Writes what namegate itself says of a special name. Nothing written means no data. */
export function writeSpecial(
  turn: Turn,
  { snapshot, designations }: InForce,
  writer: ReplyWriter,
  ttl: number,
): void {
  const { query, decision } = turn;
  switch (snapshot.specials.get(decision.special)) {
    case SPECIAL.LOCALHOST:
      if (query.type === TYPE.A) writer.record(QUESTION, TYPE.A, ttl, LOOPBACK_4);
      else if (query.type === TYPE.AAAA) writer.record(QUESTION, TYPE.AAAA, ttl, LOOPBACK_6);
      break;
    case SPECIAL.RESOLVER:
      if (query.type === TYPE.SVCB && designations.length > 0) writeDesignations(turn, designations, writer);
      break;
    case SPECIAL.WHY:
      if (query.type === TYPE.TXT) writeWhy(turn, snapshot, writer);
      break;
    default:
      break;
  }
}

/** Where this client can ask over TLS instead (RFC 9462 §4). */
function writeDesignations(
  { query, client }: Turn,
  designations: readonly Designation[],
  writer: ReplyWriter,
): void {
  const asked: AskedAddress = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  if (!sameName(query.name.subarray(0, query.nameLength), DISCOVERY) || !client.asked(asked)) return;
  for (const rdata of designated(designations, asked))
    writer.record(QUESTION, TYPE.SVCB, DESIGNATION_TTL, rdata);
}

/** RFC 8482: a short answer that says that there is no long one. */
export function writeAny(writer: ReplyWriter, ttl: number): void {
  writer.record(QUESTION, TYPE.HINFO, ttl, HINFO);
}

/** TXT at NAME._why.namegate.internal: the line of `namegate explain NAME`. It is for now, so its TTL is 0. */
function writeWhy(turn: Turn, snapshot: Snapshot, writer: ReplyWriter): void {
  const { query, decision, standing, stage, epoch } = turn;
  const free = query.labelCount - decision.depth;
  if (free === 0) return;
  const suffix = query.labels[free]!;
  const name = new Uint8Array(suffix + 1);
  name.set(query.name.subarray(0, suffix));
  const text = Buffer.from(explanationLine(explain(snapshot, standing.identity, stage, name, TYPE.A, epoch)));
  const strings: Buffer[] = [];
  for (let at = 0; at < text.length; at += 255) {
    const part = text.subarray(at, at + 255);
    strings.push(Buffer.from([part.length]), part);
  }
  writer.record(QUESTION, TYPE.TXT, 0, Buffer.concat(strings));
}

/** Writes the RRset of the type that was asked for, if there is one; `cap` bounds its TTL. */
export function writeLocal(
  writer: ReplyWriter,
  owner: number,
  local: LocalName,
  type: number,
  cap: number,
): void {
  for (const rrset of local.rrsets) {
    if (rrset.type !== type && rrset.type !== TYPE.CNAME) continue;
    for (const rdata of rrset.rdata) writer.record(owner, rrset.type, Math.min(rrset.ttl, cap), rdata);
  }
}

/** Where a chain of redirects ends: local data, or a name to be fetched. */
export interface RedirectEnd {
  /** The names that the CNAMEs lead to, in order. */
  readonly links: readonly Uint8Array[];
  readonly local: LocalName | null;
  /** The last redirect: it says which addresses its fetched target may have. */
  readonly last: NonNullable<LocalName['redirect']>;
}

/** Follows redirects from a local name. The compiler has refused loops. */
export function followRedirects(snapshot: Snapshot, first: NonNullable<LocalName['redirect']>): RedirectEnd {
  const links: Uint8Array[] = [];
  let last = first;
  for (;;) {
    links.push(last.to);
    const local = last.node === NO_NODE ? null : (snapshot.locals.get(last.node) ?? null);
    if (local?.redirect == null) return { links, local, last };
    last = local.redirect;
  }
}

/** Writes the CNAMEs of redirects; returns the offset of the last target's name in the reply. */
export function writeLinks(writer: ReplyWriter, links: readonly Uint8Array[], ttl: number): number {
  let owner: number = QUESTION;
  for (const link of links) owner = writer.record(owner, TYPE.CNAME, ttl, link);
  return owner;
}

/** A TTL that every cap is below: the CNAMEs of a redirect do not age. */
const UNAGED = 0x7fff_ffff;

/**
 * The sections of a redirect's reply: its CNAMEs and what was fetched for the last of `links`, moved from behind that
 * question to behind `question`. Null where it does not fit, and where what was fetched leads back into the redirects: that
 * loop is one that no compiler sees.
 */
export function redirectedForm(
  question: Uint8Array,
  links: readonly Uint8Array[],
  type: number,
  answer: Answer,
): Form | null {
  const target = links.at(-1)!;
  const leadsBack = (name: Uint8Array): boolean =>
    sameName(name, question) || links.some((link) => sameName(name, link));
  if (answer.chain.some(leadsBack)) return null;
  const records = recordsOf(target, type, answer.plain);
  if (records === null) return null;
  const cnames: CleanRecord[] = links.map((link, i) => ({
    owner: i === 0 ? question : links[i - 1]!,
    type: TYPE.CNAME,
    ttl: UNAGED,
    rdata: link,
    linked: true,
  }));
  return writeSections(question, [...cnames, ...records.answers], records.authority);
}
