import type { Acceptance, ForwardListener, Outcome } from '../resolve/ports.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { Attempt } from './attempt.ts';
import type { AttemptFault } from './attempt-fault.ts';
import { ONCE_MORE, WITH_OPT } from './attempt-fault.ts';
import type { AttemptOwner } from './attempt-owner.ts';
import type { Exchange } from './exchange.ts';
import { including, NONE, without } from './open-attempts.ts';
import type { Query } from './query.ts';
import { REPLIED, type Running } from './running.ts';
import type { Sockets } from './sockets.ts';
import { retriesDue, retryDue } from './timing.ts';
import { type PoorReply, TriedServers } from './tried-servers.ts';
import type { Server } from './upstream-server.ts';
import { Timed, type Wheel } from './wheel.ts';

/** Malformed or useless replies that one server may send to one question before it counts as having said no. */
const MAX_MALFORMED = 3;
/** Questions with OPT that a server leaves unanswered before it is asked without, unless it ever answered one with OPT. */
const SILENT_WITH_OPT = 2;

/**
 * One question to one group until its outcome: servers in their order, the next at once where one fails, and beside
 * those that are silent at the times of `Timing`. Earlier attempts stay open, and any of them may win.
 */
export class Asking extends Timed implements AttemptOwner<Attempt>, Running {
  readonly #servers: readonly Server[];
  readonly #query: Query;
  readonly #listener: ForwardListener;
  readonly #ticket: number;
  readonly #sockets: Sockets;
  readonly #wheel: Wheel;
  readonly #running: Set<Running>;
  /** Of one attempt most of the time, made with it: what grows from nothing takes room for 17. */
  #open: readonly Attempt[] = NONE;
  /** What this question has seen of servers; null where nothing went wrong. */
  #seen: TriedServers | null = null;
  #poor: PoorReply | null = null;
  #untried = 0;
  #turn = 0;
  #startedAt: Monotonic = 0;
  #firstRetry: Milliseconds = 0;
  #retries = 0;
  #saidSlow = false;
  #over = false;

  /** `servers`: in the order in which to ask them. */
  constructor(
    servers: readonly Server[],
    query: Query,
    listener: ForwardListener,
    ticket: number,
    sockets: Sockets,
    wheel: Wheel,
    running: Set<Running>,
  ) {
    super();
    this.#servers = servers;
    this.#query = query;
    this.#listener = listener;
    this.#ticket = ticket;
    this.#sockets = sockets;
    this.#wheel = wheel;
    this.#running = running;
  }

