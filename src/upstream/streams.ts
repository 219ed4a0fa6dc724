import { connect as connectTcp, isIP } from 'node:net';
import type { UpstreamServer } from '../settings/settings.ts';
import type { Query } from './query.ts';
import { NO_ROOM, NO_SOCKET, type Sockets } from './sockets.ts';
import { Stream, type StreamUser, type Ticket } from './stream.ts';
import { TlsConnector } from './tls.ts';

/**
 * The connections to one server: TLS for a `tls` server, TCP for the others. One serves as long as it answers and has
 * room; another is opened beside one that is full or stalled, up to `StreamLimits.connections`.
 */
export class Streams {
  readonly #server: UpstreamServer;
  readonly #sockets: Sockets;
  readonly #tls: TlsConnector | null;
  readonly #open = new Set<Stream>();
  #retired = false;

  constructor(server: UpstreamServer, sockets: Sockets) {
    this.#server = server;
    this.#sockets = sockets;
    this.#tls =
      server.protocol === 'tls' ? new TlsConnector(server.host, server.port, server.name, server.ca) : null;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Asks on one of the connections. Returns a code where none has room and none can be opened. */
  ask(query: Query, user: StreamUser, background: boolean, now: number): Ticket | string {
    let spare: Stream | null = null;
    for (const stream of this.#open) {
      if (!stream.hasRoom) continue;
      if (!stream.isStalled(now)) return stream.ask(query, user, background, now);
      if (spare === null || stream.waiting < spare.waiting) spare = stream;
    }
    const fresh = this.#open.size < this.#sockets.limits.connections ? this.#connect() : NO_ROOM;
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
      const ready = this.#tls === null ? 'connect' : 'secureConnect';
      const stream = new Stream(socket, ready, this.#sockets, (gone) => this.#gone(gone));
      // Of a server that has left the settings: it serves the questions that were under way, and no more.
      if (this.#retired) stream.retired = true;
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
  }
}
