import type { Socket } from 'node:net';
import { type Answerer, type Client, DROPPED, LATER, type ReplyLater } from '../resolve/ports.ts';
import { FrameReader } from '../wire/framing.ts';
import type { AddressWords } from './address.ts';
import { HEADER_OCTETS } from './listener.ts';
import { PREFIX, type ReplyBatch } from './reply-batch.ts';
import { ReplyOnce } from './reply-once.ts';
import type { StreamCounters, StreamLimits } from './stream-limits.ts';

/** Messages of one connection that are answered before others get their turn. */
const TURN = 128;

/**
 * One connection that carries DNS messages (RFC 7766): pipelined questions, answers in the order in which they are
 * ready. It holds at most one chunk of the kernel's and one partial message (64 KiB each), and `unsentMax` octets
 * of answers. The listener calls `check` now and then; there are no timers here.
 */
export class Connection implements Client, AddressWords {
  readonly transport = 'tcp';
  readonly spoofable = false;
  readonly credential = null;
  family: 4 | 6;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  readonly #socket: Socket;
  readonly #host: StreamHost;
  readonly #reader = new FrameReader();
  /** What was received and not read yet: the turn ended, or too much is in flight or unsent. */
  #rest: Buffer | null = null;
  #turn = 0;
  #turnScheduled = false;
  #reading = true;
  #inFlight = 0;
  #later: ReplyLater | null = null;
  #lastActive: number;
  /** When the partial message began, while it is read. */
  #begunAt = 0;
  #completed = false;
  #flushed = 0;
  #flushedAt: number;
  /** The client has said all (half-close), or the server is draining: end when the last answer has left. */
  #last = false;
  /** The server is draining: what arrives is thrown away, for unread octets turn the end into a reset. */
  #deaf = false;
  #ending = false;
  #gone = false;

