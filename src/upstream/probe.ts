import type { Running } from './asking.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Query } from './query.ts';
import type { Server } from './server.ts';
import type { Sockets } from './sockets.ts';

/**
 * A question that somebody really asks, put to one more server to see how it is: after a failure, or to measure it.
 * Nobody waits for it; what it sees goes to the server's health. One at a time for a server.
 */
export class Probe implements AttemptOwner, Running {
  readonly #attempt: Attempt;
  readonly #running: Set<Running>;
  readonly #timer: NodeJS.Timeout;

  constructor(server: Server, query: Query, sockets: Sockets, running: Set<Running>, now: number) {
    sockets.counters.probes++;
    server.probing = true;
    this.#running = running;
    running.add(this);
    this.#timer = setTimeout(() => this.stop(), sockets.timing.probe).unref();
    this.#attempt = new Attempt(server, query, this, sockets, true);
    this.#attempt.start(now);
  }

  /** The content is for those who asked; that it came is enough here. */
  isUsable(): boolean {
    return true;
  }

  replied(): void {
    this.stop();
  }

  failed(): void {
    this.stop();
  }

  doubted(): void {
    this.stop();
  }

  stop(): void {
    if (!this.#running.delete(this)) return;
    clearTimeout(this.#timer);
    this.#attempt.server.probing = false;
    this.#attempt.cancel(performance.now());
  }
}
