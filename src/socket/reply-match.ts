import { FLAG, HEADER_SIZE, messageFlags, OPCODE_MASK, RCODE_MASK, sectionCount } from '../wire/header.ts';
import { RCODE } from '../wire/iana.ts';
import { lowerOctet } from '../wire/name.ts';

/**
 * How `reply` fits what was sent. `same`: octet by octet. `case`: but for the case of letters in the name. `bare`: it
 * says without a question that TCP is wanted, or that the query was not understood. `none`: it is no reply to it.
 */
export type Match = 'same' | 'case' | 'bare' | 'none';

/**
 * Whether `reply` is the response to what was sent, which begins at `start` of `sent` (RFC 5452 §9.1): its ID, QR=1, opcode 0
 * and one question, the one that was sent.
 */
export function matchReply(reply: Uint8Array, sent: Uint8Array, questionEnd: number, start = 0): Match {
  if (reply.length < HEADER_SIZE || reply[0] !== sent[start] || reply[1] !== sent[start + 1]) return 'none';
  const flags = messageFlags(reply);
  if ((flags & (FLAG.QR | OPCODE_MASK)) !== FLAG.QR) return 'none';
  const questions = sectionCount(reply, 0);
  if (questions === 0) return saysNothing(reply, flags) ? 'bare' : 'none';
  if (questions !== 1 || reply.length < questionEnd) return 'none';
  for (let at = questionEnd - 4; at < questionEnd; at++) if (reply[at] !== sent[start + at]) return 'none';
  let same = true;
  for (let at = HEADER_SIZE; at < questionEnd - 4; at++) {
    if (reply[at] === sent[start + at]) continue;
    if (lowerOctet(reply[at]!) !== lowerOctet(sent[start + at]!)) return 'none';
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
