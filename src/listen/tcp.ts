import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { type AddressWords, isMapped, readAddress } from './address.ts';
import { type Endpoint, type Listener, type ListenOptions, monotonic, Pace } from './listener.ts';
import { ReplyBatch } from './reply-batch.ts';
import { Connection, type StreamHost } from './stream.ts';
import { STREAM_LIMITS, type StreamCounters, type StreamLimits } from './stream-limits.ts';

export { TCP_IDLE_MS } from './stream-limits.ts';

const CLIENTS = 1000;
const BACKLOG = 1024;

export interface TcpOptions extends ListenOptions {
  /** Connections in total, 1000 unless said; at least 1. */
  readonly clients?: number;
  /** Connections of one client: an IPv4 address or an IPv6 /64. An eighth of the total unless said; at least 1. */
  readonly perClient?: number;
  readonly limits?: Partial<StreamLimits>;
}

/**
 * DNS over TCP (RFC 7766). Over its own cap a client's new connection is closed at once. At the total cap the
 * connection that has been silent longest makes room, so that holding idle connections keeps nobody out; only
 * where each of them has questions in flight is the new one closed.
 */
export function tcp(options: TcpOptions): Listener {
  return new TcpListener(options);
}

class TcpListener implements Listener, StreamHost {
  readonly protocol = 'tcp';
  address: Endpoint;
  readonly details: Readonly<Record<string, string | number>>;
  readonly counters: StreamCounters = {
    received: 0,
    answered: 0,
    dropped: 0,
    sendErrors: 0,
    faults: 0,
    accepted: 0,
    refusedClient: 0,
    refusedTotal: 0,
    evicted: 0,
    idle: 0,
    slow: 0,
    stalled: 0,
    malformed: 0,
    reset: 0,
  };
  readonly limits: StreamLimits;
  readonly batch: ReplyBatch;
  readonly answerer: ListenOptions['answerer'];
  readonly now: () => number;
  readonly #notice: ListenOptions['notice'];
  readonly #server: Server;
  readonly #clients: number;
  readonly #perClient: number;
  /** Every connection, with its client's key, the longest silent first. */
  readonly #connections = new Map<Connection, string>();
  readonly #held = new Map<string, number>();
  readonly #scratch: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  readonly #paces = {
    fault: new Pace(),
    socket: new Pace(),
    client: new Pace(),
    total: new Pace(),
    evicted: new Pace(),
  };
  readonly #checkMs: number;
  #timer: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;
  #started = false;

  constructor(options: TcpOptions) {
    this.answerer = options.answerer;
    this.#notice = options.notice;
    this.now = options.now ?? monotonic;
    this.address = { host: options.host, port: options.port };
    this.limits = { ...STREAM_LIMITS, ...options.limits };
    this.batch = new ReplyBatch(this.limits.unsent);
    this.#clients = Math.max(1, options.clients ?? CLIENTS);
    this.#perClient = Math.max(1, options.perClient ?? Math.floor(this.#clients / 8));
    this.details = { served_by: 'node:net', clients: this.#clients, per_client: this.#perClient };
    const { idleMs, messageMs, stallMs, unsent } = this.limits;
    this.#checkMs = Math.min(500, Math.max(5, Math.min(idleMs, messageMs, stallMs) / 8));
    // Half-open: a client that has said all still wants its answers (RFC 7766 §6.2.3).
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: unsent }, (socket) =>
      this.#accept(socket),
    );
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#started || this.#closing !== null) {
        reject(new Error('a listener starts once'));
        return;
      }
      this.#started = true;
      const { host, port } = this.address;
      const server = this.#server;
      server.once('error', reject);
      server.listen({ host, port, ipv6Only: isIPv6(host), backlog: BACKLOG, exclusive: true }, () => {
        server.off('error', reject);
        // Accepting fails when descriptors run out, and goes on when some are free again.
        server.on('error', (error) => this.#trouble(error));
        const bound = server.address();
        if (bound !== null && typeof bound === 'object') this.address = { host, port: bound.port };
        resolve();
      });
    });
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  async #drain(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of [...this.#connections.keys()]) connection.finish();
    const timer = setTimeout(() => {
      for (const connection of [...this.#connections.keys()]) connection.reset();
    }, drainMs);
    await closed;
    clearTimeout(timer);
  }

  active(connection: Connection): void {
    const client = this.#connections.get(connection);
    if (client === undefined) return;
    this.#connections.delete(connection);
    this.#connections.set(connection, client);
  }

  gone(connection: Connection): void {
    const client = this.#connections.get(connection);
    if (client === undefined) return;
    this.#connections.delete(connection);
    const held = this.#held.get(client)! - 1;
    if (held > 0) this.#held.set(client, held);
    else this.#held.delete(client);
    if (this.#connections.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  fault(error: unknown): void {
    const count = this.#paces.fault.due(this.now());
    if (count > 0) this.#notice({ kind: 'fault', error, count });
  }

  #accept(socket: Socket): void {
    const text = socket.remoteAddress;
    // Reset while it waited to be accepted.
    if (text === undefined || this.#closing !== null) {
      socket.destroy();
      return;
    }
    const address = this.#scratch;
    readAddress(text, address);
    const client = clientKey(address);
    const held = this.#held.get(client) ?? 0;
    if (held >= this.#perClient) {
      this.counters.refusedClient++;
      this.#refuse(socket, 'client', text);
      return;
    }
    if (this.#connections.size >= this.#clients && !this.#makeRoom()) {
      this.counters.refusedTotal++;
      this.#refuse(socket, 'total', text);
      return;
    }
    this.counters.accepted++;
    this.#connections.set(new Connection(socket, address, this), client);
    // Read again: making room may have closed one of this client's own.
    this.#held.set(client, (this.#held.get(client) ?? 0) + 1);
    this.#timer ??= setInterval(() => this.#check(), this.#checkMs);
  }

  /** Closes the connection that has been silent longest, of those with nothing in flight. */
  #makeRoom(): boolean {
    for (const connection of this.#connections.keys()) {
      if (!connection.resting) continue;
      this.counters.evicted++;
      connection.evict();
      const count = this.#paces.evicted.due(this.now());
      if (count > 0) this.#notice({ kind: 'evicted', cap: 'total', count });
      return true;
    }
    return false;
  }

  #refuse(socket: Socket, cap: 'client' | 'total', client: string): void {
    socket.on('error', () => {});
    socket.destroy();
    const count = this.#paces[cap].due(this.now());
    if (count > 0) this.#notice({ kind: 'refused', cap, client, count });
  }

  #check(): void {
    const now = this.now();
    for (const connection of this.#connections.keys()) connection.check(now);
  }

  #trouble(error: Error): void {
    const count = this.#paces.socket.due(this.now());
    if (count > 0) this.#notice({ kind: 'socket', error, count });
  }
}

/** Whose connections count together. A machine with IPv6 has a whole /64 to dial from (RFC 7421). */
function clientKey(address: Readonly<AddressWords>): string {
  if (address.family === 4) return `4:${address.w0}`;
  return isMapped(address) ? `4:${address.w3}` : `6:${address.w0}:${address.w1}`;
}
