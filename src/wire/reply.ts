import { Filling } from './filling.ts';
import { FLAG, HEADER_SIZE, OPCODE_MASK, writeUint16, writeUint32 } from './header.ts';
import { OPTION, RCODE, TYPE } from './iana.ts';
import type { Seconds } from './quantity.ts';
import type { Query } from './question.ts';

/** Octets of UDP payload that we take, and send at most (RFC 9715 §3.1 names 1232 for a path MTU of 1280). */
export const UDP_PAYLOAD = 1232;

/** Octets of the block that replies on TLS are filled up to (RFC 8467 §4.1). */
export const PADDING_BLOCK = 468;

/** What a client may hear of a reply in OPT (RFC 8914): a code, or NO_EDE. */
export const NO_EDE = -1;

/** Where the question's name stands in every reply. */
export const QUESTION = HEADER_SIZE;

/** TTL of our own negative answers, and the MINIMUM of their SOA (RFC 2308 §5), seconds. */
export const NEGATIVE_TTL: Seconds = 30;

/**
 * Writes one reply, front to back, into a buffer that the transport owns. One writer is used again and again; nothing
 * is allocated. Sections are written in order; `finish` puts OPT at the end and the counts in the header.
 */
export class ReplyWriter {
  out: Buffer = Buffer.alloc(0);
  /** Offset of the next octet. */
  at = 0;
  answers = 0;
  authority = 0;
  /** Of the reply that was finished last. */
  readonly filling: Filling = new Filling();
  #query!: Query;
  #flags = 0;
  #limit = 0;
  /** Something did not fit: the reply will be truncated. */
  #over = false;

  /** Nothing has been written behind the question, and nothing was too long to be. */
  get isEmpty(): boolean {
    return this.answers === 0 && this.authority === 0 && !this.#over;
  }

  /**
   * Starts a reply to `query`: its question is echoed in the case that was sent, or left out if it could not be read.
   * `flags` are FLAG bits of ours (AA, AD). `limit` is the most octets that the reply may have.
   */
  begin(query: Query, out: Buffer, flags: number, limit: number): void {
    this.out = out;
    this.#query = query;
    this.#limit = Math.min(limit, out.length);
    this.#over = false;
    this.answers = 0;
    this.authority = 0;
    this.filling.most = 0;
    const opcode = query.flags & OPCODE_MASK;
    // RD and CD come back (RFC 4035 §3.2.2), RA is true: we forward. They mean something in a QUERY alone (RFC 8906 §8.1.4).
    this.#flags = FLAG.QR | flags | (opcode === 0 ? FLAG.RA | (query.flags & (FLAG.RD | FLAG.CD)) : opcode);
    const end = query.questionEnd;
    out[0] = query.message[0]!;
    out[1] = query.message[1]!;
    for (let i = HEADER_SIZE; i < end; i++) out[i] = query.message[i]!;
    this.at = end;
  }

  /**
   * A record of the answer section. `owner` is the offset of a name in this reply: QUESTION, or what `record` returned for
   * a CNAME. RDATA is copied; its offset is returned.
   */
  record(owner: number, type: number, ttl: Seconds, rdata: Uint8Array): number {
    if (!this.#fits(12 + rdata.length)) return QUESTION;
    writeUint16(this.out, this.at, 0xc000 | owner);
    this.at += 2;
    const at = this.#fixed(type, ttl, rdata.length);
    this.out.set(rdata, at);
    this.answers++;
    return at;
  }

