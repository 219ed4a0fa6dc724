import type { Monotonic } from '../wire/quantity.ts';
import { Attempt } from './attempt.ts';
import type { AttemptOwner } from './attempt-owner.ts';
import type { Query } from './query.ts';
import type { Running } from './running.ts';
import type { Sockets } from './sockets.ts';
import type { Timer } from './time.ts';
import type { Server } from './upstream-server.ts';

/**
 * A question that somebody really asks, put to one more server to see how it is: after a failure, or to measure it; or with
 * OPT to one that answered only without. Nobody waits for it; what it sees goes to the server's health. One at a time for
 * a server.
 */
export class Probe implements AttemptOwner<Attempt>, Running {
  readonly #attempt: Attempt;
  readonly #forOpt: boolean;
  readonly #sockets: Sockets;
  readonly #running: Set<Running>;
  readonly #timer: Timer;

  /** `forOpt`: with OPT whatever is remembered. */
  constructor(
    server: Server,
    query: Query,
    forOpt: boolean,
    sockets: Sockets,
    running: Set<Running>,
    now: Monotonic,
  ) {
    sockets.counters.probes++;
    server.probing = true;
    this.#forOpt = forOpt;
    this.#sockets = sockets;
    this.#running = running;
    running.add(this);
    this.#timer = sockets.time.after(sockets.timing.probe, () => this.stop());
    const plain = !forOpt && server.opt.plain;
    this.#attempt = new Attempt(server, query, this, sockets, {
      background: true,
      plain,
      plainWhy: '',
      again: false,
    });
    this.#attempt.start(now);
  }

  /** The content is for those who asked; that it came is enough here. */
  accept(): 'good' {
    return 'good';
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

  unversed(): void {
    this.stop();
  }

  stop(): void {
    if (!this.#running.delete(this)) return;
    this.#timer.stop();
    const { server } = this.#attempt;
    server.probing = false;
    const now = this.#sockets.time.now();
    if (this.#forOpt && server.opt.plain) server.opt.stays(now);
    this.#attempt.cancel(now);
  }
}
