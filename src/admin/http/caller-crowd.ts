import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Milliseconds between two lines of the log about connections that made room. */
const TELL_MS: Milliseconds = 60_000;

export interface CrowdOptions {
  /** Connections at once. */
  readonly most: number;
  /** Monotonic milliseconds. */
  readonly now: () => Monotonic;
  /** Hears, at most once a minute, how many connections made room or were refused since the last time. */
  readonly tell: (shed: number) => void;
}

/**
 * Keeps room on a listener: where there is none, the connection that has waited longest without a request at work gives way. So
 * a crowd of silent clients keeps nobody out. What is at work is never ended; only where all are, a new one is refused.
 */
export class CallerCrowd {
  readonly #options: CrowdOptions;
  /** Connections without a request at work, the one that has waited longest first. */
  readonly #waiting = new Set<Socket>();
  readonly #all = new Set<Socket>();
  #shed = 0;
  #nextTell: Monotonic = Number.NEGATIVE_INFINITY;

  constructor(server: Server, options: CrowdOptions) {
    this.#options = options;
    server.on('connection', (socket: Socket) => this.#take(socket));
  }

  /** A request has come whole from a caller who is known. */
  atWork(socket: Socket): void {
    this.#waiting.delete(socket);
  }

  /** It is answered. */
  idle(socket: Socket): void {
    if (this.#all.has(socket)) this.#waiting.add(socket);
  }

  #take(socket: Socket): void {
    if (this.#all.size >= this.#options.most) this.#makeRoom(socket);
    if (socket.destroyed) return;
    this.#all.add(socket);
    this.#waiting.add(socket);
    socket.once('close', () => this.#leave(socket));
  }

  #makeRoom(newcomer: Socket): void {
    const [oldest = newcomer] = this.#waiting;
    this.#leave(oldest);
    oldest.destroy();
    this.#shed++;
    const now = this.#options.now();
    if (now < this.#nextTell) return;
    this.#nextTell = now + TELL_MS;
    this.#options.tell(this.#shed);
    this.#shed = 0;
  }

  #leave(socket: Socket): void {
    this.#all.delete(socket);
    this.#waiting.delete(socket);
  }
}