  /**
   * The SOA of our own negative answers: names `.`, TTL = MINIMUM = 30. Its owner is the question less its `skip`
   * leftmost octets.
   */
  negativeSoa(skip: number): void {
    if (!this.#fits(34)) return;
    if (skip >= this.#query.nameLength - 1) {
      this.out[this.at++] = 0;
    } else {
      writeUint16(this.out, this.at, 0xc000 | (QUESTION + skip));
      this.at += 2;
    }
    let at = this.#fixed(TYPE.SOA, NEGATIVE_TTL, 22);
    const out = this.out;
    out[at++] = 0;
    out[at++] = 0;
    // SERIAL, REFRESH, RETRY, EXPIRE: nobody transfers this zone.
    for (const value of SOA_TIMES) {
      writeUint32(out, at, value);
      at += 4;
    }
    this.authority++;
  }

  /**
   * Octets that stand ready behind the question, `start` to `end` of `octets`, with their counts; pointers in them count
   * from the message's start. Returns where they begin, or -1 when they do not fit.
   */
  sections(octets: Buffer, start: number, end: number, answers: number, authority: number): number {
    const length = end - start;
    if (!this.#fits(length)) return -1;
    const { at, out } = this;
    // A loop costs less than a call for as few octets as most answers have.
    if (length > 256) octets.copy(out, at, start, end);
    else for (let i = 0; i < length; i++) out[at + i] = octets[start + i]!;
    this.at += length;
    this.answers += answers;
    this.authority += authority;
    return at;
  }

  /**
   * Ends the reply and returns its length. OPT goes in where the query had one. `ede` and `text` are cut, the text first,
   * to keep within `room` octets or the limit; `second` is another EDE, whose text is `secondText`. The last `keep` octets of the text
   * are cut last: they say whom to ask. What is still too long becomes an empty reply with TC (RFC 2181 §9: no partial
   * RRset).
   */
  finish(
    rcode: number,
    ede: number,
    text: Uint8Array | null,
    room: number,
    second: number = NO_EDE,
    keep: number = 0,
  ): number {
    const query = this.#query;
    const optSize = query.edns ? 11 + this.#optionsSize() : 0;
    let flags = this.#flags;
    if (this.#over || this.at + optSize > this.#limit) {
      flags = (flags | FLAG.TC) & ~FLAG.AD;
      this.at = query.questionEnd;
      this.answers = 0;
      this.authority = 0;
    }
    const out = this.out;
    if (query.edns) this.#opt(rcode, ede, text, keep, second, Math.min(room, this.#limit));
    writeUint16(out, 2, flags | (rcode & 0xf));
    writeUint16(out, 4, query.questionEnd > HEADER_SIZE ? 1 : 0);
    writeUint16(out, 6, this.answers);
    writeUint16(out, 8, this.authority);
    writeUint16(out, 10, query.edns ? 1 : 0);
    return this.at;
  }

  /** An empty reply with TC, so that the client comes back on TCP. */
  truncated(query: Query, out: Buffer): number {
    this.begin(query, out, FLAG.TC, 0xffff);
    return this.finish(RCODE.NOERROR, NO_EDE, null, 0xffff);
  }

  #opt(
    rcode: number,
    ede: number,
    text: Uint8Array | null,
    keep: number,
    second: number,
    room: number,
  ): void {
    const out = this.out;
    const query = this.#query;
    const start = this.at;
    out[start] = 0;
    writeUint16(out, start + 1, TYPE.OPT);
    writeUint16(out, start + 3, UDP_PAYLOAD);
    out[start + 5] = rcode >>> 4;
    out[start + 6] = 0;
    // RFC 3225 §3: DO comes back as it was sent.
    out[start + 7] = query.dnssecOk ? 0x80 : 0;
    out[start + 8] = 0;
    this.at = start + 11;
    if (this.keepalive > 0 && query.keepalive) {
      writeUint16(out, this.at, OPTION.TCP_KEEPALIVE);
      writeUint16(out, this.at + 2, 2);
      writeUint16(out, this.at + 4, this.keepalive);
      this.at += 6;
    }
    if (this.cookie !== null && query.cookieLength > 0) {
      writeUint16(out, this.at, OPTION.COOKIE);
      writeUint16(out, this.at + 2, this.cookie.length);
      out.set(this.cookie, this.at + 4);
      this.at += 4 + this.cookie.length;
    }
    if (ede !== NO_EDE && this.at + 6 <= room) {
      if (text !== null && second === NO_EDE) this.#canBeFilled(start, room);
      this.#ede(ede, text, keep, room);
    }
    if (second !== NO_EDE && this.at + 6 <= room) this.#ede(second, this.secondText, 0, room);
    if (this.padding > 0 && query.padding) this.#pad(Math.min(room, this.#limit));
    writeUint16(out, start + 9, this.at - start - 11);
  }

  #canBeFilled(opt: number, room: number): void {
    this.filling.most = room;
    this.filling.opt = opt;
    this.filling.option = this.at;
  }

