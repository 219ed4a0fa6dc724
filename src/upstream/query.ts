import type { UpstreamQuestion } from '../resolve/ports.ts';
import {
  FLAG,
  HEADER_SIZE,
  messageFlags,
  OPCODE_MASK,
  RCODE_MASK,
  readUint16,
  sectionCount,
  writeUint16,
} from '../wire/header.ts';
import { CLASS, TYPE } from '../wire/iana.ts';
import { lowerOctet, skipName } from '../wire/name.ts';
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
 * Whether `reply` is the response to `sent` (RFC 5452 §9.1): its ID, QR=1, opcode 0 and one question, the one that was
 * sent. `same`: octet by octet. `case`: but for the case of letters in the name. `none`: not a reply to it.
 */
export function matchReply(
  reply: Uint8Array,
  sent: Uint8Array,
  questionEnd: number,
): 'same' | 'case' | 'none' {
  if (reply.length < questionEnd || reply[0] !== sent[0] || reply[1] !== sent[1]) return 'none';
  if ((messageFlags(reply) & (FLAG.QR | OPCODE_MASK)) !== FLAG.QR || sectionCount(reply, 0) !== 1)
    return 'none';
  for (let at = questionEnd - 4; at < questionEnd; at++) if (reply[at] !== sent[at]) return 'none';
  let same = true;
  for (let at = HEADER_SIZE; at < questionEnd - 4; at++) {
    if (reply[at] === sent[at]) continue;
    if (lowerOctet(reply[at]!) !== lowerOctet(sent[at]!)) return 'none';
    same = false;
  }
  return same ? 'same' : 'case';
}

export function isTruncated(reply: Uint8Array): boolean {
  return (messageFlags(reply) & FLAG.TC) !== 0;
}

/** The RCODE of a reply to a question that ends at `questionEnd`, OPT's upper bits included; -1 where its records do not fit. */
export function replyCode(reply: Uint8Array, questionEnd: number): number {
  const low = messageFlags(reply) & RCODE_MASK;
  const before = sectionCount(reply, 1) + sectionCount(reply, 2);
  let left = before + sectionCount(reply, 3);
  let at = questionEnd;
  for (let index = 0; left > 0; left--, index++) {
    const owner = at;
    at = skipName(reply, reply.length, at);
    if (at < 0 || at + 10 > reply.length) return -1;
    const end = at + 10 + readUint16(reply, at + 8);
    if (end > reply.length) return -1;
    if (index >= before && reply[owner] === 0 && readUint16(reply, at) === TYPE.OPT) {
      return (reply[at + 4]! << 4) | low;
    }
    at = end;
  }
  return low;
}
