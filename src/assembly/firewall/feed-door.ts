import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { ClientTrust } from '../../identity/client-trust.ts';
import type { FeedAt } from '../../settings/enforce-settings.ts';
import { listenOnPath } from '../../socket/unix-path.ts';
import type { EpochSeconds, Milliseconds } from '../../wire/quantity.ts';

/** Connections of one feed at once, those in their handshake too; and new ones of one address in a second. */
const MOST_CONNECTIONS = 64;
const MOST_NEW = 5;
const HANDSHAKE_MS: Milliseconds = 5_000;
/** Certificates that a consumer may show. */
const MOST_CHAIN = 8;

export interface DoorEvents {
  /** Somebody who may hear the feed, under a name for people. */
  arrived(socket: Socket, name: string): void;
  /** Somebody who may not. */
  refused(why: string): void;
  epoch(): EpochSeconds;
}

/** Where consumers of a feed come in: a unix socket of namegate's own user, or TLS where they show a certificate. */
export class FeedDoor {
  readonly #at: FeedAt;
  readonly #events: DoorEvents;
  readonly #server: Server | TlsServer;
  #trust: ClientTrust | null;
  #names: ReadonlySet<string>;
  /** New connections by address in this second. */
  readonly #news = new Map<string, number>();
  #newsAt: EpochSeconds = 0;

  /** `trust`: of who comes over TLS. */
  constructor(at: FeedAt, trust: ClientTrust | null, events: DoorEvents) {
    this.#at = at;
    this.#events = events;
    this.#trust = trust;
    this.#names = new Set(at.kind === 'tls' ? at.clients : []);
    if (at.kind === 'unix')
      this.#server = createServer((socket) => events.arrived(socket, 'a local process'));
    else {
      const options = { handshakeTimeout: HANDSHAKE_MS, requestCert: true, rejectUnauthorized: true };
      const server = createTlsServer({ ...this.#material(at), ...options, minVersion: 'TLSv1.2' });
      server.on('secureConnection', (socket) => this.#shown(socket));
      server.on('tlsClientError', (error) => events.refused(error.message));
      server.on('connection', (socket) => this.#admit(socket));
      this.#server = server;
    }
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /** Resolves when it listens. Rejects with what to do. */
  async start(): Promise<void> {
    const at = this.#at;
    if (at.kind === 'unix') await listenOnPath(this.#server, at.path);
    else
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(at.port, at.host, () => {
          this.#server.off('error', reject);
          resolve();
        });
      });
    this.#server.on('error', (error) => this.#events.refused(error.message));
  }

  /** Other certificates and names, from now on. */
  update(at: FeedAt, trust: ClientTrust | null): void {
    if (at.kind !== 'tls') return;
    this.#trust = trust;
    this.#names = new Set(at.clients);
    (this.#server as TlsServer).setSecureContext(this.#material(at));
  }

  /** Whether who was let in under this name may be in. */
  takes(name: string): boolean {
    return this.#at.kind === 'unix' || this.#names.has(name);
  }

  close(): void {
    this.#server.close();
  }

  #material({ tls }: Extract<FeedAt, { kind: 'tls' }>) {
    return { cert: tls.certificate.text, key: tls.key.text, ca: this.#trust?.caPem.join('') ?? '' };
  }

  /** Handshakes cost time: one address cannot ask for many. */
  #admit(socket: Socket): void {
    const second = Math.floor(this.#events.epoch());
    if (second !== this.#newsAt) this.#news.clear();
    this.#newsAt = second;
    const from = (socket.remoteAddress ?? '').split(':').slice(0, 4).join(':');
    const news = (this.#news.get(from) ?? 0) + 1;
    this.#news.set(from, news);
    if (news > MOST_NEW) socket.destroy();
  }

  #shown(socket: TLSSocket): void {
    const chain: Buffer[] = [];
    for (let next = socket.getPeerX509Certificate(); next !== undefined; next = next.issuerCertificate)
      if (chain.push(next.raw) > MOST_CHAIN) break;
    const judgement = this.#trust?.judge(chain, this.#events.epoch());
    const from = `${socket.remoteAddress}`;
    // A resumed session says nothing new of its certificate.
    if (!socket.authorized || socket.isSessionReused() || judgement?.kind !== 'accepted') {
      const why = judgement?.kind === 'refused' ? judgement.message : 'its certificate was not verified';
      this.#refuse(socket, `${from}: ${why}`);
      return;
    }
    const { names, fault } = judgement.credential;
    const name = fault === null ? names.find((each) => this.#names.has(each)) : undefined;
    if (name === undefined)
      this.#refuse(socket, `${from}: its certificate holds none of the names in clients`);
    else {
      // What ends with its certificate, or a CRL, has to come again.
      const left = 1000 * (judgement.until - this.#events.epoch());
      const timer = setTimeout(() => socket.destroy(), Math.min(left, 2 ** 31 - 1));
      timer.unref();
      socket.once('close', () => clearTimeout(timer));
      this.#events.arrived(socket, name);
    }
  }

  #refuse(socket: TLSSocket, why: string): void {
    socket.on('error', () => {});
    socket.destroy();
    this.#events.refused(why);
  }
}
