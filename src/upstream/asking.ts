import type { ForwardListener, Outcome } from '../resolve/ports.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Query } from './query.ts';
import type { Server } from './server.ts';
import type { Sockets } from './sockets.ts';
import { Timed, type Wheel } from './wheel.ts';

/** What is under way and ends with the forwarder. */
export interface Running {
  stop(): void;
}

/**
 * One question to one group until its outcome: servers in their order, the next at once where one fails, and beside
 * those that are silent at the times of `Timing`. Earlier attempts stay open, and any of them may win.
 */
export class Asking extends Timed implements AttemptOwner, Running {
  readonly #servers: readonly Server[];
  readonly #query: Query;
  readonly #listener: ForwardListener;
  readonly #sockets: Sockets;
  readonly #wheel: Wheel;
  readonly #running: Set<Running>;
  readonly #open: Attempt[] = [];
  /** Servers that said no or cannot be reached; null where there are none. */
  #failed: Set<Server> | null = null;
  #untried = 0;
  #turn = 0;
  #refused = false;
  #startedAt = 0;
  #firstRetry = 0;
  #retries = 0;
  #saidSlow = false;
  #over = false;

  /** `servers`: in the order in which to ask them. */
  constructor(
    servers: readonly Server[],
    query: Query,
    listener: ForwardListener,
    sockets: Sockets,
    wheel: Wheel,
    running: Set<Running>,
  ) {
    super();
    this.#servers = servers;
    this.#query = query;
    this.#listener = listener;
    this.#sockets = sockets;
    this.#wheel = wheel;
    this.#running = running;
  }

  start(now: number): void {
    this.#running.add(this);
    const first = this.#servers[0];
    if (first === undefined) {
      setImmediate(() => this.#finish({ kind: 'failure', reason: 'network' }));
      return;
    }
    this.#startedAt = now;
    this.#firstRetry = first.health.retryAfter();
    this.#attempt(this.#servers[this.#untried++]!, now);
    this.#arm(now);
  }

  /** The forwarder closes. */
  stop(): void {
    this.#finish({ kind: 'failure', reason: 'network' });
  }

  isUsable(message: Buffer, verified: boolean): boolean {
    return !this.#over && this.#listener.accept(message, verified);
  }

  replied(attempt: Attempt, message: Buffer): void {
    this.#remove(attempt);
    this.#sockets.counters.replies++;
    this.#finish({ kind: 'reply', message, verified: attempt.server.verified });
  }

  failed(attempt: Attempt, reason: 'network' | 'refused'): void {
    this.#remove(attempt);
    if (this.#over) return;
    if (reason === 'refused') this.#refused = true;
    if (!this.#open.some((other) => other.server === attempt.server)) {
      this.#failed ??= new Set();
      this.#failed.add(attempt.server);
    }
    if (!this.#askNext() && this.#open.length === 0) {
      this.#finish({ kind: 'failure', reason: this.#refused ? 'refused' : 'network' });
    }
  }

  doubted(): void {
    if (!this.#over) this.#askNext();
  }

  /** Asks a server that had no turn yet; false where there is none. */
  #askNext(): boolean {
    const next = this.#servers[this.#untried];
    if (next === undefined) return false;
    this.#untried++;
    this.#attempt(next, performance.now());
    return true;
  }

  #attempt(server: Server, now: number): void {
    const attempt = new Attempt(server, this.#query, this, this.#sockets, false);
    this.#open.push(attempt);
    attempt.start(now);
  }

  /** One deadline for everything: the next retry, the word that it is slow, the end. */
  #arm(now: number): void {
    const timing = this.#sockets.timing;
    const retry = this.#retries === 0 ? this.#firstRetry : (timing.retries[this.#retries - 1] ?? timing.end);
    const due = this.#saidSlow ? Math.min(retry, timing.end) : Math.min(retry, timing.slow, timing.end);
    this.#wheel.set(this, this.#startedAt + due, now);
  }

  due(now: number): void {
    const timing = this.#sockets.timing;
    const elapsed = now - this.#startedAt;
    if (elapsed >= timing.end) {
      // Replies that came while the process was busy are read first.
      setImmediate(() => this.#finish({ kind: 'failure', reason: 'silent' }));
      return;
    }
    if (!this.#saidSlow && elapsed >= timing.slow) {
      this.#saidSlow = true;
      this.#listener.slow();
      if (this.#over) return;
    }
    let due = false;
    while (this.#retries <= timing.retries.length) {
      if (elapsed < (this.#retries === 0 ? this.#firstRetry : timing.retries[this.#retries - 1]!)) break;
      this.#retries++;
      due = true;
    }
    if (due) this.#retry(now);
    this.#arm(now);
  }

  /** The next server, or, when each had its turn, again one of those that did not say no. */
  #retry(now: number): void {
    const tight = this.#sockets.tight;
    const next = this.#servers[this.#untried];
    if (next !== undefined) {
      this.#untried++;
      // One socket a question, then.
      if (tight) this.#drop(this.#open[0], now);
      this.#attempt(next, now);
      return;
    }
    for (let tries = 0; tries < this.#servers.length; tries++) {
      const server = this.#servers[this.#turn++ % this.#servers.length]!;
      if (this.#failed?.has(server)) continue;
      const earlier = this.#open.findLast((attempt) => attempt.server === server);
      if (earlier !== undefined && !earlier.isRepeatable(now)) continue;
      if (tight) this.#drop(earlier, now);
      this.#attempt(server, now);
      return;
    }
  }

  #drop(attempt: Attempt | undefined, now: number): void {
    if (attempt === undefined) return;
    this.#remove(attempt);
    attempt.cancel(now);
  }

  #remove(attempt: Attempt): void {
    const at = this.#open.indexOf(attempt);
    if (at >= 0) this.#open.splice(at, 1);
  }

  #finish(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#running.delete(this);
    this.#wheel.clear(this);
    if (this.#open.length > 0) {
      const now = performance.now();
      for (const attempt of this.#open.splice(0)) attempt.cancel(now);
    }
    this.#listener.done(outcome);
  }
}
