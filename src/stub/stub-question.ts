import type { ReplyLater } from '../resolve/ports.ts';
import type { Monotonic } from '../wire/quantity.ts';
import type { Query } from '../wire/question.ts';
import { questionForServer, type ReplyWanted } from './options.ts';

/** What the listener knows of the client, and what the stub promises it. */
export interface ClientTerms {
  readonly overUdp: boolean;
  /** As in ReplyWanted. */
  readonly keepalive: number;
  readonly limit: number;
  /** Monotonic milliseconds at which it hears that no answer came. */
  readonly deadline: Monotonic;
}

/** Where a question is out: a connection. */
export interface Way {
  /** The server at its other end. */
  readonly label: string;
  /** Something is awaited there, and nothing has come for too long. */
  isStalled(now: Monotonic): boolean;
  /** Nobody waits for what went out under this ID any more. */
  cancel(id: number): void;
  /** Ends it now; `fault`: why the server is to blame. */
  end(fault: string): void;
}

/** One client's question while it waits: its octets, the way back, and where it is out. */
export class Question implements ReplyWanted {
  readonly query: Buffer;
  readonly questionEnd: number;
  readonly edns: boolean;
  readonly keepalive: number;
  readonly limit: number;
  readonly overUdp: boolean;
  readonly deadline: Monotonic;
  /** As it goes to a server; the connection gives it an ID. */
  readonly octets: Buffer;
  /** Times that it went out on a connection. */
  asks = 0;
  way: Way | null = null;
  readonly #later: ReplyLater;
  #id = 0;

  /** `query` is read anew for each query: what is kept of it is copied here. */
  constructor(query: Query, terms: ClientTerms, later: ReplyLater) {
    this.query = Buffer.from(query.message.subarray(0, query.length));
    this.questionEnd = query.questionEnd;
    this.edns = query.edns;
    this.keepalive = terms.keepalive;
    this.limit = terms.limit;
    this.overUdp = terms.overUdp;
    this.deadline = terms.deadline;
    this.octets = questionForServer(query);
    this.#later = later;
  }

  /** Octets that it holds. */
  get size(): number {
    return this.query.length + this.octets.length;
  }

  /** For Link: it is out. */
  asked(way: Way, id: number): void {
    this.asks++;
    this.way = way;
    this.#id = id;
  }

  /** Takes it off its connection, whose late reply counts for nothing. */
  recall(): void {
    const { way } = this;
    this.way = null;
    way?.cancel(this.#id);
  }

  /** The last that becomes of it. `reply` is the caller's again when this returns. */
  send(reply: Buffer, length: number): void {
    this.#later.send(reply, length);
  }
}
