import type { UpstreamQuestion } from '../resolve/ports.ts';
import { randomOctet, randomUint16 } from '../socket/random.ts';
import { FLAG, HEADER_SIZE, writeUint16 } from '../wire/header.ts';
import { CLASS, TYPE } from '../wire/iana.ts';
import { lowerOctet } from '../wire/name.ts';

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
  // From Buffer's pool: a backing store of its own costs more than all the rest.
  const octets = Buffer.allocUnsafe(HEADER_SIZE + question.name.length + 4 + OPT_SIZE);
  return { octets, questionEnd: putQuery(question, octets, 0) };
}

/** Writes the same at `start`, where 282 octets are enough for it; returns the offset behind the question from there. */
export function putQuery(question: UpstreamQuestion, octets: Uint8Array, start: number): number {
  const { name } = question;
  const { length } = name;
  for (let at = 0; at < HEADER_SIZE; at++) octets[start + at] = 0;
  writeUint16(octets, start + 2, FLAG.RD | (question.checkingDisabled ? FLAG.CD : 0));
  octets[start + 5] = 1;
  octets[start + 11] = 1;
  const nameAt = start + HEADER_SIZE;
  for (let at = 0; at < length; at++) octets[nameAt + at] = name[at]!;
  const end = nameAt + length + 4;
  writeUint16(octets, end - 4, question.type);
  writeUint16(octets, end - 2, CLASS.IN);
  for (let at = 0; at < OPT_SIZE; at++) octets[end + at] = OPT[at]!;
  return end - start;
}

/** Octets of a question with OPT that is `questionEnd` octets long without. */
export function lengthWithOpt(questionEnd: number): number {
  return questionEnd + OPT_SIZE;
}

/** The question without its OPT, for a server that has none (RFC 6891 §7). */
export function withoutOpt({ octets, questionEnd }: Query): Query {
  const plain = Buffer.allocUnsafe(questionEnd);
  for (let at = 0; at < questionEnd; at++) plain[at] = octets[at]!;
  plain[11] = 0;
  return { octets: plain, questionEnd };
}

/** A copy as it goes out once: see `disguise`. */
export function mixedCopy({ octets, questionEnd }: Query, mix: boolean): Buffer {
  const copy = Buffer.allocUnsafe(octets.length);
  for (let at = 0; at < octets.length; at++) copy[at] = octets[at]!;
  disguise(copy, 0, questionEnd, mix);
  return copy;
}

/**
 * Gives the question at `start` a random ID and, where `mix`, each letter of its name a random case
 * (draft-vixie-dnsext-dns0x20): a forger must guess both. Length octets are below 64 and are no letters.
 */
export function disguise(octets: Uint8Array, start: number, questionEnd: number, mix: boolean): void {
  writeUint16(octets, start, randomUint16());
  if (!mix) return;
  let bits = 0;
  let left = 0;
  const end = start + questionEnd - 4;
  for (let at = start + HEADER_SIZE; at < end; at++) {
    const octet = octets[at]!;
    if (octet < 0x61 || octet > 0x7a) continue;
    if (left === 0) {
      bits = randomOctet();
      left = 8;
    }
    octets[at] = octet ^ ((bits & 1) << 5);
    bits >>= 1;
    left--;
  }
}

/** The question with OPT at `start` as `writeQuery` writes it, whatever `disguise` did to it. */
export function plainCopy(octets: Uint8Array, start: number, questionEnd: number): Query {
  const copy = Buffer.allocUnsafe(lengthWithOpt(questionEnd));
  for (let at = 0; at < copy.length; at++) copy[at] = octets[start + at]!;
  writeUint16(copy, 0, 0);
  lowerQuestion(copy, questionEnd);
  return { octets: copy, questionEnd };
}

/**
 * Puts the name of a message's question in lower case. Names in a reply may point into it, and the case that was mixed into it
 * is nobody else's business.
 */
export function lowerQuestion(message: Uint8Array, questionEnd: number): void {
  for (let at = HEADER_SIZE; at < questionEnd - 4; at++) message[at] = lowerOctet(message[at]!);
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
