import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { SocketAddress } from 'node:net';
import { matchReply } from '../socket/reply-match.ts';
import { mixedCopy, type Query } from './query.ts';
import { NO_SOCKET, type Sockets } from './sockets.ts';
import type { DatagramWay, UdpExchange, UdpListener, UdpRoute } from './way.ts';

/** UDP over node:dgram: a socket for each question, on a random port of the kernel's choice. */
export class PortableUdp implements DatagramWay {
  readonly #sockets: Sockets;
  readonly #open = new Set<DgramExchange>();

  constructor(sockets: Sockets) {
    this.#sockets = sockets;
  }

  route(family: 4 | 6, host: string, port: number): UdpRoute {
    const target = udpTarget(family, host, port);
    return {
      ask: (query, listener, { mix, maxWrong, background }) => {
        const exchange = new DgramExchange(
          target,
          mixedCopy(query, mix),
          query,
          this.#sockets,
          listener,
          this.#open,
        );
        exchange.open(maxWrong, background);
        return exchange;
      },
    };
  }

  /** Node reads when it can. */
  read(): void {}

  close(): void {
    for (const exchange of [...this.#open]) exchange.close();
  }
}

/** Where datagrams go. */
interface UdpTarget {
  readonly type: 'udp4' | 'udp6';
  readonly host: string;
  readonly port: number;
  /** The address as the system prints it, without scope. */
  readonly printed: string;
}

function udpTarget(family: 4 | 6, host: string, port: number): UdpTarget {
  if (family === 4) return { type: 'udp4', host, port, printed: host };
  const printed = new SocketAddress({ family: 'ipv6', address: host.replace(/%.*$/, '') }).address;
  return { type: 'udp6', host, port, printed };
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
 * One datagram and the wait for its reply, on a fresh socket, connected, so that only the server's datagrams arrive and
 * ICMP errors do too. What does not match is counted and passed over, so often as the question allows.
 */
class DgramExchange implements UdpExchange {
  readonly octets: Buffer;
  readonly questionEnd: number;
  readonly #target: UdpTarget;
  readonly #sockets: Sockets;
  readonly #listener: UdpListener;
  readonly #all: Set<DgramExchange>;
  #socket: Socket | null = null;
  /** Replies that may match nothing. */
  #left = 0;

  constructor(
    target: UdpTarget,
    octets: Buffer,
    { questionEnd }: Query,
    sockets: Sockets,
    listener: UdpListener,
    all: Set<DgramExchange>,
  ) {
    this.#target = target;
    this.octets = octets;
    this.questionEnd = questionEnd;
    this.#sockets = sockets;
    this.#listener = listener;
    this.#all = all;
  }

  open(maxWrong: number, background: boolean): void {
    this.#left = maxWrong;
    if (!this.#sockets.take()) {
      process.nextTick(() => this.#listener.udpFailed(NO_SOCKET));
      return;
    }
    const target = this.#target;
    const socket = createSocket({ type: target.type, lookup: literal });
    this.#socket = socket;
    this.#all.add(this);
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
      socket.send(this.octets, (error) => {
        if (error !== null) fail(error);
      });
    } catch (error) {
      // A connect that failed makes `send` throw, and says why in an error event of the next tick: that one first.
      process.nextTick(() => process.nextTick(fail, error as NodeJS.ErrnoException));
    }
  }

  close(): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    this.#all.delete(this);
    this.#sockets.release();
    socket.close();
  }

  #receive(message: Buffer, from: RemoteInfo): void {
    if (this.#socket === null) return;
    const match = matchReply(message, this.octets, this.questionEnd);
    // Between bind and connect the socket takes datagrams from anybody.
    if (match !== 'none' && this.#isServer(from)) {
      this.#listener.udpReply(message, match);
      return;
    }
    this.#sockets.counters.mismatched++;
    this.#listener.udpWrong();
    if (this.#socket === null || --this.#left > 0) return;
    this.close();
    this.#listener.udpForged();
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
