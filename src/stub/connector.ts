import { isIP } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { checkIdentity } from '../upstream/tls.ts';

/** A server of DNS over TLS, as the command line names it. */
export interface ServerAddress {
  /** A literal address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** What the server's certificate must hold, a host name or an address; null: `host`. */
  readonly name: string | null;
}

/** `tls://192.0.2.54:853#dns.example`. */
export function serverUrl({ host, port, name }: ServerAddress): string {
  return `tls://${isIP(host) === 6 ? `[${host}]` : host}:${port}${name === null ? '' : `#${name}`}`;
}

/**
 * Opens mutual-TLS connections to one server (RFC 7858, RFC 8310 §5): its certificate chains to the context's CAs, and its
 * subjectAltName holds the name. The last session is offered again. One connector is for one pair of certificate and key:
 * a session is bound to who began it.
 */
export class Connector {
  readonly #server: ServerAddress;
  readonly #identity: string;
  readonly #context: SecureContext;
  #session: Buffer | null = null;

  constructor(server: ServerAddress, context: SecureContext) {
    this.#server = server;
    this.#identity = server.name ?? server.host.replace(/%.*$/, '');
    this.#context = context;
  }

  /** Nothing may be written before `secureConnect`. */
  connect(): TLSSocket {
    const session = this.#session;
    const socket = connect({
      host: this.#server.host,
      port: this.#server.port,
      secureContext: this.#context,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['dot'],
      rejectUnauthorized: true,
      checkServerIdentity: (_host, certificate) => checkIdentity(this.#identity, certificate),
      ...(isIP(this.#identity) === 0 && { servername: this.#identity }),
      ...(session !== null && { session }),
    });
    socket.on('session', (fresh) => {
      if (socket.authorized) this.#session = fresh;
    });
    return socket;
  }

  /** After a connection that answered nothing: the next handshake starts from nothing. */
  forget(): void {
    this.#session = null;
  }
}