  start(now: Monotonic): void {
    this.#running.add(this);
    const first = this.#servers[0];
    if (first === undefined) {
      setImmediate(() => this.#fail('network'));
      return;
    }
    this.#startedAt = now;
    this.#firstRetry = first.health.retryAfter();
    this.#attempt(this.#servers[this.#untried++]!, now);
    this.#arm(now);
  }

  /**
   * Goes on with a question whose first try was a slot: the first server was asked at `startedAt`, and another is to be asked
   * `firstRetry` milliseconds later. Returns the attempt at that server, which is to be told of what came.
   */
  follow(startedAt: Monotonic, firstRetry: Milliseconds, exchange: Exchange | null, now: Monotonic): Attempt {
    this.#running.add(this);
    this.#startedAt = startedAt;
    this.#firstRetry = firstRetry;
    const attempt = new Attempt(this.#servers[this.#untried++]!, this.#query, this, this.#sockets, WITH_OPT);
    attempt.follow(startedAt, exchange);
    this.#open = [attempt];
    this.#arm(now);
    return attempt;
  }

  /** The forwarder closes. */
  stop(): void {
    this.#fail('network');
  }

  accept(message: Buffer, verified: boolean): Acceptance {
    return this.#over ? 'bad' : this.#listener.accept(message, verified, this.#ticket);
  }

  replied(attempt: Attempt, message: Buffer, poor: boolean): void {
    this.#remove(attempt);
    const { server } = attempt;
    if (!poor) {
      this.#reply();
      return;
    }
    this.#poor ??= { message, server };
    this.#tried.out.add(server);
    if (!this.#askNext() && this.#open.length === 0) this.#giveUp();
  }

  failed(attempt: Attempt, fault: AttemptFault): void {
    this.#remove(attempt);
    if (this.#over) return;
    const { server } = attempt;
    this.#tried.heard(server, fault);
    if (fault.withoutOpt === 'likely' && this.#askWithoutOpt(server, fault.cause.detail)) return;
    if (fault.reason !== 'malformed' || this.#tried.countMalformed(server) >= MAX_MALFORMED) {
      if (!this.#open.some((other) => other.server === server)) this.#tried.out.add(server);
    }
    if (this.#askNext() || this.#open.length > 0) return;
    if (fault.withoutOpt === 'maybe' && this.#askWithoutOpt(server, fault.cause.detail)) return;
    this.#giveUp();
  }

  doubted(): void {
    if (!this.#over) this.#askNext();
  }

  unversed({ server }: Attempt, why: string): void {
    if (!this.#over) this.#askWithoutOpt(server, why);
  }

  get #tried(): TriedServers {
    this.#seen ??= new TriedServers();
    return this.#seen;
  }

  /** Nobody is asked now: the question ends, unless one whose reply was malformed may be asked again. */
  #giveUp(): void {
    const again = this.#poor === null && this.#seen?.hasMalformed === true;
    const server = again ? this.#servers.find((each) => !this.#tried.out.has(each)) : undefined;
    if (server !== undefined) this.#attempt(server, this.#sockets.time.now());
    else if (this.#poor !== null) this.#givePoor(this.#poor);
    else if (!this.#pardon()) this.#fail(this.#seen?.refused === true ? 'refused' : 'network');
  }

  /**
   * Where nobody else answers, who said SERVFAIL or REFUSED is asked once more at the time of the next retry; false where it is not.
   * A name that failed before is asked once: a dead zone costs its load twice when it dies, and not for ever.
   */
  #pardon(): boolean {
    const { timing } = this.#sockets;
    if (this.#seen?.canPardon !== true || this.#listener.failedLately(this.#ticket)) return false;
    if (retryDue(timing, this.#firstRetry, this.#retries) >= timing.end) return false;
    this.#seen.pardon();
    return true;
  }

  #givePoor({ message, server }: PoorReply): void {
    if (this.#listener.accept(message, server.verified, this.#ticket) === 'bad') this.#fail('refused');
    else this.#reply();
  }

  /** Asks a server that had no turn yet; false where there is none. */
  #askNext(): boolean {
    const next = this.#servers[this.#untried];
    if (next === undefined) return false;
    this.#untried++;
    this.#attempt(next, this.#sockets.time.now());
    return true;
  }

  /** Asks the same server once more, without OPT; false where that has been done. */
  #askWithoutOpt(server: Server, why: string): boolean {
    const { withoutOpt } = this.#tried;
    if (withoutOpt.has(server) || server.opt.plain) return false;
    withoutOpt.add(server);
    this.#begin(server, true, why, this.#sockets.time.now());
    return true;
  }

  #attempt(server: Server, now: Monotonic): void {
    const { opt, setting } = server;
    // Whoever declined the question without OPT is asked once more as it was then.
    const plainAgain = this.#seen?.isPardoned(server) === true && this.#seen.withoutOpt.has(server);
    if (opt.plain || plainAgain) {
      this.#begin(server, true, '', now);
      return;
    }
    if (setting.protocol === 'udp' && !opt.tolerant) {
      const silent = this.#open.filter((attempt) => attempt.server === server && !attempt.plain);
      if (silent.length >= SILENT_WITH_OPT && this.#askWithoutOpt(server, silent[0]!.silence)) return;
    }
    this.#begin(server, false, '', now);
  }

  #begin(server: Server, plain: boolean, plainWhy: string, now: Monotonic): void {
    const again = this.#seen?.isPardoned(server) === true;
    const form = plain ? { background: false, plain, plainWhy, again } : again ? ONCE_MORE : WITH_OPT;
    const attempt = new Attempt(server, this.#query, this, this.#sockets, form);
    this.#open = including(this.#open, attempt);
    attempt.start(now);
  }

  /** One deadline for everything: the next retry, the word that it is slow, the end. */
  #arm(now: Monotonic): void {
    const timing = this.#sockets.timing;
    const retry = retryDue(timing, this.#firstRetry, this.#retries);
    const due = this.#saidSlow ? Math.min(retry, timing.end) : Math.min(retry, timing.slow, timing.end);
    this.#wheel.set(this, this.#startedAt + due, now);
  }

  due(now: Monotonic): void {
    const timing = this.#sockets.timing;
    const elapsed = now - this.#startedAt;
    if (elapsed >= timing.end) {
      // Replies that came while the process was busy are read first.
      setImmediate(() => this.#end());
      return;
    }
    if (!this.#saidSlow && elapsed >= timing.slow) {
      this.#saidSlow = true;
      this.#listener.slow(this.#ticket);
      if (this.#over) return;
    }
    const retries = retriesDue(timing, this.#firstRetry, this.#retries, elapsed);
    const due = retries > this.#retries;
    this.#retries = retries;
    if (due) this.#retry(now);
    if (!this.#over) this.#arm(now);
  }

  /** The next server, or, when each had its turn, again one of those that did not say no. */
  #retry(now: Monotonic): void {
    const tight = this.#sockets.tight;
    for (const attempt of this.#open) attempt.late(now);
    const next = this.#servers[this.#untried];
    if (next !== undefined) {
      this.#untried++;
      // One socket a question, then.
      if (tight) this.#drop(this.#open[0], now);
      this.#attempt(next, now);
      return;
    }
    // Every server had its time, and one has answered, if poorly.
    if (this.#poor !== null) {
      this.#givePoor(this.#poor);
      return;
    }
    // Beside those that are silent.
    this.#pardon();
    for (let tries = 0; tries < this.#servers.length; tries++) {
      const server = this.#servers[this.#turn++ % this.#servers.length]!;
      if (this.#seen?.out.has(server)) continue;
      const earlier = this.#open.findLast((attempt) => attempt.server === server);
      if (earlier !== undefined && !earlier.isRepeatable(now)) continue;
      if (tight) this.#drop(earlier, now);
      this.#attempt(server, now);
      return;
    }
  }

  #drop(attempt: Attempt | undefined, now: Monotonic): void {
    if (attempt === undefined) return;
    this.#remove(attempt);
    attempt.cancel(now);
  }

  #remove(attempt: Attempt): void {
    this.#open = without(this.#open, attempt);
  }

  /** The time is over. */
  #end(): void {
    if (this.#over) return;
    const waiting = this.#open.at(-1);
    if (waiting === undefined) {
      this.#fail(this.#seen?.refused === true ? 'refused' : 'silent');
      return;
    }
    this.#tried.heardNothing(waiting.server, waiting.silence);
    this.#fail('silent');
  }

  #reply(): void {
    this.#sockets.counters.replies++;
    this.#finish(REPLIED);
  }

  #fail(reason: 'silent' | 'network' | 'refused'): void {
    const cause = this.#seen?.cause ?? null;
    this.#finish({ kind: 'failure', reason, ...(cause !== null && { cause }) });
  }

  #finish(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#running.delete(this);
    this.#wheel.clear(this);
    if (this.#open.length > 0) {
      const now = this.#sockets.time.now();
      const open = this.#open;
      this.#open = NONE;
      for (const attempt of open) attempt.cancel(now);
    }
    this.#listener.done(outcome, this.#ticket);
  }
}
