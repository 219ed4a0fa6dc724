import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { randomUint16 } from '../socket/random.ts';
import { matchReply } from '../socket/reply-match.ts';
import { FrameReader } from '../wire/framing.ts';
import { HEADER_SIZE, messageId, writeUint16 } from '../wire/header.ts';
import type { Holder } from './large-replies.ts';
import type { Query } from './query.ts';
import type { Sockets } from './sockets.ts';
import type { Timer } from './time.ts';

/** Who asked on a stream. Exactly one of the two is called, once, unless the question is cancelled before. */
export interface StreamUser {
  /**
   * The reply to the question; `same` is false where the case of letters differs. The message is the user's.
   * `rtt`: milliseconds since the question was written, so without the handshake.
   */
  streamReply(message: Buffer, same: boolean, rtt: number): void;
  /**
   * The connection ended first. `broken`: because the server broke the protocol. `again`: it had answered others, so a
   * new connection may well answer this one (RFC 7766 §6.2.4). Never called from within `Stream.ask`.
   */
  streamLost(code: string, broken: boolean, again: boolean): void;
}

/** Where one question went. */
export interface Ticket {
  /** Nothing has come for so long that asking elsewhere could help. */
  isStalled(now: number): boolean;
  /** Nobody waits any more. */
  cancel(): void;
}

/** A question on a stream. */
class Entry implements Ticket {
  /** Null: nobody waits any more. The ID stays taken, so that a late reply is not read as another's. */
  user: StreamUser | null;
  /** Milliseconds, or -1 before it is written. */
  writtenAt = -1;
  readonly id: number;
  /** With its length prefix. */
  readonly frame: Buffer;
  readonly message: Buffer;
  readonly questionEnd: number;
  readonly background: boolean;
  readonly #stream: Stream;

  constructor(
    stream: Stream,
    id: number,
    { octets, questionEnd }: Query,
    user: StreamUser,
    background: boolean,
  ) {
    this.#stream = stream;
    this.id = id;
    this.user = user;
    this.background = background;
    this.questionEnd = questionEnd;
    this.frame = Buffer.allocUnsafe(octets.length + 2);
    writeUint16(this.frame, 0, octets.length);
    this.frame.set(octets, 2);
    writeUint16(this.frame, 2, id);
    this.message = this.frame.subarray(2);
  }

  isStalled(now: number): boolean {
    return this.#stream.isStalled(now);
  }

  cancel(): void {
    this.#stream.cancel(this.id);
  }
}

const NOTHING = Buffer.alloc(0);

/**
 * One connection to one server, TCP or TLS (RFC 7766, RFC 7858): questions are pipelined, each under its own ID,
 * and answered in any order. A reply whose question is not the one asked under its ID ends the connection.
 */
export class Stream implements Holder {
  /** Messages answered so far. */
  answers = 0;
  /** It ended with questions unanswered that the server had been sent before its last answer. */
  cutShort = false;
  #answeredAt = -1;
  /** No new questions; the connection ends with those that it has. */
  retired = false;
  /** Questions that the server answers before it closes a connection, as far as is known. */
  readonly #most: number;
  #asked = 0;
  readonly #socket: Socket;
  readonly #sockets: Sockets;
  readonly #gone: (stream: Stream) => void;
  readonly #reader = new FrameReader();
  readonly #entries = new Map<number, Entry>();
  readonly #handshake: Timer;
  #idle: Timer | null = null;
  #ready = false;
  #closed = false;
  #live = 0;
  #foreground = 0;
  #waitingSince = -1;
  /** A large reply for a later turn, when it came, and what was read behind it; nothing is read meanwhile. */
  #held: { readonly message: Buffer; readonly at: number; rest: Buffer } | null = null;

