import type { TLSSocket } from 'node:tls';
import { DnsStream, type DnsStreamOwner, StreamQuestion } from '../socket/dns-stream.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Question, Way } from './stub-question.ts';

/** Bounds of one connection, in milliseconds, counts and octets. */
export interface LinkLimits {
  /** A TCP connect and TLS handshake take at most this. */
  readonly connect: Milliseconds;
  /** Without an octet for so long, though something is awaited, another connection is tried. */
  readonly stall: Milliseconds;
  /** Silence with nothing awaited, after which it is closed, where the server names no time (RFC 7828). */
  readonly idle: Milliseconds;
  /** Questions without an answer at once, those that nobody waits for any more included, and their octets. */
  readonly inFlight: number;
  readonly outstanding: number;
  /** Replies that nobody asked for, after which it is closed. */
  readonly unsolicited: number;
}

export const LINK_LIMITS: LinkLimits = {
  connect: 3000,
  stall: 2000,
  idle: 30_000,
  inFlight: 1024,
  outstanding: 1024 * 1024,
  unsolicited: 256,
};

/** Who hears of a connection. */
export interface LinkOwner {
  /** The handshake is done. The server may still refuse our certificate: in TLS 1.3 it says so later. */
  linkReady(link: Link): void;
  /** The reply to a question: ID and question are those that were asked. The message is good during the call. */
  linkReplied(link: Link, question: Question, message: Buffer): void;
  /** It has ended, and these questions with it. Once a link. */
  linkGone(link: Link, lost: readonly Question[]): void;
}

/** Before the server's own time is over we close, so that no question crosses its end. */
const AHEAD_MS: Milliseconds = 1000;
/** TCP asks after a silent peer this often. */
const PROBE_MS: Milliseconds = 15_000;

/** What is out under one ID. */
class Entry extends StreamQuestion {
  /** Null: nobody waits any more. The ID stays taken, so that a late reply is not read as another's. */
  question: Question | null;

  constructor(id: number, question: Question) {
    super(id, question.octets, question.questionEnd);
    this.question = question;
  }
}

/**
 * One connection of the stub to one server: how much is put on it, how long it is kept, and when it is doubted.
 * A reply whose question is not the one asked under its ID ends the connection.
 */
export class Link implements Way, DnsStreamOwner {
  readonly label: string;
  ready = false;
  /** Nothing came for too long: new questions go elsewhere. */
  suspect = false;
  /** It has answered a question. */
  proven = false;
  /** We ended it: that says nothing about the server. */
  blameless = false;
  /** Why it ended, in words or as a code, where the server or the way to it is at fault. */
  fault: string | null = null;
  readonly #socket: TLSSocket;
  readonly #limits: LinkLimits;
  readonly #owner: LinkOwner;
  readonly #stream: DnsStream<Entry>;
  readonly #handshake: NodeJS.Timeout;
  #idle: NodeJS.Timeout;
  #idleMs: Milliseconds;
  /** Octets of all entries. */
  #outstanding = 0;
  #awaited = 0;
  #unsolicited = 0;
  /** When the last octet came, or the first question after silence went out. */
  #heardAt: Monotonic = 0;
  #retired = false;
  #corked = false;
  #gone = false;

  /** `label`: how the server is called. */
  constructor(label: string, socket: TLSSocket, limits: LinkLimits, owner: LinkOwner) {
    this.label = label;
    this.#socket = socket;
    this.#limits = limits;
    this.#owner = owner;
    this.#idleMs = limits.idle;
    this.#idle = setTimeout(() => this.#rest(), limits.idle).unref();
    this.#handshake = setTimeout(() => this.end('ETIMEDOUT'), limits.connect).unref();
    socket.setKeepAlive(true, PROBE_MS);
    this.#stream = new DnsStream(socket, this);
  }

