import type { Socket } from 'node:net';
import { DnsStream, type DnsStreamOwner, StreamQuestion } from '../socket/dns-stream.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { ReplyHolder } from './large-replies.ts';
import type { Query } from './query.ts';
import type { Sockets } from './sockets.ts';
import type { Timer } from './time.ts';

/** Who asked on a stream. Exactly one of the two is called, once, unless the question is cancelled before. */
export interface StreamUser {
  /**
   * The reply to the question; `same` is false where the case of letters differs. The message is the user's.
   * `rtt`: milliseconds since the question was written, so without the handshake.
   */
  streamReply(message: Buffer, same: boolean, rtt: Milliseconds): void;
  /**
   * The connection ended first. `broken`: because the server broke the protocol. `hope`: new connections that are worth a try
   * for one question (RFC 7766 §6.2.4). Never called from within `Stream.ask`.
   */
  streamLost(code: string, broken: boolean, hope: number): void;
}

/** New connections for one question, each after one that answered somebody else and ended. */
const MAX_RECONNECTS = 16;

/** Where one question went. */
export interface Ticket {
  /** Nothing has come for so long that asking elsewhere could help. */
  isStalled(now: Monotonic): boolean;
  /** Nobody waits any more. */
  cancel(): void;
}

/** A question on a stream. */
class Entry extends StreamQuestion implements Ticket {
  /** Null: nobody waits any more. The ID stays taken, so that a late reply is not read as another's. */
  user: StreamUser | null;
  /** Milliseconds, or -1 before it is written. */
  writtenAt: Monotonic = -1;
  readonly background: boolean;
  readonly #stream: Stream;

  constructor(
    stream: Stream,
    id: number,
    { octets, questionEnd }: Query,
    user: StreamUser,
    background: boolean,
  ) {
    super(id, octets, questionEnd);
    this.#stream = stream;
    this.user = user;
    this.background = background;
  }

  isStalled(now: Monotonic): boolean {
    return this.#stream.isStalled(now);
  }

  cancel(): void {
    this.#stream.cancel(this.id);
  }
}

const NOTHING = Buffer.alloc(0);

/**
 * One connection to one upstream, TCP or TLS: how many questions it takes, how long it is kept, and who hears of its end.
 * A reply whose question is not the one asked under its ID ends the connection.
 */
export class Stream implements ReplyHolder, DnsStreamOwner {
  /** Messages answered so far. */
  answers = 0;
  /** It ended with questions unanswered that the server had been sent before its last answer. */
  cutShort = false;
  #answeredAt: Monotonic = -1;
  /** No new questions; the connection ends with those that it has. */
  retired = false;
  /** Questions that the server answers before it closes a connection, as far as is known. */
  readonly #most: number;
  #asked = 0;
  readonly #socket: Socket;
  readonly #sockets: Sockets;
  readonly #gone: (stream: Stream) => void;
  readonly #stream: DnsStream<Entry>;
  readonly #handshake: Timer;
  #idle: Timer | null = null;
  #ready = false;
  #closed = false;
  #live = 0;
  #foreground = 0;
  #waitingSince: Monotonic = -1;
  /** When the chunk in hand was read: the clock is read once a read. */
  #readAt: Monotonic = 0;
  /** A large reply for a later turn, when it came, and what was read behind it; nothing is read meanwhile. */
  #held: { readonly message: Buffer; readonly at: Monotonic; rest: Buffer } | null = null;

  /** `most`: questions that are put on it in all. `gone` is called once, when the connection has ended, before users hear of it. */
  constructor(socket: Socket, most: number, sockets: Sockets, gone: (stream: Stream) => void) {
    this.#socket = socket;
    this.#most = most;
    this.#sockets = sockets;
    this.#gone = gone;
    this.#stream = new DnsStream(socket, this);
    this.#handshake = sockets.time.after(sockets.timing.connect, () => this.end('ETIMEDOUT', false));
    socket.unref();
  }

  /** Whether one more question may be put on it. */
  get hasRoom(): boolean {
    return (
      !this.#closed &&
      !this.retired &&
      this.#asked < this.#most &&
      this.#stream.questions.size < this.#sockets.limits.inFlight &&
      this.#socket.writableLength < this.#sockets.limits.buffered
    );
  }

  get waiting(): number {
    return this.#stream.questions.size;
  }

  /** Nothing came for so long, though something is awaited, that another connection is worth trying. */
  isStalled(now: Monotonic): boolean {
    return this.#waitingSince >= 0 && now - this.#waitingSince >= this.#sockets.timing.minRetry * 0.9;
  }

