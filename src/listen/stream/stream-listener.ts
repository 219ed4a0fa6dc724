import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { addressText, clientKey, readAddress } from '../../socket/address-words.ts';
import type { Examine } from '../../socket/chain-check.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import { type ListenerEndpoint, type ListenOptions, monotonic } from '../listener.ts';
import { isWithin } from '../prefixes.ts';
import { Arrival, type ArrivalEnd, type ArrivalHost } from './arrival.ts';
import { Entrance } from './entrance.ts';
import { CHAIN_REFUSED, type HandshakeEvents, Handshakes, type TlsMaterial } from './handshakes.ts';
import { judgeInTurns } from './judging.ts';
import { type CredentialRefusal, type Proof, Proofs, x509ErrorOf } from './proofs.ts';
import { ReplyBatch } from './reply-batch.ts';
import { Connection } from './stream.ts';
import type { StreamHost } from './stream-host.ts';
import { newCounters, STREAM_LIMITS, type StreamBounds, type StreamCounters } from './stream-limits.ts';
import { StreamNotices } from './stream-notices.ts';
import type { StreamOptions, TlsListener, TlsOptions } from './stream-options.ts';

const CLIENTS = 1000;
const BACKLOG = 1024;
/** Milliseconds that sockets have to close when all of them were reset. */
const CLOSE_MS: Milliseconds = 500;
/**
 * One port that takes DNS over a stream, TCP or TLS: who may come in (`Crowd`), what has to happen first (a balancer's
 * header, a handshake: `Arrival`), and then a `Connection`. Sockets that have not come that far have a quarter of the
 * places at most.
 */
export class StreamListener implements TlsListener, StreamHost<Connection>, ArrivalHost, HandshakeEvents {
  readonly protocol: 'tcp' | 'tls';
  address: ListenerEndpoint;
  readonly details: Readonly<Record<string, string | number>>;
  readonly counters: StreamCounters = newCounters();
  readonly limits: StreamBounds;
  readonly batch: ReplyBatch;
  readonly answerer: ListenOptions['answerer'];
  readonly gathers: boolean;
  readonly now: () => Monotonic;
  readonly #notices: StreamNotices;
  readonly #stranded: ListenOptions['stranded'];
  readonly #server: Server;
  readonly #proxyFrom: readonly Prefix[];
  readonly #handshakes: Handshakes | null;
  readonly #proofs: Proofs | null;
  readonly #entrance: Entrance;
  readonly #handshaking = new WeakMap<Socket, Arrival>();
  readonly #scratch: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };
  /** Of the handshake in which it was found: OpenSSL ends that one before another goes on. */
  #refusal: CredentialRefusal | null = null;
  readonly #checkMs: Milliseconds;
  #timer: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;
  #started = false;

