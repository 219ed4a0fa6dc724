import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { SocketAddress } from 'node:net';
import { matchReply } from './query.ts';
import { NO_SOCKET, type Sockets } from './sockets.ts';

/** Where datagrams go. */
export interface UdpTarget {
  readonly type: 'udp4' | 'udp6';
  /** A literal address, an IPv6 one perhaps with `%scope`. */
  readonly host: string;
  readonly port: number;
  /** The address as the system prints it, without scope. */
  readonly printed: string;
}

export function udpTarget(family: 4 | 6, host: string, port: number): UdpTarget {
  if (family === 4) return { type: 'udp4', host, port, printed: host };
  const printed = new SocketAddress({ family: 'ipv6', address: host.replace(/%.*$/, '') }).address;
  return { type: 'udp6', host, port, printed };
}

export interface UdpListener {
  /** A reply to what was sent; the exchange goes on until it is closed. The message is the listener's. */
  udpReply(message: Buffer, match: 'same' | 'case'): void;
  /** The exchange is over: a socket error, or ICMP said that nobody listens. Never called from within `open`. */
  udpFailed(code: string): void;
}

/** Hosts are literal addresses: the system's resolver must never be asked, and it could be us. */
function literal(
  host: string,
  family: unknown,
  done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  done(null, host, Number(family));
}

/**
 * One datagram and the wait for its reply, on a fresh socket: a random port of the kernel's choice, connected, so that
 * only the server's datagrams arrive and ICMP errors do too. What does not match is counted and passed over.
 */
export class UdpExchange {
  readonly #target: UdpTarget;
  readonly #sent: Buffer;
  readonly #questionEnd: number;
  readonly #sockets: Sockets;
  readonly #listener: UdpListener;
  #socket: Socket | null = null;

  constructor(target: UdpTarget, sent: Buffer, questionEnd: number, sockets: Sockets, listener: UdpListener) {
    this.#target = target;
    this.#sent = sent;
    this.#questionEnd = questionEnd;
    this.#sockets = sockets;
    this.#listener = listener;
  }

  /** Sends. `background`: the wait does not keep the process alive. */
  open(background: boolean): void {
    if (!this.#sockets.take()) {
      process.nextTick(() => this.#listener.udpFailed(NO_SOCKET));
      return;
    }
    const target = this.#target;
    const socket = createSocket({ type: target.type, lookup: literal });
    this.#socket = socket;
    const fail = (error: NodeJS.ErrnoException): void => this.#fail(error.code ?? error.message);
    let bound = false;
    socket.on('listening', () => {
      bound = true;
    });
    socket.on('error', (error) => process.nextTick(fail, error));
    socket.on('message', (message, from) => this.#receive(message, from));
    if (background) socket.unref();
    // `literal` answers at once, so all of this happens now. After a failed bind (EMFILE), connect would leave a
    // socket behind that cannot be closed.
    socket.bind({ port: 0, exclusive: true });
    if (!bound) return;
    try {
      socket.connect(target.port, target.host);
      socket.send(this.#sent, (error) => {
        if (error !== null) fail(error);
      });
    } catch (error) {
      // A connect that failed makes `send` throw, and says why in an error event of the next tick: that one first.
      process.nextTick(() => process.nextTick(fail, error as NodeJS.ErrnoException));
    }
  }

  /** Ends the wait. Safe at any time; the listener hears nothing more. */
  close(): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    this.#sockets.release();
    socket.close();
  }

  #receive(message: Buffer, from: RemoteInfo): void {
    if (this.#socket === null) return;
    const match = matchReply(message, this.#sent, this.#questionEnd);
    // Between bind and connect the socket takes datagrams from anybody.
    if (match === 'none' || !this.#isServer(from)) this.#sockets.counters.mismatched++;
    else this.#listener.udpReply(message, match);
  }

  #isServer(from: RemoteInfo): boolean {
    if (from.port !== this.#target.port) return false;
    const scope = from.address.indexOf('%');
    return (scope < 0 ? from.address : from.address.slice(0, scope)) === this.#target.printed;
  }

  #fail(code: string): void {
    if (this.#socket === null) return;
    this.close();
    this.#listener.udpFailed(code);
  }
}
