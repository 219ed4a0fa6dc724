import type { SecureContext } from 'node:tls';
import type { TlsServerAddress } from '../socket/tls-connector.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { DispatchLimits } from './dispatch-limits.ts';
import { DotServer, type ServerOwner } from './dot-server.ts';
import type { Link } from './link.ts';
import type { Question } from './stub-question.ts';

export interface DispatchEvents {
  /**
   * The server's reply to a question, good during the call; it is the last word on it. Returns how long the server keeps the
   * connection, as `Link.keepFor` takes it, or -1 where it does not say; null where the reply is malformed.
   */
  replied(question: Question, message: Buffer): Milliseconds | null;
  /** The last word on a question that got no reply. */
  failed(question: Question, why: string): void;
  /** A server failed, or answered after that was told. `down` at most once in 10 s for a server. */
  server(kind: 'down' | 'up', server: DotServer): void;
  /** Once: the first server with which a handshake was done, or null when all have failed first. */
  first(server: DotServer | null): void;
}

/** Milliseconds between two looks at deadlines, backoffs and silence, while anything waits. */
const LOOK_MS: Milliseconds = 100;
const REPORT_EVERY: Milliseconds = 10_000;
/** Failures that are further apart are not one outage: nobody asked between them. */
const SEPARATE_MS: Milliseconds = 15_000;
/** Times that one question goes out: once more after a connection was lost or silent under it. */
const MAX_ASKS = 2;

/**
 * Brings questions to the servers: to the first in the order given that can be reached. A question waits for a connection,
 * goes out, goes out once more where the connection is lost or silent, and fails when its time is over. It goes nowhere else.
 */
export class Dispatcher implements ServerOwner {
  /** Since the start. */
  readonly counters = { asked: 0, answered: 0, failed: 0, refused: 0, dials: 0 };
  readonly #servers: readonly DotServer[];
  readonly #limits: DispatchLimits;
  readonly #events: DispatchEvents;
  /** All that wait for an answer, the oldest first: each has the same patience. */
  readonly #live = new Set<Question>();
  /** Of these, those that are out on no connection. */
  readonly #queue = new Set<Question>();
  #octets = 0;
  #overUdp = 0;
  #timer: NodeJS.Timeout | null = null;
  /** Since when nobody answers; -1 while somebody does. */
  #brokenSince: Monotonic = -1;
  #failedAt: Monotonic = Number.NEGATIVE_INFINITY;
  #dialledAt: Monotonic = Number.NEGATIVE_INFINITY;
  #serving = false;
  #firstTold = false;
  #closed = false;

  constructor(
    servers: readonly TlsServerAddress[],
    context: SecureContext,
    events: DispatchEvents,
    limits: DispatchLimits,
  ) {
    this.#limits = limits;
    this.#events = events;
    this.#servers = servers.map((address) => new DotServer(address, context, limits, this));
  }

  get waiting(): number {
    return this.#live.size;
  }

