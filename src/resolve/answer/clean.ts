import { WireError } from '../../wire/error.ts';
import { FLAG, RCODE_MASK } from '../../wire/header.ts';
import { RCODE, TYPE } from '../../wire/iana.ts';
import { ANSWER, AUTHORITY, readMessage } from '../../wire/message.ts';
import { sameName } from '../../wire/name.ts';
import { rdataName, substitute } from '../../wire/rdata.ts';
import type { Answer } from './answer.ts';
import { Kept } from './kept-records.ts';
import { readPlainReply } from './plain-reply.ts';
import { writeSections } from './sections.ts';

/** Links that a chain may have. */
const MAX_CHAIN = 16;

/**
 * Cleans an upstream's reply to the question (name in lower case, type): of it stays the CNAME/DNAME chain that starts
 * at the question, its final RRset, and the SOA and proofs that a negative or wildcard-expanded answer needs; no other
 * authority, no additional. Null where the reply is unusable: it does not parse, its RDATA breaks its type, its chain
 * loops, or it is a referral.
 */
export function clean(octets: Buffer, name: Uint8Array, type: number, verified: boolean): Answer | null {
  return readPlainReply(octets, name, type, verified) ?? cleanAny(octets, name, type, verified);
}

/** The long way, good for every reply. */
export function cleanAny(octets: Buffer, name: Uint8Array, type: number, verified: boolean): Answer | null {
  const message = readMessage(octets);
  if (message instanceof WireError) return null;
  const rcode = message.flags & RCODE_MASK;
  // No other code is an answer, and none may reach a client.
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return null;
  const kept = new Kept(message);
  // Where a CNAME was asked for, one that a DNAME makes is the data, and the DNAME its proof (RFC 6672 §3.1).
  const made = type === TYPE.CNAME ? followDname(kept, name) : null;
  if (made === 'broken') return null;
  const end = made === null ? followChain(kept, name, type) : name;
  if (end === null) return null;
  const positive = made === null ? kept.rrset(ANSWER, end, type) : [];
  if (made !== null || positive.length > 0) {
    if (rcode !== RCODE.NOERROR) return null;
    kept.take(positive, 'answer');
    kept.takeProofs();
  } else if (!takeNegative(kept, end, rcode)) {
    return null;
  }
  return kept.broken ? null : finish(kept, name, end, rcode, verified);
}

/** Takes the chain's links; returns the name at which it ends, or null for a chain that loops or is too long. */
function followChain(kept: Kept, name: Uint8Array, type: number): Uint8Array | null {
  let current = name;
  for (let links = 0; links <= MAX_CHAIN; links++) {
    // A CNAME is data where it was asked for (RFC 1034 §3.6.2).
    if (kept.rrset(ANSWER, current, type).length > 0) return current;
    const next = followDname(kept, current) ?? followCname(kept, current);
    if (next === null) return current;
    if (next === 'broken' || kept.chain.some((seen) => sameName(seen, next)) || sameName(next, name))
      return null;
    kept.chain.push(next);
    current = next;
  }
  return null;
}

function followCname(kept: Kept, current: Uint8Array): Uint8Array | 'broken' | null {
  // More than one is a broken zone; the first is what others follow.
  const link = kept.rrset(ANSWER, current, TYPE.CNAME)[0];
  if (link === undefined) return null;
  kept.take([link], 'answer');
  return rdataName(kept.message.octets, link.start, link.end) ?? 'broken';
}

/** RFC 6672 §3.1: the DNAME, and the CNAME that it makes, which is written here where the server left it out. */
function followDname(kept: Kept, current: Uint8Array): Uint8Array | 'broken' | null {
  const dname = kept.firstAbove(ANSWER, current, TYPE.DNAME, 1);
  if (dname === null) return null;
  const target = rdataName(kept.message.octets, dname.start, dname.end);
  const next = target === null ? null : substitute(current, dname.owner, target);
  if (next === null) return 'broken';
  if (!kept.links.has(dname)) kept.take([dname], 'answer');
  kept.links.add(dname);
  kept.add({ owner: current, type: TYPE.CNAME, ttl: dname.ttl, rdata: next, linked: true }, 'answer');
  return next;
}

/** The end of the chain has no data: its SOA and proofs. False for a referral, which is no answer. */
function takeNegative(kept: Kept, end: Uint8Array, rcode: number): boolean {
  const { records } = kept.message;
  const soa = kept.firstAbove(AUTHORITY, end, TYPE.SOA, 0);
  if (soa === null) {
    const refers = records.some((record) => record.section === AUTHORITY && record.type === TYPE.NS);
    // Small forwarders leave it out, and what leads nowhere may be a failure of theirs: it is given once, and not kept.
    kept.unsupported = true;
    return !(refers && rcode === RCODE.NOERROR && kept.chain.length === 0);
  }
  kept.take([soa], 'authority');
  kept.zones.push(soa.owner);
  kept.takeProofs();
  return true;
}

function finish(
  kept: Kept,
  name: Uint8Array,
  end: Uint8Array,
  rcode: number,
  verified: boolean,
): Answer | null {
  const open = kept.unsupported && rcode === RCODE.NOERROR && kept.chain.length > 0 ? end : null;
  const lives = !kept.unsupported || open !== null;
  if (!lives) kept.age();
  const plain = writeSections(name, kept.plain.answer, kept.plain.authority);
  const signed = kept.full.answer.length + kept.full.authority.length;
  const full =
    signed === kept.plain.answer.length + kept.plain.authority.length
      ? plain
      : writeSections(name, kept.full.answer, kept.full.authority);
  if (plain === null || full === null) return null;
  return {
    rcode,
    plain,
    full,
    // RFC 2308 §5: what no SOA supports is not kept.
    ttl: lives ? kept.ttl : 0,
    supported: !kept.unsupported,
    open,
    authentic: verified && (kept.message.flags & FLAG.AD) !== 0,
    chain: kept.chain,
    restricted: kept.restricted,
    targets: kept.targets.filter((target) => !sameName(target, end)),
  };
}