  /** The last option: octets of zero up to the next multiple of the block (RFC 8467 §4.1), where they fit. */
  #pad(room: number): void {
    const behind = this.at + 4;
    const end = Math.ceil(behind / this.padding) * this.padding;
    if (end > room) return;
    writeUint16(this.out, this.at, OPTION.PADDING);
    writeUint16(this.out, this.at + 2, end - behind);
    this.out.fill(0, behind, end);
    this.at = end;
  }

  /** TIMEOUT of edns-tcp-keepalive in units of 100 ms, 0 for none (RFC 7828 §3.1: never on UDP). */
  keepalive = 0;
  /** Octets of the block that a reply is filled up to for a query that was padded, 0 for none (RFC 7830 §3: on TLS alone). */
  padding = 0;
  /** Client and server cookie for a query that brought one (RFC 7873 §5.2), or null for none. Not copied. */
  cookie: Uint8Array | null = null;

  /** What is told with a second EDE, or null for nothing. Not copied. */
  secondText: Uint8Array | null = null;

  /** Octets of the options that are written whatever room is left. */
  #optionsSize(): number {
    const { keepalive, cookieLength } = this.#query;
    return (
      (this.keepalive > 0 && keepalive ? 6 : 0) +
      (this.cookie !== null && cookieLength > 0 ? 4 + this.cookie.length : 0)
    );
  }

  #ede(ede: number, text: Uint8Array | null, keep: number, room: number): void {
    const { out, at } = this;
    const start = at + 6;
    let end = start;
    if (text !== null) {
      const space = room - start;
      if (text.length <= space) end = copy(out, start, text, 0, text.length);
      else {
        // What is kept begins with "; ", which stands behind something or not at all.
        const head = whole(text, Math.max(0, space - keep));
        const tail = text.length - keep;
        end = copy(out, start, text, 0, head);
        const from = head === 0 && keep > SEPARATOR ? tail + SEPARATOR : tail;
        end = copy(out, end, text, from, whole(text, Math.min(text.length, from + space - head)));
      }
    }
    writeUint16(out, at, OPTION.EDE);
    writeUint16(out, at + 2, 2 + end - start);
    writeUint16(out, at + 4, ede);
    this.at = end;
  }

  #fits(octets: number): boolean {
    if (this.at + octets > this.#limit) this.#over = true;
    return !this.#over;
  }

  /** TYPE, CLASS IN, TTL, RDLENGTH; returns where the RDATA goes, which is taken. */
  #fixed(type: number, ttl: Seconds, size: number): number {
    const at = this.at;
    writeUint16(this.out, at, type);
    writeUint16(this.out, at + 2, 1);
    writeUint32(this.out, at + 4, ttl);
    writeUint16(this.out, at + 8, size);
    this.at = at + 10 + size;
    return at + 10;
  }
}

/** Octets of the "; " in front of what is kept of a text. */
const SEPARATOR = 2;

/** At most `end`, and not within a UTF-8 sequence of `text`. */
function whole(text: Uint8Array, end: number): number {
  let at = end;
  if (at < text.length) while (at > 0 && (text[at]! & 0xc0) === 0x80) at--;
  return at;
}

/** Copies `text` from `start` to `end` to `at`, and returns where it ends there. */
function copy(out: Buffer, at: number, text: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) out[at + i - start] = text[i]!;
  return at + Math.max(0, end - start);
}

const SOA_TIMES = [1, 3600, 600, 86_400, NEGATIVE_TTL];
