import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  connect,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';

/** RFC 9325 §3.1.1. */
const MIN_VERSION = 'TLSv1.2';
/** https://www.iana.org/assignments/tls-extensiontype-values/#alpn-protocol-ids */
const ALPN = ['dot'];

let systemContext: SecureContext | null = null;

/**
 * Opens DNS-over-TLS connections to one server (RFC 7858), strict (RFC 8310 §5): its certificate chains to the CAs
 * given, or the system's, and its subjectAltName holds `name`, or the server's address where no name is set. The
 * last session of a connection that passed is offered again.
 */
export class TlsConnector {
  readonly #host: string;
  readonly #port: number;
  readonly #identity: string;
  readonly #ca: string | null;
  #context: SecureContext | null = null;
  #session: Buffer | null = null;

  constructor(host: string, port: number, name: string | null, ca: string | null) {
    this.#host = host;
    this.#port = port;
    this.#identity = (name ?? host.replace(/%.*$/, '')).replace(/\.$/, '');
    this.#ca = ca;
    try {
      // Now, at a reload: reading the system's store takes a tenth of a second, which no question should wait.
      this.#context = contextFor(ca);
    } catch {
      // `connect` says it, each time.
    }
  }

  /** Throws where the CA text holds no certificate. Nothing may be written before `secureConnect`. */
  connect(): TLSSocket {
    this.#context ??= contextFor(this.#ca);
    const session = this.#session;
    const socket = connect({
      host: this.#host,
      port: this.#port,
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

  /** After a failed handshake: the next one starts from nothing. */
  forget(): void {
    this.#session = null;
  }
}

function contextFor(ca: string | null): SecureContext {
  if (ca !== null) return createSecureContext({ ca, minVersion: MIN_VERSION });
  if (systemContext === null) {
    const system = getCACertificates('system');
    // A machine without a store: the list that comes with Node.
    systemContext = createSecureContext({
      ca: system.length > 0 ? system : getCACertificates('bundled'),
      minVersion: MIN_VERSION,
    });
  }
  return systemContext;
}

/** The subject's CN counts for nothing (RFC 8310 §8.1, RFC 9525 §2); Node's own check falls back to it. */
export function checkIdentity(identity: string, certificate: PeerCertificate): Error | undefined {
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
