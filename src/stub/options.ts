import { HEADER_SIZE, readUint16, sectionCount, writeUint16 } from '../wire/header.ts';
import { OPTION, TYPE } from '../wire/iana.ts';
import { skipName } from '../wire/name.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Query } from '../wire/question.ts';

/** Questions are padded to a multiple of so many octets (RFC 8467 §4.1). */
export const PADDING_BLOCK = 128;

/** Root owner, TYPE, payload size, extended RCODE, version, flags, RDLENGTH (RFC 6891 §6.1.2). */
const OPT_HEAD = 11;
const OPTION_HEAD = 4;

/**
 * What goes to the server: the client's own octets where it sent no OPT, or one that cannot be changed (another version,
 * a signature behind it). Else its OPT without padding and keepalive, which are between two peers, and with ours: the
 * question how long the connection may stay (RFC 7828 §3.2.1), and padding (RFC 7830). `query` was read from the message.
 */
export function questionForServer(query: Query): Buffer {
  const message = Buffer.from(query.message.subarray(0, query.length));
  if (!query.edns || query.ednsVersion !== 0) return message;
  const shape = readShape(message, query.questionEnd);
  if (shape === null || shape.optEnd !== message.length) return message;
  const plain = shape.opt + OPT_HEAD + optionsLength(message, shape);
  const size = Math.ceil((plain + 2 * OPTION_HEAD) / PADDING_BLOCK) * PADDING_BLOCK;
  if (size > 0xffff) return message;
  const out = Buffer.alloc(size);
  message.copy(out, 0, 0, shape.opt + OPT_HEAD);
  let at = copyOptions(message, shape, out, shape.opt + OPT_HEAD);
  writeUint16(out, at, OPTION.TCP_KEEPALIVE);
  at += OPTION_HEAD;
  writeUint16(out, at, OPTION.PADDING);
  writeUint16(out, at + 2, size - at - OPTION_HEAD);
  writeUint16(out, shape.opt + 9, size - shape.opt - OPT_HEAD);
  return out;
}

/** What the client of a reply sent, and may have. */
export interface ReplyWanted {
  /** Its whole query. */
  readonly query: Buffer;
  /** Offset behind its question; the reply's is as long. */
  readonly questionEnd: number;
  /** It sent an OPT. */
  readonly edns: boolean;
  /** What the edns-tcp-keepalive option tells it, in units of 100 ms (RFC 7828 §3.1); 0 for no such option. */
  readonly keepalive: number;
  /** Octets that its transport takes. */
  readonly limit: number;
}

/** What a reply said to us alone. */
export interface ReplyRead {
  /** Octets of the reply that was written. */
  readonly length: number;
  /** How long the server keeps the connection, in units of 100 ms, or -1 where it does not say. */
  readonly keepalive: Milliseconds;
}

/**
 * Writes the client's reply into `out`, which holds 65,535 octets: the server's, with the client's ID and its question as
 * it wrote that, without padding and without the server's keepalive. Past `limit` all records but OPT are left out, and
 * TC is set. Null where the records do not fit the message; its ID and question have been checked.
 */
export function replyForClient(message: Buffer, wanted: ReplyWanted, out: Buffer): ReplyRead | null {
  const { query, questionEnd } = wanted;
  const shape = readShape(message, questionEnd);
  if (shape === null) return null;
  message.copy(out);
  query.copy(out, 0, 0, 2);
  query.copy(out, HEADER_SIZE, HEADER_SIZE, questionEnd);
  const keepalive = keepaliveOf(message, shape);
  const own = shape.opt >= 0 && shape.optEnd === message.length;
  const length = own ? rewriteOpt(message, shape, wanted, out, shape.opt) : message.length;
  if (length <= wanted.limit) return { length, keepalive };
  // RFC 2181 §9: no partial RRset; RFC 6891 §7: OPT stays. The question alone always fits.
  for (let section = 6; section < HEADER_SIZE; section += 2) writeUint16(out, section, 0);
  out[2] = out[2]! | 0x02;
  if (!own || !wanted.edns) return { length: questionEnd, keepalive };
  writeUint16(out, 10, 1);
  const cut = rewriteOpt(message, shape, wanted, out, questionEnd);
  if (cut <= wanted.limit) return { length: cut, keepalive };
  writeUint16(out, questionEnd + 9, 0);
  return { length: questionEnd + OPT_HEAD, keepalive };
}