  constructor(socket: Socket, address: Readonly<AddressWords>, host: StreamHost) {
    this.#socket = socket;
    this.#host = host;
    this.family = address.family;
    this.w0 = address.w0;
    this.w1 = address.w1;
    this.w2 = address.w2;
    this.w3 = address.w3;
    this.#lastActive = host.now();
    this.#flushedAt = this.#lastActive;
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk));
    socket.on('end', () => this.#finishAfterLast());
    socket.on('drain', () => this.#settle());
    socket.on('error', () => {
      if (!this.#gone) host.counters.reset++;
    });
    socket.on('close', () => this.#over());
  }

  /** Whether no question of it is in flight or waits for its turn: closing it loses no answer. */
  get resting(): boolean {
    return this.#inFlight === 0 && this.#rest === null;
  }

  defer(): ReplyLater {
    this.#inFlight++;
    this.#later = new ReplyOnce(this, null);
    return this.#later;
  }

  /** For ReplyOnce: the answer that a question waited for, or null for none. */
  complete(reply: Buffer | null, length: number): void {
    this.#inFlight--;
    if (reply === null || length === DROPPED || this.#gone) {
      this.#host.counters.dropped++;
    } else {
      this.#host.counters.answered++;
      const octets = Math.min(length, reply.length);
      const packet = this.#room(PREFIX + octets);
      packet.writeUInt16BE(octets, 0);
      reply.copy(packet, PREFIX, 0, octets);
      this.#write(packet);
    }
    this.#touch();
    this.#settle();
  }

  /** Ends it where a bound of time is passed. Late by as much as the calls are apart. */
  check(now: number): void {
    const { limits, counters } = this.#host;
    const unsent = this.#socket.writableLength;
    const flushed = this.#socket.bytesWritten - unsent;
    if (unsent === 0 || flushed !== this.#flushed) {
      this.#flushed = flushed;
      this.#flushedAt = now;
    } else if (now - this.#flushedAt > limits.stallMs) {
      counters.stalled++;
      this.reset();
      return;
    }
    if (this.#ending) return;
    if (this.#reader.partial) {
      if (!this.#reading || now - this.#begunAt <= limits.messageMs) return;
      counters.slow++;
      this.reset();
    } else if (this.resting && unsent === 0 && now - this.#lastActive > limits.idleMs) {
      counters.idle++;
      this.#end();
    }
  }

  /** Takes no more questions; ends when the answers in flight have left. */
  finish(): void {
    this.#deaf = true;
    this.#finishAfterLast();
  }

  /** Ends it to make room. For a resting connection. */
  evict(): void {
    this.#over();
    if (this.#socket.writableLength > 0) this.#socket.resetAndDestroy();
    else this.#socket.destroySoon();
  }

  /** Ends it now and forgets what is unsent, in the kernel too. */
  reset(): void {
    this.#over();
    this.#socket.resetAndDestroy();
  }

  #arrived(chunk: Buffer): void {
    if (this.#deaf || this.#ending || this.#gone) return;
    this.#rest = chunk;
    this.#takeTurn();
  }

  /** Reads messages from `rest` until it is used up, enough is in flight or unsent, or others must have their turn. */
  #takeTurn(): void {
    const chunk = this.#rest;
    if (chunk === null || this.#gone) return;
    const reader = this.#reader;
    this.#turn = 0;
    this.#completed = false;
    const good = reader.push(chunk, this.#read);
    this.#flush();
    if (this.#gone) return;
    if (!good) {
      this.#host.counters.malformed++;
      this.reset();
      return;
    }
    this.#rest = reader.taken < chunk.length ? chunk.subarray(reader.taken) : null;
    if (this.#completed || this.#begunAt === 0) this.#begunAt = reader.partial ? this.#host.now() : 0;
    this.#settle();
  }

  /** One whole message. */
  readonly #read = (query: Buffer): void => {
    const { answerer, counters, batch, limits } = this.#host;
    if (query.length < HEADER_OCTETS) {
      // No ID to answer with. The reader's end makes the turn end as a fault.
      this.#reader.close();
      return;
    }
    this.#completed = true;
    this.#touch();
    counters.received++;
    this.#later = null;
    let length = DROPPED;
    try {
      length = answerer.answer(query, query.length, this, batch.reply);
      if (length > 0) {
        batch.append(batch.reply, length);
        counters.answered++;
      }
    } catch (error) {
      length = DROPPED;
      counters.faults++;
      this.#host.fault(error);
    }
    if (length !== LATER) {
      if (this.#later !== null) (this.#later as ReplyLater).drop();
      else if (length === DROPPED) counters.dropped++;
    }
    if (++this.#turn >= TURN || this.#inFlight >= limits.inFlight || batch.used >= limits.unsent)
      this.#reader.pause();
  };

  #flush(): void {
    const { batch } = this.#host;
    if (batch.used === 0) return;
    const packet = this.#room(batch.used);
    batch.octets.copy(packet, 0, 0, batch.used);
    batch.used = 0;
    if (!this.#gone) this.#write(packet);
  }

  /** Memory for what is written. Not from Buffer's pool where it may have to wait: a few octets would keep a whole slab. */
  #room(octets: number): Buffer {
    return this.#socket.writableLength === 0 ? Buffer.allocUnsafe(octets) : Buffer.allocUnsafeSlow(octets);
  }

  #write(packet: Buffer): void {
    this.#socket.write(packet);
    if (this.#socket.writableLength <= this.#host.limits.unsentMax) return;
    this.#host.counters.stalled++;
    this.reset();
  }

  /** What to do next, after anything has changed: end, wait, read on. */
  #settle(): void {
    if (this.#gone || this.#ending) return;
    const full = this.#full;
    if (this.#rest !== null) {
      this.#readOn(false);
      if (!full && !this.#turnScheduled) {
        this.#turnScheduled = true;
        setImmediate(() => {
          this.#turnScheduled = false;
          if (!this.#full) this.#takeTurn();
        });
      }
    } else if (this.#last && this.#inFlight === 0) {
      this.#end();
    } else {
      this.#readOn(!full || this.#deaf);
    }
  }

  /** No further question is taken now: too many are in flight, or too much is unsent. */
  get #full(): boolean {
    return this.#inFlight >= this.#host.limits.inFlight || this.#socket.writableNeedDrain;
  }

  #readOn(on: boolean): void {
    if (on === this.#reading) return;
    this.#reading = on;
    if (!on) {
      this.#socket.pause();
      return;
    }
    // While nothing was read, the client could not complete its message.
    if (this.#reader.partial) this.#begunAt = this.#host.now();
    this.#socket.resume();
  }

  #finishAfterLast(): void {
    this.#last = true;
    this.#settle();
  }

  #touch(): void {
    this.#lastActive = this.#host.now();
    if (!this.#gone) this.#host.active(this);
  }

  /** Sends what is unsent, then closes. `check` still watches that this ends. */
  #end(): void {
    this.#ending = true;
    this.#socket.destroySoon();
  }

  #over(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#rest = null;
    this.#reader.close();
    this.#host.gone(this);
  }
}

/** What the connections of one listener share. */
export interface StreamHost {
  readonly answerer: Answerer;
  readonly limits: StreamLimits;
  readonly counters: StreamCounters;
  readonly batch: ReplyBatch;
  now(): number;
  fault(error: unknown): void;
  /** A message came or an answer left: the connection is the last that would be evicted. */
  active(connection: Connection): void;
  /** Once a connection: it is over, whatever the reason. */
  gone(connection: Connection): void;
}
