import { constants, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { CredentialJudge } from '../../resolve/client/credential.ts';
import { type ChainCheck, chainCheck, type Examine } from '../../socket/chain-check.ts';
import type { Milliseconds, Monotonic, Seconds } from '../../wire/quantity.ts';

/** What a listener shows, and whom it takes. A reload makes another. */
export interface TlsMaterial {
  /** PEM: the chain, the leaf first, and its key. */
  readonly certificate: string;
  readonly key: string;
  readonly clients: 'required' | 'optional' | 'none';
  /** PEM of every CA that may stand at the end of a client's chain; `judge` decides which counts for what. */
  readonly caPem: string;
  /** Null where `clients` is `none`. */
  readonly judge: CredentialJudge | null;
}

/** https://www.iana.org/assignments/tls-extensiontype-values/#alpn-protocol-ids */
const ALPN = ['dot'];
/** RFC 9325 §3.1.1. */
const MIN_VERSION = 'TLSv1.2';
/** The reason of a handshake in which a chain was refused. */
export const CHAIN_REFUSED = 'ERR_SSL_CERTIFICATE_VERIFY_FAILED';
/** Octets of the key that tickets are sealed with, as Node takes it. */
const TICKET_KEY = 48;
/** Milliseconds that a ticket key is used for: who holds it can read what TLS 1.2 sessions that resumed by it said. */
const TICKET_KEY_MS: Milliseconds = 12 * 3_600_000;
/** Seconds that a ticket is good for. */
const SESSION_SECONDS: Seconds = 3_600;

export interface HandshakeEvents {
  /** The handshake is done, and what Node checks is good. */
  secure(socket: TLSSocket, raw: Socket): void;
  /** It failed, or the client went away: `reason` is a code of OpenSSL's, Node's or the system's. */
  failed(reason: string, raw: Socket): void;
  /** A chain is shown. Where it is refused, `failed` is called next, with CHAIN_REFUSED. */
  readonly examine: Examine;
}

/**
 * The TLS of one port: one context, TLS 1.2 or later, ALPN `dot` (a client that offers none is served, one that offers only
 * others gets `no_application_protocol`, RFC 7301 §3.2), no renegotiation, no early data.
 *
 * The ticket key is ours and outlives a reload, so that clients go on resuming. A session is bound to the mode that it was
 * made in (`clients`): where that changes, the next handshake is a full one.
 */
export class Handshakes {
  readonly #events: HandshakeEvents;
  readonly #now: () => Monotonic;
  readonly #check: ChainCheck | null;
  readonly #id: number;
  #ticketKey = randomBytes(TICKET_KEY);
  #keyMadeAt: Monotonic;
  #material: TlsMaterial;
  #server: Server;

  /**
   * Throws where the material is no certificate and its key. Without a `check`, chains are refused when the handshake is done,
   * and clients get no alert.
   */
  constructor(material: TlsMaterial, events: HandshakeEvents, now: () => Monotonic, check = chainCheck()) {
    this.#events = events;
    this.#now = now;
    this.#check = check;
    this.#id = check?.add(events.examine) ?? 0;
    this.#keyMadeAt = now();
    this.#material = material;
    this.#server = this.#serverFor(material);
  }

  /** For handshakes from now on; those under way end as they began. Throws as the constructor does, and then nothing has changed. */
  update(material: TlsMaterial): void {
    const { certificate, key, clients, caPem } = this.#material;
    const same =
      material.certificate === certificate &&
      material.key === key &&
      material.clients === clients &&
      material.caPem === caPem;
    if (!same) this.#server = this.#serverFor(material);
    this.#material = material;
  }

  /** Starts a handshake on a socket that nobody reads; what was put back into it is read first. */
  begin(raw: Socket): void {
    const now = this.#now();
    if (now - this.#keyMadeAt > TICKET_KEY_MS) {
      this.#keyMadeAt = now;
      this.#ticketKey = randomBytes(TICKET_KEY);
      this.#server.setTicketKeys(this.#ticketKey);
    }
    // The TLS socket takes this over. A client that ends before it is secure must not linger; later it may say all and listen on.
    raw.allowHalfOpen = false;
    this.#server.emit('connection', raw);
  }

  /** No handshake of it is to succeed any more. */
  close(): void {
    this.#check?.remove(this.#id);
  }

  /** A server that never listens: sockets are handed to it. */
  #serverFor(material: TlsMaterial): Server {
    const make = (): Server => this.#make(material);
    const server = this.#check === null ? make() : this.#check.within(this.#id, make);
    server.on('secureConnection', (socket) => {
      // First: whatever happens to it from here on must not end the process.
      socket.on('error', () => {});
      socket.allowHalfOpen = true;
      this.#events.secure(socket, rawOf(socket));
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      socket.on('error', () => {});
      const refused = socket.authorizationError as unknown;
      this.#events.failed(String(refused ?? error.code ?? 'unknown'), rawOf(socket));
    });
    return server;
  }

  #make({ certificate, key, clients, caPem }: TlsMaterial): Server {
    return createServer({
      cert: certificate,
      key,
      minVersion: MIN_VERSION,
      ALPNProtocols: ALPN,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ticketKeys: this.#ticketKey,
      sessionTimeout: SESSION_SECONDS,
      sessionIdContext: `dot ${clients}`,
      ...(clients !== 'none' && {
        ca: caPem,
        requestCert: true,
        // Where nobody checks within the handshake, Node would close the socket before we can say whose certificate it was.
        rejectUnauthorized: clients === 'required' && this.#check !== null,
      }),
    });
  }
}

/** The socket that a handshake was begun on. Node has no public name for it; a test holds it to this one. */
function rawOf(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent: Socket })._parent;
}
