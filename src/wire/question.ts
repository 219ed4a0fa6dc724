import { WireError } from './error.ts';
import { HEADER_SIZE, messageFlags, readUint16, sectionCount } from './header.ts';
import { CLASS, OPTION, TYPE } from './iana.ts';
import { lowerOctet, MAX_LABEL, MAX_LABELS, MAX_NAME } from './name.ts';

/**
 * One query as the story needs it: the question, and what OPT said. A listener's queries are read into one
 * object again and again, so whatever outlives the call is copied.
 */
export class Query {
  /** The octets that were read. */
  message: Uint8Array = new Uint8Array(0);
  length = 0;
  flags = 0;
  /** QNAME in lower case, root octet included, in the first `nameLength` octets. */
  readonly name: Buffer<ArrayBuffer>;
  /** The same memory, four octets a word. Behind the name stands what a longer one has left there. */
  readonly nameWords = new Uint32Array(Math.ceil(MAX_NAME / 4));
  nameLength = 1;
  /** Where each label starts in `name`, the leftmost first. */
  readonly labels = new Uint8Array(MAX_LABELS);
  labelCount = 0;
  type = 0;
  class = 0;
  /** Offset behind the question, in the message. */
  questionEnd = HEADER_SIZE;
  /** An OPT record was there. */
  edns = false;
  ednsVersion = 0;
  /** Octets that a UDP reply may have: 512 without EDNS (RFC 6891 §6.2.3 reads less as 512). */
  udpSize = 512;
  /** DO (RFC 3225). */
  dnssecOk = false;
  /** The edns-tcp-keepalive option was there (RFC 7828). */
  keepalive = false;
  /** The Padding option was there (RFC 7830). */
  padding = false;
  /** Where the data of the first COOKIE option stands in the message, and its octets: 8, or 16 to 40; 0 for none (RFC 7873 §4). */
  cookieAt = 0;
  cookieLength = 0;

  constructor() {
    this.name = Buffer.from(this.nameWords.buffer, 0, MAX_NAME);
  }

  /** Forgets the query that was read last. */
  clear(): void {
    this.message = NO_MESSAGE;
    this.length = 0;
    this.flags = 0;
    this.nameLength = 1;
    this.name[0] = 0;
    this.labelCount = 0;
    this.type = 0;
    this.class = 0;
    this.questionEnd = HEADER_SIZE;
    this.edns = false;
    this.ednsVersion = 0;
    this.udpSize = 512;
    this.dnssecOk = false;
    this.keepalive = false;
    this.padding = false;
    this.cookieLength = 0;
  }
}

const NO_MESSAGE = new Uint8Array(0);

/**
 * Reads a query into `query`. Returns null, or why it is malformed: then `query.questionEnd` is behind a question
 * that could be read, or at the end of the header. The caller has looked at the header first (QR, opcode), and
 * `length` is at least 12.
 */
export function readQuery(message: Uint8Array, length: number, query: Query): WireError | null {
  query.clear();
  query.message = message;
  query.length = length;
  query.flags = messageFlags(message);
  const questions = sectionCount(message, 0);
  if (questions === 0) {
    // Until a question says otherwise any class will do.
    query.class = CLASS.ANY;
    const fault = readCookieQuery(message, length, query);
    query.class = 0;
    return fault;
  }
  if (questions !== 1) return new WireError('question-count', 4);
  const fault = readQuestion(message, length, query);
  if (fault !== null) {
    query.name[0] = 0;
    return fault;
  }
  const authority = sectionCount(message, 2);
  // An IXFR question brings the SOA that its client has (RFC 1995 §3): it is refused, not malformed.
  const unexpected = authority !== 0 && query.type !== TYPE.IXFR;
  if (sectionCount(message, 1) !== 0 || unexpected) return new WireError('section', 6);
  let at = query.questionEnd;
  for (let left = authority + sectionCount(message, 3); left > 0; left--) {
    const next = readAdditional(message, length, at, query);
    if (next instanceof WireError) return next;
    at = next;
  }
  return at === length ? null : new WireError('trailing', at);
}

/** Without a question only a server cookie can be asked for (RFC 7873 §5.4); `query.type` stays 0 then. */
function readCookieQuery(message: Uint8Array, length: number, query: Query): WireError | null {
  const fault = new WireError('question-count', 4);
  if (sectionCount(message, 1) !== 0 || sectionCount(message, 2) !== 0) return fault;
  let at = HEADER_SIZE;
  for (let left = sectionCount(message, 3); left > 0; left--) {
    const next = readAdditional(message, length, at, query);
    if (next instanceof WireError) return next;
    at = next;
  }
  if (at !== length) return new WireError('trailing', at);
  return query.cookieLength > 0 ? null : fault;
}

