import { messageFlags, RCODE_MASK, readUint16, sectionCount } from '../wire/header.ts';
import { OPTION, RCODE, TYPE } from '../wire/iana.ts';
import { skipName } from '../wire/name.ts';

/** What the header and the OPT of a reply say, before anybody looks at its records. */
export interface Said {
  /** The RCODE, OPT's upper bits included; -1 where the records do not fit the message. */
  readonly code: number;
  /** It has an OPT: the server knows EDNS. */
  readonly edns: boolean;
  /** The INFO-CODE of its first Extended DNS Error (RFC 8914), or -1. */
  readonly ede: number;
  /** The text beside it, without what a terminal or a log could misread; at most 80 characters. */
  readonly text: string;
}

/** Octets of an upstream's own words that are kept. */
const MAX_TEXT = 80;

/** Reads a reply whose question ends at `questionEnd`. Any octets may follow there. */
export function readSaid(reply: Uint8Array, questionEnd: number): Said {
  const low = messageFlags(reply) & RCODE_MASK;
  const before = sectionCount(reply, 1) + sectionCount(reply, 2);
  let left = before + sectionCount(reply, 3);
  let at = questionEnd;
  for (let index = 0; left > 0; left--, index++) {
    const owner = at;
    at = skipName(reply, reply.length, at);
    if (at < 0 || at + 10 > reply.length) return MALFORMED;
    const end = at + 10 + readUint16(reply, at + 8);
    if (end > reply.length) return MALFORMED;
    if (index >= before && reply[owner] === 0 && readUint16(reply, at) === TYPE.OPT) {
      return readOpt(reply, at + 10, end, (reply[at + 4]! << 4) | low);
    }
    at = end;
  }
  return low < CODES.length ? CODES[low]! : bare(low);
}

/** What has no OPT says a code alone: most replies, so nothing is made for them. */
const CODES: readonly Said[] = Array.from({ length: 16 }, (_, code) => bare(code));
const MALFORMED: Said = bare(-1);

function bare(code: number): Said {
  return { code, edns: false, ede: -1, text: '' };
}

/** The same with an OPT: answers carry no error worth keeping. */
const WITH_OPT: readonly Said[] = Array.from({ length: 16 }, (_, code) => ({ ...bare(code), edns: true }));

function readOpt(reply: Uint8Array, start: number, end: number, code: number): Said {
  if (isAnswer(code)) return WITH_OPT[code]!;
  for (let at = start; at + 4 <= end; ) {
    const size = readUint16(reply, at + 2);
    if (at + 4 + size > end) break;
    if (readUint16(reply, at) === OPTION.EDE && size >= 2) {
      const words = Buffer.from(reply.subarray(at + 6, at + 4 + Math.min(size, 2 + MAX_TEXT)));
      const text = words.toString('latin1').replace(/[^ -~]/g, '?');
      return { code, edns: true, ede: readUint16(reply, at + 4), text };
    }
    at += 4 + size;
  }
  return { code, edns: true, ede: -1, text: '' };
}

/** Every other RCODE is the server's trouble, not the name's answer. */
export function isAnswer(code: number): boolean {
  return code === RCODE.NOERROR || code === RCODE.NXDOMAIN;
}

/** Whether the same question without OPT may be answered; `tolerant`: the server has answered one with OPT. */
export function helpOfNoOpt({ code, edns }: Said, tolerant: boolean): 'likely' | 'maybe' | 'no' {
  if (deniesOpt(code)) return 'likely';
  return edns || tolerant ? 'no' : 'maybe';
}

/** The codes by which a server says that it does not understand OPT (RFC 6891 §7; BADVERS: it knows another version alone). */
function deniesOpt(code: number): boolean {
  return code === RCODE.FORMERR || code === RCODE.NOTIMP || code === RCODE.BADVERS;
}

/** A server's own trouble, or its answer while it starts: another reply may be better. */
export function mayPass({ code }: Said): boolean {
  return code === RCODE.SERVFAIL || code === RCODE.REFUSED;
}

/** As the log has it: `SERVFAIL`, `SERVFAIL, EDE 6 (signature expired)`. */
export function saidText({ code, ede, text }: Said): string {
  if (code < 0) return 'malformed reply';
  const known = Object.entries(RCODE).find(([, value]) => value === code);
  const name = known === undefined ? `RCODE ${code}` : known[0];
  if (ede < 0) return name;
  return text === '' ? `${name}, EDE ${ede}` : `${name}, EDE ${ede} (${text})`;
}
