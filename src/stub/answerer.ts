import { TCP_IDLE_MS } from '../listen/stream/stream-limits.ts';
import { type Answerer, type Client, DROPPED, LATER } from '../resolve/ports.ts';
import { FLAG, HEADER_SIZE, messageFlags, opcodeOf } from '../wire/header.ts';
import { EDE, OPCODE, RCODE } from '../wire/iana.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import { Query, readQuery } from '../wire/question.ts';
import { NO_EDE, ReplyWriter } from '../wire/reply.ts';
import type { Dispatcher } from './dispatcher.ts';
import { replyForClient } from './options.ts';
import { Question } from './stub-question.ts';

/** Octets that a UDP listener's reply may have (see `Answerer`). */
const UDP_ROOM = 4096;
const LONGEST = 0xffff;
/** Octets of an EDE text. */
const LONGEST_TEXT = 200;

/**
 * What the listeners of a stub call. A question is a copy of the client's octets that waits for a server's reply; what can
 * go to no server is answered here: malformed and not a question, too many, or no server.
 */
export class StubAnswerer implements Answerer {
  /** Queries dropped: responses, and what has no header. */
  dropped = 0;
  /** Queries refused as malformed or as no question. */
  refused = 0;
  readonly #query = new Query();
  readonly #writer = new ReplyWriter();
  readonly #scratch = Buffer.alloc(LONGEST);
  #dispatcher: Dispatcher | null = null;
  #patience: Milliseconds = 0;

  /** Before the first query. `patience`: milliseconds that a question may wait. */
  attach(dispatcher: Dispatcher, patience: Milliseconds): void {
    this.#dispatcher = dispatcher;
    this.#patience = patience;
  }

  answer(message: Buffer, length: number, client: Client, reply: Buffer): number {
    if (length < HEADER_SIZE || (messageFlags(message) & FLAG.QR) !== 0 || this.#dispatcher === null) {
      this.dropped++;
      return DROPPED;
    }
    const query = this.#query;
    const fault = readQuery(message, length, query);
    const overUdp = client.transport === 'udp';
    const limit = overUdp ? Math.min(query.udpSize, UDP_ROOM) : LONGEST;
    const keepalive = overUdp ? 0 : TCP_IDLE_MS / 100;
    this.#writer.keepalive = keepalive;
    this.#writer.begin(query, reply, 0, limit);
    if (opcodeOf(query.flags) !== OPCODE.QUERY) return this.#refuse(RCODE.NOTIMP);
    if (fault !== null) return this.#refuse(RCODE.FORMERR);
    const why = this.#dispatcher.refusal(overUdp, length);
    if (why !== null) return this.#servfail(why);
    const terms = {
      overUdp,
      limit,
      keepalive: query.keepalive ? keepalive : 0,
      deadline: performance.now() + this.#patience,
    };
    this.#dispatcher.take(new Question(query, terms, client.defer()));
    return LATER;
  }

  /** Gives a client the server's reply. As `DispatchEvents.replied`. */
  replied(question: Question, message: Buffer): Milliseconds | null {
    const read = replyForClient(message, question, this.#scratch);
    if (read === null) {
      this.failed(question, 'the reply is malformed');
      return null;
    }
    question.send(this.#scratch, read.length);
    return read.keepalive;
  }

  /** Gives a client SERVFAIL. */
  failed(question: Question, why: string): void {
    const query = this.#query;
    readQuery(question.query, question.query.length, query);
    this.#writer.keepalive = question.keepalive;
    this.#writer.begin(query, this.#scratch, 0, question.limit);
    question.send(this.#scratch, this.#servfail(why));
  }

  #refuse(rcode: number): number {
    this.refused++;
    return this.#writer.finish(rcode, NO_EDE, null, LONGEST);
  }

  #servfail(why: string): number {
    const text = Buffer.from(`namegate stub: ${why}`).subarray(0, LONGEST_TEXT);
    return this.#writer.finish(RCODE.SERVFAIL, EDE.NETWORK_ERROR, text, LONGEST);
  }
}
