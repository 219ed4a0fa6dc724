import type { UpstreamQuestion } from '../resolve/ports.ts';
import {
  FLAG,
  HEADER_SIZE,
  messageFlags,
  OPCODE_MASK,
  RCODE_MASK,
  sectionCount,
  writeUint16,
} from '../wire/header.ts';
import { CLASS, RCODE, TYPE } from '../wire/iana.ts';
import { lowerOctet } from '../wire/name.ts';
import { randomOctet, randomUint16 } from './random.ts';

/** Octets of a UDP reply that we take (DNS flag day 2020). */
const UDP_SIZE = 1232;
/** RFC 6891 §6.1.2: root owner, type, payload size, extended RCODE and version 0, DO, no options. */
const OPT = [0, 0, TYPE.OPT, UDP_SIZE >>> 8, UDP_SIZE & 0xff, 0, 0, 0x80, 0, 0, 0] as const;
const OPT_SIZE = OPT.length;

/** A question as it goes to servers: ID 0 and lower case, to be copied for each exchange. */
export interface Query {
  readonly octets: Buffer;
  /** Offset behind the question. */
  readonly questionEnd: number;
}

/**
 * RD=1, CD as asked, one question, and an OPT of version 0 with DO and no option: nothing that tells clients
 * apart (no ECS, no cookie, no client option).
 */
export function writeQuery(question: UpstreamQuestion): Query {
  const { name } = question;
  const questionEnd = HEADER_SIZE + name.length + 4;
  // From Buffer's pool: a backing store of its own costs more than all the rest.
  const octets = Buffer.allocUnsafe(questionEnd + OPT_SIZE);
  for (let at = 0; at < HEADER_SIZE; at++) octets[at] = 0;
  writeUint16(octets, 2, FLAG.RD | (question.checkingDisabled ? FLAG.CD : 0));
  octets[5] = 1;
  octets[11] = 1;
  for (let at = 0; at < name.length; at++) octets[HEADER_SIZE + at] = name[at]!;
  writeUint16(octets, questionEnd - 4, question.type);
  writeUint16(octets, questionEnd - 2, CLASS.IN);
  for (let at = 0; at < OPT_SIZE; at++) octets[questionEnd + at] = OPT[at]!;
  return { octets, questionEnd };
}

/** The question without its OPT, for a server that has none (RFC 6891 §7). */
export function withoutOpt({ octets, questionEnd }: Query): Query {
  const plain = Buffer.allocUnsafe(questionEnd);
  for (let at = 0; at < questionEnd; at++) plain[at] = octets[at]!;
  plain[11] = 0;
  return { octets: plain, questionEnd };
}

/**
 * A copy with a random ID and, where `mix`, each letter of the name in a random case (draft-vixie-dnsext-dns0x20):
 * a forger must guess both. Length octets are below 64 and are no letters.
 */
export function mixedCopy(query: Query, mix: boolean): Buffer {
  const { octets, questionEnd } = query;
  const copy = Buffer.allocUnsafe(octets.length);
  for (let at = 2; at < octets.length; at++) copy[at] = octets[at]!;
  writeUint16(copy, 0, randomUint16());
  if (!mix) return copy;
  let bits = 0;
  let left = 0;
  for (let at = HEADER_SIZE; at < questionEnd - 4; at++) {
    const octet = copy[at]!;
    if (octet < 0x61 || octet > 0x7a) continue;
    if (left === 0) {
      bits = randomOctet();
      left = 8;
    }
    copy[at] = octet ^ ((bits & 1) << 5);
    bits >>= 1;
    left--;
  }
  return copy;
}

/** Letters of the name: each doubles what a forger must guess. */
export function countLetters({ octets, questionEnd }: Query): number {
  let count = 0;
  for (let at = HEADER_SIZE; at < questionEnd - 4; at++) {
    const octet = lowerOctet(octets[at]!);
    if (octet >= 0x61 && octet <= 0x7a) count++;
  }
  return count;
}

/**
 * How `reply` fits what was sent. `same`: octet by octet. `case`: but for the case of letters in the name. `bare`: it
 * says without a question that TCP is wanted, or that the query was not understood. `none`: it is no reply to it.
 */
export type Match = 'same' | 'case' | 'bare' | 'none';

/** Whether `reply` is the response to `sent` (RFC 5452 §9.1): its ID, QR=1, opcode 0 and one question, the one that was sent. */
export function matchReply(reply: Uint8Array, sent: Uint8Array, questionEnd: number): Match {
  if (reply.length < HEADER_SIZE || reply[0] !== sent[0] || reply[1] !== sent[1]) return 'none';
  const flags = messageFlags(reply);
  if ((flags & (FLAG.QR | OPCODE_MASK)) !== FLAG.QR) return 'none';
  const questions = sectionCount(reply, 0);
  if (questions === 0) return saysNothing(reply, flags) ? 'bare' : 'none';
  if (questions !== 1 || reply.length < questionEnd) return 'none';
  for (let at = questionEnd - 4; at < questionEnd; at++) if (reply[at] !== sent[at]) return 'none';
  let same = true;
  for (let at = HEADER_SIZE; at < questionEnd - 4; at++) {
    if (reply[at] === sent[at]) continue;
    if (lowerOctet(reply[at]!) !== lowerOctet(sent[at]!)) return 'none';
    same = false;
  }
  return same ? 'same' : 'case';
}

/** No record can be taken from it: it is of use as a hint alone, since it proves no more than its ID. */
function saysNothing(reply: Uint8Array, flags: number): boolean {
  if (sectionCount(reply, 1) !== 0 || sectionCount(reply, 2) !== 0) return false;
  const code = flags & RCODE_MASK;
  return (flags & FLAG.TC) !== 0 || code === RCODE.FORMERR || code === RCODE.NOTIMP;
}

/** Where the question of a reply ends: at the header's end where it has none. */
export function endOfQuestion(reply: Uint8Array, questionEnd: number): number {
  return sectionCount(reply, 0) === 0 ? HEADER_SIZE : questionEnd;
}

export function isTruncated(reply: Uint8Array): boolean {
  return (messageFlags(reply) & FLAG.TC) !== 0;
}