/** Writes the OPT at `to`, as the client may see it. Returns where the message ends then. */
function rewriteOpt(message: Buffer, shape: Shape, wanted: ReplyWanted, out: Buffer, to: number): number {
  if (!wanted.edns) {
    writeUint16(out, 10, sectionCount(message, 3) - 1);
    return to;
  }
  message.copy(out, to, shape.opt, shape.opt + OPT_HEAD);
  let at = copyOptions(message, shape, out, to + OPT_HEAD);
  if (wanted.keepalive > 0 && at + 6 <= out.length) {
    writeUint16(out, at, OPTION.TCP_KEEPALIVE);
    writeUint16(out, at + 2, 2);
    writeUint16(out, at + 4, wanted.keepalive);
    at += 6;
  }
  writeUint16(out, to + 9, at - to - OPT_HEAD);
  return at;
}

/** Where a message's OPT is. */
interface Shape {
  /** Offset of the OPT, or -1 without one. */
  readonly opt: number;
  /** Offset behind it. */
  readonly optEnd: number;
}

/** Walks all records behind the question; null where they do not fill the message to its end, or hold two OPTs. */
function readShape(message: Uint8Array, questionEnd: number): Shape | null {
  const before = sectionCount(message, 1) + sectionCount(message, 2);
  let left = before + sectionCount(message, 3);
  let opt = -1;
  let optEnd = -1;
  let at = questionEnd;
  for (let index = 0; left > 0; left--, index++) {
    const start = at;
    at = skipName(message, message.length, start);
    if (at < 0 || at + 10 > message.length) return null;
    const type = readUint16(message, at);
    at += 10 + readUint16(message, at + 8);
    if (at > message.length) return null;
    if (type !== TYPE.OPT) continue;
    if (opt >= 0 || index < before || message[start] !== 0 || !optionsFit(message, start + OPT_HEAD, at))
      return null;
    opt = start;
    optEnd = at;
  }
  return at === message.length ? { opt, optEnd } : null;
}

function optionsFit(message: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + OPTION_HEAD <= end) at += OPTION_HEAD + readUint16(message, at + 2);
  return at === end;
}

/** Calls `visit(code, start, end)` for each option, its head included. */
function everyOption(
  message: Uint8Array,
  { opt, optEnd }: Shape,
  visit: (code: number, start: number, end: number) => void,
): void {
  for (let at = opt + OPT_HEAD; at < optEnd; ) {
    const end = at + OPTION_HEAD + readUint16(message, at + 2);
    visit(readUint16(message, at), at, end);
    at = end;
  }
}

function isOfThisHop(code: number): boolean {
  return code === OPTION.PADDING || code === OPTION.TCP_KEEPALIVE;
}

function optionsLength(message: Uint8Array, shape: Shape): number {
  let length = 0;
  everyOption(message, shape, (code, start, end) => {
    if (!isOfThisHop(code)) length += end - start;
  });
  return length;
}

/** Copies the options that are not between two peers alone. Returns the offset behind them. */
function copyOptions(message: Buffer, shape: Shape, out: Buffer, to: number): number {
  let at = to;
  everyOption(message, shape, (code, start, end) => {
    if (!isOfThisHop(code)) at += message.copy(out, at, start, end);
  });
  return at;
}

function keepaliveOf(message: Uint8Array, shape: Shape): number {
  let keepalive = -1;
  if (shape.opt < 0) return keepalive;
  everyOption(message, shape, (code, start, end) => {
    if (code === OPTION.TCP_KEEPALIVE && end - start === 6) keepalive = readUint16(message, start + 4);
  });
  return keepalive;
}
