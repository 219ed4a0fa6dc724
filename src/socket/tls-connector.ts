import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type PeerCertificate, type SecureContext, type TLSSocket } from 'node:tls';

/** RFC 9325 §3.1.1. */
export const MIN_VERSION = 'TLSv1.2';
/** https://www.iana.org/assignments/tls-extensiontype-values/#alpn-protocol-ids */
const ALPN = ['dot'];

/** A server of DNS over TLS, as a person wrote it. */
export interface TlsServerAddress {
  /** A literal address, without brackets, perhaps with `%scope`. */
  readonly host: string;
  readonly port: number;
  /** What the server's certificate must hold, a host name or an address; null: `host`. */
  readonly name: string | null;
}

/**
 * Opens DNS-over-TLS connections to one server (RFC 7858), strict (RFC 8310 §5): its certificate chains to the CAs of the
 * context, and its subjectAltName holds the name, or the server's address where no name is set. The last session of a
 * connection that passed is offered again. One connector is for one context: a session is bound to who began it.
 */
export class TlsConnector {
  readonly #server: TlsServerAddress;
  readonly #identity: string;
  readonly #makeContext: () => SecureContext;
  #context: SecureContext | null = null;
  #session: Buffer | null = null;

  /** `makeContext` is called now. Where it throws, each `connect` calls it again. */
  constructor(server: TlsServerAddress, makeContext: () => SecureContext) {
    this.#server = server;
    this.#identity = (server.name ?? server.host.replace(/%.*$/, '')).replace(/\.$/, '');
    this.#makeContext = makeContext;
    try {
      // Now, at a reload: reading the system's store takes a tenth of a second, which no question should wait.
      this.#context = makeContext();
    } catch {
      // `connect` says it, each time.
    }
  }

  /** Throws what `makeContext` throws. Nothing may be written before `secureConnect`. */
  connect(): TLSSocket {
    this.#context ??= this.#makeContext();
    const session = this.#session;
    const socket = connect({
      host: this.#server.host,
      port: this.#server.port,
      secureContext: this.#context,
      minVersion: MIN_VERSION,
      ALPNProtocols: ALPN,
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

/** The subject's CN counts for nothing (RFC 8310 §8.1, RFC 9525 §2); Node's own check falls back to it. */
function checkIdentity(identity: string, certificate: PeerCertificate): Error | undefined {
  try {
    const leaf = new X509Certificate(certificate.raw);
    const found =
      isIP(identity) === 0
        ? leaf.checkHost(identity, { subject: 'never', partialWildcards: false })
        : leaf.checkIP(identity);
    if (found !== undefined) return undefined;
  } catch {
    // No certificate, or a name that is none: nobody is known by it, and nothing may be thrown from here.
  }
  return Object.assign(new Error(`the certificate does not hold ${identity}`), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
}