  /** Whether one more question may be put on it. */
  get hasRoom(): boolean {
    const { inFlight, outstanding } = this.#limits;
    return (
      this.ready &&
      !this.#retired &&
      this.#stream.questions.size < inFlight &&
      this.#outstanding < outstanding
    );
  }

  /** Questions that somebody waits for. */
  get awaited(): number {
    return this.#awaited;
  }

  isStalled(now: Monotonic): boolean {
    return this.#awaited > 0 && now - this.#heardAt >= this.#limits.stall;
  }

  /** Puts the question out. Only where there is room. What is asked in one turn of the event loop leaves together. */
  ask(question: Question, now: Monotonic): void {
    const entry = new Entry(this.#stream.freeId(), question);
    this.#stream.add(entry);
    this.#outstanding += entry.frame.length;
    if (this.#awaited++ === 0) this.#heardAt = now;
    question.asked(this, entry.id);
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#stream.write(entry);
    this.#idle.refresh();
  }

  /** Nobody waits for what went out under this ID any more. */
  cancel(id: number): void {
    const entry = this.#stream.questions.get(id);
    if (entry === undefined || entry.question === null) return;
    entry.question = null;
    this.#awaited--;
    this.#settle();
  }

  /** Questions that somebody waits for, the oldest first. */
  questions(): Question[] {
    return [...this.#stream.questions.values()].flatMap(({ question }) => question ?? []);
  }

  /** How long the server keeps it when it is idle, in units of 100 ms; 0: no new questions (RFC 7828 §3.2.2). */
  keepFor(keepalive: Milliseconds): void {
    if (keepalive === 0) {
      this.retire();
      return;
    }
    const ms = Math.max(keepalive * 100 - AHEAD_MS, keepalive * 50);
    if (ms === this.#idleMs || this.#gone) return;
    this.#idleMs = ms;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#rest(), ms).unref();
  }

  /** No new questions; it ends with those that it has. */
  retire(): void {
    this.#retired = true;
    this.#settle();
  }

  /** Ends it now. */
  end(fault: string | null): void {
    if (this.#gone) return;
    this.#gone = true;
    this.fault = fault;
    clearTimeout(this.#handshake);
    clearTimeout(this.#idle);
    this.#stream.close();
    const lost = this.questions();
    this.#stream.questions.clear();
    this.#awaited = 0;
    this.#owner.linkGone(this, lost);
  }

  streamOpened(): void {
    if (this.#gone) return;
    clearTimeout(this.#handshake);
    this.ready = true;
    this.#idle.refresh();
    this.#owner.linkReady(this);
  }

  streamRead(chunk: Buffer): void {
    if (this.#gone) return;
    this.#heardAt = performance.now();
    this.suspect = false;
    if (!this.#stream.push(chunk)) this.end('the server broke the framing of DNS over TLS');
  }

  streamMessage(message: Buffer): void {
    const entry = this.#stream.settle(message);
    if (typeof entry === 'string') {
      if (entry === 'other') this.end('a reply to another question');
      else if (entry === 'short' || ++this.#unsolicited > this.#limits.unsolicited)
        this.end('replies that nobody asked for');
      return;
    }
    this.#outstanding -= entry.frame.length;
    this.proven = true;
    if (entry.question === null) return;
    this.#awaited--;
    this.#idle.refresh();
    this.#owner.linkReplied(this, entry.question, message);
    this.#settle();
  }

  streamEnded(fault: string | null): void {
    const closed = this.ready ? null : 'the server closed the connection in the handshake';
    // A server that answered and is gone was restarted, most likely: that is no reason to wait before it is dialled again.
    this.end(this.proven ? null : (fault ?? closed));
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };

  #rest(): void {
    if (this.#awaited > 0) this.#idle.refresh();
    else if (this.ready) this.end(null);
  }

  /** Nobody waits, and nobody will: it ends. */
  #settle(): void {
    if (this.#awaited > 0 || this.#gone) return;
    if (this.#retired || (this.ready && !this.hasRoom)) this.end(null);
  }
}
