import type { Socket } from 'node:net';
import type { Credential } from '../../resolve/client/credential.ts';
import { type Client, DROPPED, LATER, type ReplyLater } from '../../resolve/ports.ts';
import { FrameReader } from '../../wire/framing.ts';
import { type AddressWords, HeldAddress } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import { HEADER_OCTETS } from '../listener.ts';
import { ReplyOnce } from '../reply-once.ts';
import type { Arrived } from './arrival.ts';
import type { Member } from './crowd.ts';
import { DISTRUSTED, type Proof } from './proofs.ts';
import type { BatchOwner } from './reply-batch.ts';
import type { StreamHost } from './stream-host.ts';
import { StreamSender } from './stream-sender.ts';

/** Messages of one connection that are answered before others get their turn. */
const TURN = 128;

/**
 * One connection that carries DNS messages (RFC 7766, RFC 7858): pipelined questions, answers in the order in which they are
 * ready. It holds at most one chunk of the kernel's and one partial message (64 KiB each), and `unsentMax` octets
 * of answers. The listener calls `check` now and then; there are no timers here.
 */
export class Connection extends HeldAddress implements Client, Member, BatchOwner {
  readonly transport: 'tcp' | 'tls';
  readonly spoofable = false;
  lease = '';
  readonly port: number;
  readonly #socket: Socket;
  readonly #sender: StreamSender;
  readonly #host: StreamHost<Connection>;
  readonly #proof: Proof | null;
  readonly #reader = new FrameReader();
  /** What was received and not read yet: the turn ended, or too much is in flight or unsent. */
  #rest: Buffer | null = null;
  #turn = 0;
  #turnScheduled = false;
  #reading = true;
  #inFlight = 0;
  #later: ReplyLater | null = null;
  #lastActive: Monotonic;
  /** When the partial message began, while it is read. */
  #begunAt: Monotonic = 0;
  #completed = false;
  /** The client has said all (half-close), or the server is draining: end when the last answer has left. */
  #last = false;
  /** The server is draining: what arrives is thrown away, for unread octets turn the end into a reset. */
  #deaf = false;
  #ending = false;
  #gone = false;

  /** `proof`: what a TLS client has shown, null on TCP. */
  constructor(
    sockets: Arrived,
    address: Readonly<AddressWords>,
    proof: Proof | null,
    host: StreamHost<Connection>,
  ) {
    super();
    this.takeAddress(address);
    const { socket } = sockets;
    this.#socket = socket;
    this.#host = host;
    this.#proof = proof;
    this.transport = host.protocol;
    this.port = sockets.port;
    this.#lastActive = host.now();
    this.#sender = new StreamSender(sockets, this.#lastActive);
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk));
    socket.on('end', () => this.#finishAfterLast());
    socket.on('drain', () => this.#settle());
    socket.on('error', () => {
      if (!this.#gone) host.counters.reset++;
    });
    socket.on('close', () => this.#over());
    // A balancer's header was read before, and reading stopped behind it.
    if (socket.isPaused()) socket.resume();
  }

  /** What the client's certificate proves now. Where the trust of now refuses it, the connection is over, and it is nobody's. */
  get credential(): Credential | null {
    if (this.#proof === null) return null;
    return this.#trusted() ? this.#proof.credential : DISTRUSTED;
  }

  /** Whether no question of it is in flight or waits for its turn, nor an answer: closing it loses none. */
  get resting(): boolean {
    return this.#inFlight === 0 && this.#rest === null && !this.#host.batch.holds(this);
  }

  /** Trust has changed: what was shown counts only once it is judged again. */
  suspect(): void {
    if (this.#proof !== null) this.#proof.until = 0;
  }

  /** The address that was dialled; behind a balancer, ours. */
  asked(out: AddressWords): boolean {
    return this.#sender.asked(out);
  }

  defer(): ReplyLater {
    this.#inFlight++;
    this.#later = new ReplyOnce(this, null);
    return this.#later;
  }

  /** For ReplyOnce: the answer that a question waited for, or null for none. */
  complete(reply: Buffer | null, length: number): void {
    this.#inFlight--;
    if (reply === null || length === DROPPED || !this.#trusted()) {
      this.#host.counters.dropped++;
    } else {
      const { batch, counters } = this.#host;
      counters.answered++;
      batch.append(this, reply, Math.min(length, reply.length));
      batch.flushSoon();
    }
    this.#touch();
    this.#settle();
  }

  /** Ends it where a bound of time is passed. Late by as much as the calls are apart. */
  check(now: Monotonic): void {
    const { limits, counters } = this.#host;
    if (!this.#trusted()) return;
    if (this.#sender.stalls(now, limits.stallMs)) {
      counters.stalled++;
      this.reset();
      return;
    }
    if (this.#ending) return;
    if (this.#reader.partial) {
      if (!this.#reading || now - this.#begunAt <= limits.messageMs) return;
      counters.slow++;
      this.reset();
    } else if (this.resting && this.#socket.writableLength === 0 && now - this.#lastActive > limits.idleMs) {
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
    this.#sender.close();
  }

  /** Ends it now and forgets what is unsent, in the kernel too. */
  reset(): void {
    this.#over();
    this.#sender.cut();
  }

  /** Whether it is there, and what the client has shown still counts. Ends it where it does not. */
  #trusted(): boolean {
    const proof = this.#proof;
    if (!this.#gone && proof !== null && this.#host.isDistrusted(this, proof)) this.reset();
    return !this.#gone;
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
    const { answerer, batch, gathers } = this.#host;
    answerer.beginBatch?.();
    const good = reader.push(chunk, this.#read);
    if (this.#completed) this.#touch();
    answerer.endBatch?.();
    if (gathers && !batch.full) batch.flushSoon();
    else this.flush();
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
    if (!this.#trusted()) return;
    this.#completed = true;
    counters.received++;
    this.#later = null;
    let length = DROPPED;
    try {
      length = answerer.answer(query, query.length, this, batch.reply);
      if (length > 0 && !this.#gone) {
        batch.append(this, batch.reply, length);
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
    if (++this.#turn >= TURN || this.#inFlight >= limits.inFlight || batch.full) this.#reader.pause();
  };

  /** For the batch, and where nothing may wait longer. */
  flush(): void {
    const { batch, limits, counters } = this.#host;
    if (!batch.holds(this) || this.#sender.write(batch, this) <= limits.unsentMax) return;
    counters.stalled++;
    this.reset();
  }

  /** What to do next, after anything has changed: end, wait, read on. */
  #settle(): void {
    if (this.#gone || this.#ending) return;
    const full = this.#full();
    if (this.#rest !== null) {
      this.#readOn(false);
      if (!full && !this.#turnScheduled) {
        this.#turnScheduled = true;
        setImmediate(() => {
          this.#turnScheduled = false;
          if (!this.#full()) this.#takeTurn();
        });
      }
    } else if (this.#last && this.#inFlight === 0) {
      this.#end();
    } else {
      this.#readOn(!full || this.#deaf);
    }
  }

  /** No further question is taken now: too many are in flight, or too much is unsent. */
  #full(): boolean {
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
    this.flush();
    if (this.#gone) return;
    this.#ending = true;
    this.#socket.destroySoon();
  }

  #over(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#rest = null;
    this.#reader.close();
    this.#host.batch.forget(this);
    this.#host.gone(this);
  }
}
