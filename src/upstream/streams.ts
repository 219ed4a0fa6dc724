import { connect as connectTcp, isIP } from 'node:net';
import type { UpstreamServer } from '../settings/settings.ts';
import { TlsConnector } from '../socket/tls-connector.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Query } from './query.ts';
import { Stream, type StreamUser, type Ticket } from './server-stream.ts';
import { serverTrust } from './server-trust.ts';
import { NO_ROOM, NO_SOCKET, type Sockets } from './sockets.ts';

/** Connections to a server that closes each after a few answers, and questions that wait for one of them. */
const BRIEF_CONNECTIONS = 16;
const MAX_QUEUE = 1024;
/** Milliseconds for which it is remembered that a server does so. */
const BRIEF_LIFE: Milliseconds = 60_000;

/**
 * The connections to one server: TLS for a `tls` server, TCP for the others. One serves as long as it answers and has
 * room; another is opened beside one that is full or stalled, up to `StreamLimits.connections`. Of a server that closes
 * connections after a few answers each gets no more questions than that, and what is left waits for the next.
 */
export class Streams {
  readonly #server: UpstreamServer;
  readonly #sockets: Sockets;
  readonly #tls: TlsConnector | null;
  readonly #open = new Set<Stream>();
  readonly #queue = new Set<Queued>();
  #retired = false;
  /** Questions that one connection takes, until when that is believed. */
  #most = Number.POSITIVE_INFINITY;
  #mostUntil: Monotonic = 0;

  constructor(server: UpstreamServer, sockets: Sockets) {
    this.#server = server;
    this.#sockets = sockets;
    this.#tls = server.protocol === 'tls' ? new TlsConnector(server, () => serverTrust(server.ca)) : null;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Asks on one of the connections. Returns a code where none has room and none can be opened. */
  ask(query: Query, user: StreamUser, background: boolean, now: Monotonic): Ticket | string {
    if (this.#most !== Number.POSITIVE_INFINITY && now >= this.#mostUntil) {
      this.#most = Number.POSITIVE_INFINITY;
    }
    const asked = this.#askNow(query, user, background, now);
    if (asked !== NO_ROOM || this.#most === Number.POSITIVE_INFINITY) return asked;
    if (this.#queue.size >= MAX_QUEUE) return NO_ROOM;
    const queued = new Queued(this.#queue, query, user, background);
    this.#queue.add(queued);
    return queued;
  }

  #askNow(query: Query, user: StreamUser, background: boolean, now: Monotonic): Ticket | string {
    let spare: Stream | null = null;
    for (const stream of this.#open) {
      if (!stream.hasRoom) continue;
      if (!stream.isStalled(now)) return stream.ask(query, user, background, now);
      if (spare === null || stream.waiting < spare.waiting) spare = stream;
    }
    const { connections } = this.#sockets.limits;
    const bound = this.#most === Number.POSITIVE_INFINITY ? connections : BRIEF_CONNECTIONS;
    const fresh = this.#open.size < bound ? this.#connect() : NO_ROOM;
    const stream = typeof fresh === 'string' ? spare : fresh;
    return stream === null ? (fresh as string) : stream.ask(query, user, background, now);
  }

  /** The server is no longer in the settings: connections end with the questions that they have. */
  retire(): void {
    this.#retired = true;
    for (const stream of [...this.#open]) stream.retire();
  }

  /** Ends every connection now. */
  close(): void {
    this.#retired = true;
    for (const queued of [...this.#queue]) queued.fail('ECONNABORTED');
    for (const stream of [...this.#open]) stream.end('ECONNABORTED', false);
  }

  #connect(): Stream | string {
    // A name would be looked up by the system's resolver, which could be us.
    if (isIP(this.#server.host) === 0) return 'EINVAL';
    if (!this.#sockets.take()) return NO_SOCKET;
    try {
      const socket =
        this.#tls === null
          ? connectTcp({ host: this.#server.host, port: this.#server.port })
          : this.#tls.connect();
      const stream = new Stream(socket, this.#most, this.#sockets, (gone) => this.#gone(gone));
      // Of a server that has left the settings: it serves the questions that were under way, and no more.
      if (this.#retired && this.#queue.size === 0) stream.retired = true;
      this.#open.add(stream);
      return stream;
    } catch (error) {
      this.#sockets.release();
      return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    }
  }

  #gone(stream: Stream): void {
    this.#open.delete(stream);
    if (stream.answers === 0) this.#tls?.forget();
    // One that was idle and then closed is no sign.
    else if (stream.cutShort) {
      this.#most = Math.min(this.#most, stream.answers);
      this.#mostUntil = this.#sockets.time.now() + BRIEF_LIFE;
    }
    if (this.#queue.size > 0) process.nextTick(() => this.#askQueued());
  }

  /** A connection has ended: others may be opened for those who wait. */
  #askQueued(): void {
    for (const queued of this.#queue) {
      const asked = this.#askNow(queued.query, queued.user, queued.background, this.#sockets.time.now());
      if (asked === NO_ROOM) return;
      if (typeof asked === 'string') queued.fail(asked);
      else queued.moved(asked);
    }
  }
}

/** A question that waits for a connection, and then is on one. */
class Queued implements Ticket {
  readonly query: Query;
  readonly user: StreamUser;
  readonly background: boolean;
  readonly #queue: Set<Queued>;
  #ticket: Ticket | null = null;

  constructor(queue: Set<Queued>, query: Query, user: StreamUser, background: boolean) {
    this.#queue = queue;
    this.query = query;
    this.user = user;
    this.background = background;
  }

  isStalled(now: Monotonic): boolean {
    return this.#ticket?.isStalled(now) ?? false;
  }

  cancel(): void {
    this.#queue.delete(this);
    this.#ticket?.cancel();
  }

  moved(ticket: Ticket): void {
    this.#queue.delete(this);
    this.#ticket = ticket;
  }

  fail(code: string): void {
    this.#queue.delete(this);
    this.user.streamLost(code, false, 0);
  }
}