  /** `most`: questions that are put on it in all. `gone` is called once, when the connection has ended, before users hear of it. */
  constructor(
    socket: Socket,
    ready: 'connect' | 'secureConnect',
    most: number,
    sockets: Sockets,
    gone: (stream: Stream) => void,
  ) {
    this.#socket = socket;
    this.#most = most;
    this.#sockets = sockets;
    this.#gone = gone;
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message, false));
    socket.on('close', () => this.end('ECONNRESET', false));
    socket.on('end', () => this.end('ECONNRESET', false));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once(ready, () => {
      // Node ends a connection that is not authorized; this is said again here because questions follow.
      if (ready === 'secureConnect' && !(socket as TLSSocket).authorized)
        this.end('ERR_TLS_UNAUTHORIZED', false);
      else this.#start();
    });
    this.#handshake = sockets.time.after(sockets.timing.connect, () => this.end('ETIMEDOUT', false));
    socket.unref();
  }

  /** Whether one more question may be put on it. */
  get hasRoom(): boolean {
    return (
      !this.#closed &&
      !this.retired &&
      this.#asked < this.#most &&
      this.#entries.size < this.#sockets.limits.inFlight &&
      this.#socket.writableLength < this.#sockets.limits.buffered
    );
  }

  get waiting(): number {
    return this.#entries.size;
  }

  /** Nothing came for so long, though something is awaited, that another connection is worth trying. */
  isStalled(now: number): boolean {
    return this.#waitingSince >= 0 && now - this.#waitingSince >= this.#sockets.timing.minRetry * 0.9;
  }

  /** Puts a copy of the question on the connection. Asked only when there is room. `background` keeps no process alive. */
  ask(query: Query, user: StreamUser, background: boolean, now: number): Ticket {
    let id = randomUint16();
    while (this.#entries.has(id)) id = (id + 1) & 0xffff;
    const entry = new Entry(this, id, query, user, background);
    this.#entries.set(id, entry);
    this.#asked++;
    this.#live++;
    if (!background && ++this.#foreground === 1) this.#socket.ref();
    if (this.#waitingSince < 0) this.#waitingSince = now;
    if (this.#ready) this.#write(entry, now);
    return entry;
  }

  cancel(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.user === null) return;
    if (entry.writtenAt < 0) this.#entries.delete(id);
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
    this.#reader.close();
    this.#held = null;
    this.#sockets.largeReplies.leave(this);
    this.#socket.destroy();
    this.#sockets.release();
    const again = !broken && this.answers > 0;
    for (const { writtenAt } of this.#entries.values()) {
      if (writtenAt >= 0 && writtenAt < this.#answeredAt) this.cutShort = true;
    }
    this.#gone(this);
    for (const entry of this.#entries.values()) entry.user?.streamLost(code, broken, again);
    this.#entries.clear();
  }

  #start(): void {
    if (this.#closed) return;
    this.#handshake.stop();
    this.#ready = true;
    const now = this.#sockets.time.now();
    this.#socket.cork();
    for (const entry of this.#entries.values()) this.#write(entry, now);
    this.#socket.uncork();
    this.#waitingSince = this.#entries.size > 0 ? now : -1;
    this.#rest();
  }

  #write(entry: Entry, now: number): void {
    entry.writtenAt = now;
    this.#socket.write(entry.frame);
  }

  #read(chunk: Buffer): void {
    if (this.#closed) return;
    const now = this.#sockets.time.now();
    // Before the users hear of their replies: what they ask next must not find this connection stalled.
    this.#waitingSince = now;
    this.#push(chunk, now);
  }

  #push(chunk: Buffer, now: number): void {
    const going = this.#reader.push(chunk, (message) => this.#arrived(message, now));
    if (!going) this.end('EPROTO', true);
    if (this.#held !== null) this.#held.rest = chunk.subarray(this.#reader.taken);
    if (this.#entries.size === 0) this.#waitingSince = -1;
  }

  #arrived(message: Buffer, now: number): void {
    if (this.#sockets.largeReplies.admit(message.length, this)) {
      this.#receive(message, now);
      return;
    }
    this.#held = { message: Buffer.from(message), at: now, rest: NOTHING };
    this.#reader.pause();
    this.#socket.pause();
  }

  /** For `LargeReplies`: it is this stream's turn. */
  proceed(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#sockets.largeReplies.count(held.message.length);
    this.#receive(held.message, held.at);
    if (!this.#closed) this.#push(held.rest, this.#sockets.time.now());
    if (!this.#closed && this.#held === null) this.#socket.resume();
  }

  #receive(message: Buffer, now: number): void {
    if (message.length < HEADER_SIZE) {
      this.end('EPROTO', true);
      return;
    }
    const entry = this.#entries.get(messageId(message));
    if (entry === undefined) {
      this.#sockets.counters.mismatched++;
      return;
    }
    const match = matchReply(message, entry.message, entry.questionEnd);
    if (match === 'none' || entry.writtenAt < 0) {
      this.end('EPROTO', true);
      return;
    }
    this.#entries.delete(messageId(message));
    this.answers++;
    this.#answeredAt = now;
    const user = entry.user;
    if (user === null) return;
    this.#leave(entry);
    // A copy: the chunk is as large as a read, and would live as long as the answer.
    user.streamReply(Buffer.from(message), match !== 'case', now - entry.writtenAt);
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