  constructor(options: StreamOptions & Partial<TlsOptions>, material: TlsMaterial | null) {
    const { host, port, answerer, proxyFrom, epoch } = options;
    this.protocol = material === null ? 'tcp' : 'tls';
    this.gathers = material !== null;
    this.answerer = answerer;
    this.now = options.now ?? monotonic;
    this.address = { host, port };
    this.limits = { ...STREAM_LIMITS, ...options.limits };
    this.batch = new ReplyBatch(this.limits.unsent);
    this.#proxyFrom = proxyFrom ?? [];
    this.#stranded = options.stranded;
    const total = Math.max(1, options.clients ?? CLIENTS);
    const perClient = Math.max(1, options.perClient ?? Math.floor(total / 8));
    this.#notices = new StreamNotices(options.notice, this.now);
    const evicted = (): void => {
      this.counters.evicted++;
      this.#notices.evicted();
    };
    this.#entrance = new Entrance({ total, perClient }, evicted);
    this.#handshakes = material === null ? null : new Handshakes(material, this, this.now, options.check);
    this.#proofs = material === null ? null : new Proofs(material, epoch ?? (() => Date.now() / 1000));
    this.details = {
      served_by: `node:${material === null ? 'net' : 'tls'}`,
      clients: total,
      per_client: perClient,
    };
    const { idleMs, messageMs, stallMs, handshakeMs, unsent } = this.limits;
    this.#checkMs = Math.min(500, Math.max(5, Math.min(idleMs, messageMs, stallMs, handshakeMs) / 8));
    // Half-open: a client that has said all still wants its answers (RFC 7766 §6.2.3).
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: unsent }, (socket) =>
      this.#accept(socket),
    );
  }

  get connections(): number {
    return this.#entrance.size;
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
      server.listen({ host, port, ipv6Only: host.includes(':'), backlog: BACKLOG, exclusive: true }, () => {
        server.off('error', reject);
        // Accepting fails when descriptors run out, and goes on when some are free again.
        server.on('error', (error) => this.#notices.trouble(error));
        const bound = server.address();
        if (bound !== null && typeof bound === 'object') this.address = { host, port: bound.port };
        resolve();
      });
    });
  }

  endLease(lease: string): void {
    for (const guest of [...this.#entrance.members()]) {
      if (guest instanceof Connection && guest.lease === lease) guest.finish();
    }
  }

  close(drainMs: Milliseconds): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  update(material: TlsMaterial): void {
    this.#handshakes!.update(material);
    this.#proofs!.update(material);
    const open = [...this.#entrance.members()].filter((guest) => guest instanceof Connection);
    for (const connection of open) connection.suspect();
    judgeInTurns(open, this.now);
  }

  async #drain(drainMs: Milliseconds): Promise<void> {
    let last: NodeJS.Timeout | undefined;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      // A handle that the system does not give back must not keep the process.
      last = setTimeout(resolve, drainMs + CLOSE_MS);
    });
    for (const guest of [...this.#entrance.members()]) guest.finish();
    const timer = setTimeout(() => {
      for (const guest of [...this.#entrance.members()]) guest.reset();
    }, drainMs);
    await closed;
    this.#handshakes?.close();
    clearTimeout(timer);
    clearTimeout(last);
  }

  active(connection: Connection): void {
    this.#entrance.touch(connection);
  }

  gone(guest: Connection | Arrival): void {
    this.#entrance.leave(guest);
    if (this.#entrance.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  fault(error: unknown): void {
    this.#notices.fault(error);
  }

  isDistrusted(connection: Connection, proof: Proof): boolean {
    const proofs = this.#proofs!;
    if (!proofs.isOver(proof)) return false;
    const refusal = proofs.renew(proof);
    if (refusal !== null) this.#distrust(connection, refusal);
    return refusal !== null;
  }

  #distrust(client: Readonly<AddressWords>, refusal: CredentialRefusal): void {
    this.counters.distrusted++;
    this.#notices.certificate(addressText(client), true, refusal.rule, () => this.#proofs!.tell(refusal));
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
    const balanced = this.#proxyFrom.some((prefix) => isWithin(address, prefix));
    // Until a balancer has said whose it is, a connection is nobody's.
    const client = balanced ? null : clientKey(address);
    const arrives = balanced || this.#handshakes !== null;
    const full = this.#entrance.makeRoom(client, arrives);
    if (full !== null) {
      socket.on('error', () => {});
      socket.destroy();
      this.#refused(full, text);
      return;
    }
    this.counters.accepted++;
    if (!balanced) this.#stranded?.came(address);
    this.#timer ??= setInterval(() => this.#check(), this.#checkMs);
    if (!arrives) {
      const port = socket.remotePort ?? 0;
      this.#entrance.enter(new Connection({ socket, raw: socket, port }, address, null, this), client);
      return;
    }
    const arrival = new Arrival(socket, address, this, this.now() + this.limits.handshakeMs);
    this.#entrance.enter(arrival, client);
    if (balanced) arrival.readHeader();
    else this.#shakeHands(arrival);
  }

  #refused(cap: 'client' | 'total', client: string): void {
    if (cap === 'client') this.counters.refusedClient++;
    else this.counters.refusedTotal++;
    this.#notices.refused(cap, client);
  }

  introduced(arrival: Arrival): void {
    const client = clientKey(arrival.address);
    this.#stranded?.came(arrival.address);
    this.#entrance.leave(arrival);
    const arrives = this.#handshakes !== null;
    if (this.#entrance.isFull(client, arrives)) {
      this.#refused('client', addressText(arrival.address));
      arrival.reset();
      return;
    }
    if (arrives) {
      this.#entrance.enter(arrival, client);
      this.#shakeHands(arrival);
      return;
    }
    arrival.release();
    const { socket, address, port } = arrival;
    this.#entrance.enter(new Connection({ socket, raw: socket, port }, address, null, this), client);
  }

  ended(arrival: Arrival, why: ArrivalEnd, reason: string): void {
    this.counters[why]++;
    const client = addressText(arrival.address);
    if (why === 'proxy') this.#notices.proxy(client, reason);
    else this.#notices.handshake(client, reason);
  }

  #shakeHands(arrival: Arrival): void {
    this.#handshaking.set(arrival.socket, arrival);
    this.#handshakes!.begin(arrival.socket);
  }

  readonly examine: Examine = (shown) => {
    const refusal = this.#proofs!.examine(shown);
    this.#refusal = refusal;
    return refusal === null ? 0 : x509ErrorOf(refusal);
  };

  failed(reason: string, raw: Socket): void {
    const refusal = this.#refusal;
    this.#refusal = null;
    const arrival = this.#handshaking.get(raw);
    if (arrival === undefined || arrival.counted) return;
    this.counters.failed++;
    if (reason === CHAIN_REFUSED && refusal !== null) this.#distrust(arrival.address, refusal);
    else this.#notices.handshake(addressText(arrival.address), reason);
    arrival.reset();
  }

  secure(socket: TLSSocket, raw: Socket): void {
    const arrival = this.#handshaking.get(raw);
    if (arrival === undefined || !this.#entrance.admit(arrival)) {
      raw.destroy();
      return;
    }
    const { address, port } = arrival;
    this.counters.handshakes++;
    if (socket.isSessionReused()) this.counters.resumed++;
    const proof = this.#proofs!.take(socket);
    if ('kind' in proof) {
      this.#distrust(address, proof);
      arrival.reset();
      return;
    }
    const { fault = null } = proof.credential ?? {};
    if (fault !== null && proof.chain !== null) {
      const { chain } = proof;
      const message = `its holder is unknown: ${fault.text}`;
      const tell = () => this.#proofs!.tell({ kind: 'refused', rule: fault.rule, message, chain });
      this.#notices.certificate(addressText(address), false, fault.rule, tell);
    }
    arrival.release();
    this.#entrance.leave(arrival);
    this.#entrance.enter(new Connection({ socket, raw, port }, address, proof, this), clientKey(address));
  }

  #check(): void {
    const now = this.now();
    for (const guest of this.#entrance.members()) guest.check(now);
  }
}