  /** Why a question of so many octets cannot be taken now, or null: then `take` may follow in the same turn. */
  refusal(overUdp: boolean, octets: number): string | null {
    const { questions, overUdp: most, octets: room } = this.#limits;
    let why: string | null = null;
    if (this.#live.size >= questions || (overUdp && this.#overUdp >= most)) why = 'too many questions wait';
    else if (this.#octets + octets > room) why = 'too many octets wait';
    else if (this.#isHopeless(performance.now())) why = this.#reason();
    if (why !== null) this.counters.refused++;
    return why;
  }

  take(question: Question): void {
    this.counters.asked++;
    this.#live.add(question);
    this.#queue.add(question);
    this.#octets += question.size;
    if (question.overUdp) this.#overUdp++;
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    this.#serve();
  }

  /** Dials though nobody asks. */
  warm(): void {
    this.#dial(performance.now());
  }

  /** From now on connections show another certificate; those that are open take no more questions. */
  renew(context: SecureContext): void {
    for (const server of this.#servers) server.renew(context);
    this.#brokenSince = -1;
    this.#dialledAt = Number.NEGATIVE_INFINITY;
    this.warm();
    this.#serve();
  }

  /** What still waits fails; every connection ends. */
  close(): void {
    this.#closed = true;
    for (const question of [...this.#live]) this.#fail(question, 'the stub is stopping');
    for (const server of this.#servers) server.retireAll();
    this.#look();
  }

  linkReady(server: DotServer): void {
    this.#tellFirst(server);
    for (const old of this.#servers)
      for (const link of [...old.links]) if (link.suspect) this.#abandon(old, link, server);
    this.#serve();
  }

  linkReplied(server: DotServer, link: Link, question: Question, message: Buffer): void {
    question.way = null;
    const keepalive = this.#events.replied(question, message);
    this.#forget(question, keepalive !== null);
    if (keepalive === null) {
      link.end('a malformed reply');
      return;
    }
    this.#brokenSince = -1;
    server.answered();
    if (server.reportedDown) {
      server.reportedDown = false;
      this.#events.server('up', server);
    }
    if (keepalive >= 0) link.keepFor(keepalive);
    this.#serve();
  }

  linkGone(server: DotServer, link: Link, lost: readonly Question[]): void {
    const { proven, fault } = link;
    const refused = !proven && lost.length > 0;
    if (!link.blameless && !this.#closed && (fault !== null || refused))
      this.#failed(server, fault ?? 'the server closed the connection without an answer');
    for (const question of lost) {
      question.way = null;
      if (question.asks < MAX_ASKS && !this.#closed) this.#queue.add(question);
      else this.#fail(question, `the connection to ${server.label} was lost`);
    }
    this.#serve();
    // Nobody waits; yet the start is told what there is.
    if (!this.#firstTold && !this.#closed) this.warm();
  }

  #failed(server: DotServer, fault: string): void {
    const now = performance.now();
    if (this.#brokenSince < 0 || now - this.#failedAt > SEPARATE_MS) this.#brokenSince = now;
    this.#failedAt = now;
    // The next server's turn has come.
    this.#dialledAt = Number.NEGATIVE_INFINITY;
    server.failed(now, fault);
    if (!server.reportedDown && now - server.reportedAt >= REPORT_EVERY) {
      server.reportedDown = true;
      server.reportedAt = now;
      this.#events.server('down', server);
    }
    if (this.#servers.every(({ failures }) => failures > 0)) this.#tellFirst(null);
  }

  #tellFirst(server: DotServer | null): void {
    if (this.#firstTold) return;
    this.#firstTold = true;
    this.#events.first(server);
  }

  /** Puts what waits on connections, and dials where there is none. */
  #serve(): void {
    if (this.#serving || this.#closed) return;
    this.#serving = true;
    const now = performance.now();
    for (const question of this.#queue) {
      const link = this.#usable(now);
      if (link === null) break;
      this.#queue.delete(question);
      link.ask(question, now);
    }
    if (this.#queue.size > 0 && !this.#dial(now) && this.#isHopeless(now)) {
      const why = this.#reason();
      for (const question of [...this.#queue]) this.#fail(question, why);
    }
    this.#serving = false;
  }

  #usable(now: Monotonic): Link | null {
    for (const server of this.#servers) {
      const link = server.usable();
      if (link === null) continue;
      if (server !== this.#servers[0]) this.#comeBack(server, now);
      return link;
    }
    return null;
  }

  /** Dials servers that stand before the one that serves. When one is ready, it serves. */
  #comeBack(serving: DotServer, now: Monotonic): void {
    for (const server of this.#servers) {
      if (server === serving) return;
      if (now - server.failedAt >= this.#limits.comeBack) this.#dialOne(server, now);
    }
  }

  /** Dials the next server whose turn has come; false where there is none. */
  #dial(now: Monotonic): boolean {
    const early = now - this.#dialledAt < this.#limits.stagger;
    if (early && this.#servers.some(({ connecting }) => connecting)) return false;
    return this.#servers.some((server) => this.#dialOne(server, now));
  }

  #dialOne(server: DotServer, now: Monotonic): boolean {
    if (this.#closed || !server.mayDial(now)) return false;
    this.#dialledAt = now;
    this.counters.dials++;
    server.dial();
    return true;
  }

  /** Nobody has answered for a while, no connection is there or on its way, and none may be dialled yet. */
  #isHopeless(now: Monotonic): boolean {
    if (this.#brokenSince < 0 || now - this.#brokenSince < this.#limits.outage) return false;
    return this.#servers.every(({ links, retryAt }) => links.size === 0 && now < retryAt);
  }

  #reason(): string {
    const faults = this.#servers.map(({ label, fault }) => (fault === '' ? label : `${label}: ${fault}`));
    return `no server is reached: ${faults.join('; ')}`;
  }

  /** Deadlines, silence, and dials whose time has come. */
  #look(): void {
    const now = performance.now();
    for (const question of this.#live) {
      if (question.deadline > now) break;
      const { way } = question;
      const silent = way?.isStalled(now) === true;
      this.#fail(question, way === null ? this.#reason() : `${way.label} did not answer in time`);
      if (silent) way.end('no answer');
    }
    for (const server of this.#servers) this.#doubt(server, now);
    this.#serve();
    if (this.#live.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** A connection that is silent gets no more questions; what is out on it moves when another is ready. */
  #doubt(server: DotServer, now: Monotonic): void {
    if (now - server.doubtedAt < this.#limits.doubtEvery) return;
    for (const link of [...server.links]) {
      if (link.suspect || !link.isStalled(now)) continue;
      server.doubtedAt = now;
      link.suspect = true;
      const others = this.#servers.filter((other) => other !== server);
      const other = others.find((next) => next.usable() !== null);
      if (other !== undefined) this.#abandon(server, link, other);
      else if (!others.some((next) => this.#dialOne(next, now))) this.#dialOne(server, now);
    }
  }

  /** What is out on a silent connection goes to another. Another server is then the better one, for a while. */
  #abandon(server: DotServer, link: Link, better: DotServer): void {
    if (better !== server) this.#failed(server, 'no answer');
    for (const question of link.questions()) {
      if (question.asks >= MAX_ASKS) continue;
      question.recall();
      this.#queue.add(question);
    }
    link.retire();
  }

  #fail(question: Question, why: string): void {
    question.recall();
    this.#forget(question, false);
    this.#events.failed(question, why);
  }

  #forget(question: Question, answered: boolean): void {
    this.#live.delete(question);
    this.#queue.delete(question);
    this.#octets -= question.size;
    if (question.overUdp) this.#overUdp--;
    this.counters[answered ? 'answered' : 'failed']++;
  }
}