/** The question's name has no pointer: nothing stands in front of it that one could lead to. */
function readQuestion(message: Uint8Array, length: number, query: Query): WireError | null {
  const name = query.name;
  let at = HEADER_SIZE;
  let count = 0;
  for (;;) {
    if (at >= length) return new WireError('short', at);
    const size = message[at]!;
    const to = at - HEADER_SIZE;
    name[to] = size;
    if (size === 0) break;
    if (size > MAX_LABEL) return new WireError(size >= 0xc0 ? 'pointer' : 'label-type', at);
    if (to + 1 + size > MAX_NAME - 1) return new WireError('name-length', at);
    if (at + 1 + size > length) return new WireError('short', at);
    query.labels[count++] = to;
    for (let i = 1; i <= size; i++) name[to + i] = lowerOctet(message[at + i]!);
    at += 1 + size;
  }
  at++;
  if (at + 4 > length) return new WireError('short', at);
  query.nameLength = at - HEADER_SIZE;
  query.labelCount = count;
  query.type = readUint16(message, at);
  query.class = readUint16(message, at + 2);
  query.questionEnd = at + 4;
  return null;
}

/** Reads one record of the additional section; anything but OPT is passed over. Returns the offset behind it. */
function readAdditional(
  message: Uint8Array,
  length: number,
  start: number,
  query: Query,
): number | WireError {
  let at = start;
  for (;;) {
    if (at >= length) return new WireError('short', at);
    const size = message[at]!;
    if (size === 0) {
      at++;
      break;
    }
    if (size >= 0xc0) {
      if (at + 2 > length) return new WireError('short', at);
      const target = readUint16(message, at) & 0x3fff;
      // As in `readName`. Where it leads is of no interest here: the record is passed over, or an OPT with no such owner.
      if (target >= start || target < HEADER_SIZE) return new WireError('pointer', at);
      at += 2;
      break;
    }
    if (size > MAX_LABEL) return new WireError('label-type', at);
    if (at + 1 + size > length) return new WireError('short', at);
    if (at + 1 + size - start > MAX_NAME - 1) return new WireError('name-length', at);
    at += 1 + size;
  }
  if (at + 10 > length) return new WireError('short', at);
  const end = at + 10 + readUint16(message, at + 8);
  if (end > length) return new WireError('short', at + 8);
  const type = readUint16(message, at);
  if (type !== TYPE.OPT)
    return isOfClass(type, readUint16(message, at + 2), query) ? end : new WireError('class', at + 2);
  // RFC 6891 §6.1.1: one OPT, its owner the root.
  if (query.edns || at !== start + 1) return new WireError('opt', start);
  query.edns = true;
  query.udpSize = Math.max(512, readUint16(message, at + 2));
  query.ednsVersion = message[at + 5]!;
  query.dnssecOk = (message[at + 6]! & 0x80) !== 0;
  // What another version has in RDATA is not known; it gets BADVERS (RFC 6891 §6.1.3).
  if (query.ednsVersion !== 0) return end;
  for (let option = at + 10; option < end; ) {
    if (option + 4 > end) return new WireError('opt', option);
    const size = readUint16(message, option + 2);
    if (option + 4 + size > end) return new WireError('opt', option);
    const fault = readOption(message, option, size, query);
    if (fault !== null) return fault;
    option += 4 + size;
  }
  return end;
}

/**
 * A message is of one class, that of its question (RFC 1035 §4.1.2). TSIG is of class ANY (RFC 8945 §4.2), and what signs
 * or sets up keys has a class of its own (RFC 2931 §3, RFC 2930 §2).
 */
function isOfClass(type: number, of: number, query: Query): boolean {
  if (type === TYPE.TSIG) return of === CLASS.ANY;
  if (type === TYPE.SIG || type === TYPE.TKEY) return true;
  return of === query.class || query.class === CLASS.ANY;
}

/** One EDNS option; unknown ones are passed over (RFC 6891 §6.1.2). */
function readOption(message: Uint8Array, at: number, size: number, query: Query): WireError | null {
  switch (readUint16(message, at)) {
    case OPTION.TCP_KEEPALIVE:
      query.keepalive = true;
      return null;
    case OPTION.PADDING:
      query.padding = true;
      return null;
    case OPTION.COOKIE:
      // RFC 7873 §5.2.2.
      if (size !== 8 && (size < 16 || size > 40)) return new WireError('cookie', at);
      if (query.cookieLength > 0) return null;
      query.cookieAt = at + 4;
      query.cookieLength = size;
      return null;
    default:
      return null;
  }
}
