import type { LocalName, Snapshot } from '../../policy/snapshot.ts';
import { NO_NODE } from '../../policy/tree.ts';
import { TYPE } from '../../wire/iana.ts';
import { sameName } from '../../wire/name.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { QUESTION, type ReplyWriter } from '../../wire/reply.ts';
import type { Form } from '../answer/answer.ts';
import { recordsOf } from '../answer/join.ts';
import { type CleanRecord, writeSections } from '../answer/sections.ts';

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
export function writeLinks(writer: ReplyWriter, links: readonly Uint8Array[], ttl: Seconds): number {
  let owner: number = QUESTION;
  for (const link of links) owner = writer.record(owner, TYPE.CNAME, ttl, link);
  return owner;
}

/** A TTL that every cap is below: the CNAMEs of a redirect do not age. */
const UNAGED = 0x7fff_ffff;

/**
 * The sections of a redirect's reply: its CNAMEs, and what was `fetched` for the last of `links` with a `chain` of its own,
 * moved from behind that question to behind `question`. Null where it does not fit, and where what was fetched leads back into the redirects: that
 * loop is one that no compiler sees.
 */
export function redirectedForm(
  question: Uint8Array,
  links: readonly Uint8Array[],
  type: number,
  chain: readonly Uint8Array[],
  fetched: Form,
): Form | null {
  const target = links.at(-1)!;
  const leadsBack = (name: Uint8Array): boolean =>
    sameName(name, question) || links.some((link) => sameName(name, link));
  if (chain.some(leadsBack)) return null;
  const records = recordsOf(target, type, fetched);
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