  /** Puts a copy of the question on the connection. Asked only when there is room. `background` keeps no process alive. */
  ask(query: Query, user: StreamUser, background: boolean, now: Monotonic): Ticket {
    const entry = new Entry(this, this.#stream.freeId(), query, user, background);
    this.#stream.add(entry);
    this.#asked++;
    this.#live++;
    if (!background && ++this.#foreground === 1) this.#socket.ref();
    if (this.#waitingSince < 0) this.#waitingSince = now;
    if (this.#ready) this.#write(entry, now);
    return entry;
  }

  cancel(id: number): void {
    const entry = this.#stream.questions.get(id);
    if (entry === undefined || entry.user === null) return;
    if (entry.writtenAt < 0) this.#stream.questions.delete(id);
    this.#leave(entry);
    this.#rest();
  }

  /** No new questions; it ends with those that it has. */
  retire(): void {
    this.retired = true;
    this.#rest();
  }

  /** Ends the connection now; those who wait hear of it. */
  end(code: string, broken: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handshake.stop();
    this.#idle?.stop();
    this.#held = null;
    this.#sockets.largeReplies.leave(this);
    this.#stream.close();
    this.#sockets.release();
    // One that answered others may answer this question on the next connection; one that took it once may, too.
    const hope = broken ? 0 : this.answers > 0 ? MAX_RECONNECTS : this.#ready ? 1 : 0;
    for (const { writtenAt } of this.#stream.questions.values()) {
      if (writtenAt >= 0 && writtenAt < this.#answeredAt) this.cutShort = true;
    }
    this.#gone(this);
    for (const entry of this.#stream.questions.values()) entry.user?.streamLost(code, broken, hope);
    this.#stream.questions.clear();
  }

  streamOpened(): void {
    if (this.#closed) return;
    this.#handshake.stop();
    this.#ready = true;
    const now = this.#sockets.time.now();
    this.#socket.cork();
    for (const entry of this.#stream.questions.values()) this.#write(entry, now);
    this.#socket.uncork();
    this.#waitingSince = this.#stream.questions.size > 0 ? now : -1;
    this.#rest();
  }

  #write(entry: Entry, now: Monotonic): void {
    entry.writtenAt = now;
    this.#stream.write(entry);
  }

  streamRead(chunk: Buffer): void {
    if (this.#closed) return;
    // Nothing has been asked yet.
    if (!this.#ready) {
      this.end('EPROTO', true);
      return;
    }
    const now = this.#sockets.time.now();
    // Before the users hear of their replies: what they ask next must not find this connection stalled.
    this.#waitingSince = now;
    this.#push(chunk, now);
  }

  #push(chunk: Buffer, now: Monotonic): void {
    this.#readAt = now;
    if (!this.#stream.push(chunk)) this.end('EPROTO', true);
    if (this.#held !== null) this.#held.rest = this.#stream.rest(chunk);
    if (this.#stream.questions.size === 0) this.#waitingSince = -1;
  }

  streamMessage(message: Buffer): void {
    if (this.#sockets.largeReplies.admit(message.length, this)) {
      this.#receive(message, this.#readAt);
      return;
    }
    this.#held = { message: Buffer.from(message), at: this.#readAt, rest: NOTHING };
    this.#stream.pause();
  }

  streamEnded(fault: string | null): void {
    this.end(fault ?? 'ECONNRESET', false);
  }

  /** For `LargeReplies`: it is this stream's turn. */
  proceed(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#sockets.largeReplies.count(held.message.length);
    this.#receive(held.message, held.at);
    if (!this.#closed) this.#push(held.rest, this.#sockets.time.now());
    if (!this.#closed && this.#held === null) this.#stream.resume();
  }

  #receive(message: Buffer, now: Monotonic): void {
    const entry = this.#stream.settle(message);
    if (entry === 'unasked') {
      this.#sockets.counters.mismatched++;
      return;
    }
    if (typeof entry === 'string') {
      this.end('EPROTO', true);
      return;
    }
    this.answers++;
    this.#answeredAt = now;
    const user = entry.user;
    if (user === null) return;
    this.#leave(entry);
    // A copy: the chunk is as large as a read, and would live as long as the answer.
    user.streamReply(Buffer.from(message), entry.match !== 'case', now - entry.writtenAt);
    this.#rest();
  }

  #leave(entry: Entry): void {
    entry.user = null;
    this.#live--;
    if (!entry.background && --this.#foreground === 0) this.#socket.unref();
  }

  /** Nobody waits: close soon, or at once where there is nothing to hope for. */
  #rest(): void {
    if (this.#closed || this.#live > 0) return;
    if (this.retired || this.#asked >= this.#most || this.isStalled(this.#sockets.time.now())) {
      this.end('ECONNABORTED', false);
    } else if (this.#idle === null) {
      this.#idle = this.#sockets.time.after(this.#sockets.timing.idle, () => this.#rested());
    } else {
      this.#idle.again();
    }
  }

  #rested(): void {
    if (this.#live === 0) this.end('ECONNABORTED', false);
  }
}
