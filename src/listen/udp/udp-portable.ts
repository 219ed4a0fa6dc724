import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { DROPPED, LATER, type ReplyLater } from '../../resolve/ports.ts';
import { readAddress } from '../../socket/address-words.ts';
import type { AddressWords } from '../../wire/ip-address.ts';
import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';
import {
  type ListenCounters,
  type Listener,
  type ListenerEndpoint,
  monotonic,
  Pace,
  type UdpOptions,
} from '../listener.ts';
import { ReplyOnce } from '../reply-once.ts';
import { DatagramClient } from './datagram-client.ts';
import { Forgery, isTruncated } from './forgery.ts';

/** What the Answerer contract promises for UDP. */
const REPLY_OCTETS = 4096;
/** Several hundred full questions; the kernel caps it at net.core.rmem_max and reports twice what it took. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Replies that the kernel did not take at once. Past this they are lost, as the network would lose them. */
const MAX_SENDING = 1024;

/**
 * UDP over node:dgram, on any platform. One socket, one family: `::` does not take IPv4. On a wildcard address of
 * a machine with several, the kernel chooses the source of a reply, as node:dgram cannot say which address was
 * asked; bind to specific addresses there.
 */
export function portableUdp(options: UdpOptions): Listener {
  return new PortableUdp(options);
}

class PortableUdp implements Listener {
  readonly protocol = 'udp';
  address: ListenerEndpoint;
  details: Readonly<Record<string, string | number>> = {};
  readonly counters: ListenCounters = { received: 0, answered: 0, dropped: 0, sendErrors: 0, faults: 0 };
  readonly #options: UdpOptions;
  readonly #socket: Socket;
  readonly #client: RemoteClient;
  readonly #reply = Buffer.allocUnsafeSlow(REPLY_OCTETS);
  readonly #now: () => Monotonic;
  readonly #faultPace = new Pace();
  readonly #socketPace = new Pace();
  #state: 'new' | 'open' | 'draining' | 'closed' = 'new';
  #closing: Promise<void> | null = null;
  /** Called when the last reply has left while draining. */
  #drained: (() => void) | null = null;
  /** Queries whose answer comes later. */
  #waiting = 0;
  /** Replies given to the socket that it has not reported on. */
  #sending = 0;

  constructor(options: UdpOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonic;
    this.address = { host: options.host, port: options.port };
    this.#client = new RemoteClient(this, new Forgery(options.spoofable ?? false));
    this.#socket = createSocket({
      ...(options.host.includes(':') ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' }),
      // Addresses here are literal. Without this, each send waits a tick for dns.lookup to see that: 0.5 µs of 7.
      lookup: (host, _options, callback) => callback(null, host, 0),
    });
    this.#socket.on('message', (message, from) => this.#receive(message, from));
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state !== 'new') {
        reject(new Error('a listener starts once'));
        return;
      }
      const socket = this.#socket;
      const refused = (error: Error): void => void this.close(0).then(() => reject(error));
      socket.once('error', refused);
      socket.once('listening', () => {
        socket.off('error', refused);
        socket.on('error', (error) => this.#trouble(error));
        this.#state = 'open';
        this.address = { host: this.address.host, port: socket.address().port };
        this.details = { served_by: 'node:dgram', receive_buffer: this.#enlarge() };
        resolve();
      });
      socket.bind({ address: this.#options.host, port: this.#options.port, exclusive: true });
    });
  }

  close(drainMs: Milliseconds): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  async #drain(drainMs: Milliseconds): Promise<void> {
    const wasOpen = this.#state === 'open';
    this.#state = 'draining';
    if (wasOpen && this.#waiting + this.#sending > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        this.#drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#state = 'closed';
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  /** Octets that wait to be read at most, as the kernel counts them. */
  #enlarge(): number {
    try {
      this.#socket.setRecvBufferSize(this.#options.receiveBuffer ?? RECEIVE_BUFFER);
    } catch (error) {
      // Linux gives what it may; others refuse. The default serves too.
      this.#trouble(error as Error);
    }
    return this.#socket.getRecvBufferSize();
  }

  #receive(query: Buffer, from: RemoteInfo): void {
    const { counters } = this;
    counters.received++;
    // Nothing can be sent to port 0, and a server that is draining takes nothing new.
    if (from.port === 0 || this.#state !== 'open') {
      counters.dropped++;
      return;
    }
    const client = this.#client;
    client.refill(from);
    let length = DROPPED;
    try {
      length = this.#options.answerer.answer(query, query.length, client, this.#reply);
      if (length > 0 && client.spoofable && isTruncated(this.#reply))
        this.#options.stranded?.sent(client, this.#now());
      if (length > 0) this.#send(this.#reply, length, from.port, from.address);
    } catch (error) {
      length = DROPPED;
      counters.faults++;
      const count = this.#faultPace.due(this.#now());
      if (count > 0) this.#options.notice({ kind: 'fault', error, count });
    }
    if (length === LATER) return;
    if (client.later !== null) client.later.drop();
    else if (length === DROPPED) counters.dropped++;
  }

  /** For ReplyOnce: a query is out. */
  wait(): void {
    this.#waiting++;
  }

  /** For ReplyOnce: the answer that a query waited for, or null for none. */
  complete(reply: Buffer | null, length: number, { port, address }: WayBack): void {
    this.#waiting--;
    if (reply !== null && length > 0 && this.#state !== 'closed') this.#send(reply, length, port, address);
    else this.counters.dropped++;
    this.#settle();
  }

  #send(reply: Buffer, length: number, port: number, address: string): void {
    this.counters.answered++;
    if (this.#sending >= MAX_SENDING) {
      this.counters.sendErrors++;
      return;
    }
    // The socket may keep what it is given; the copy costs less than asking it whether it did.
    const packet = Buffer.allocUnsafe(Math.min(length, reply.length));
    reply.copy(packet);
    this.#sending++;
    this.#socket.send(packet, port, address, this.#sent);
  }

  readonly #sent = (error: Error | null): void => {
    this.#sending--;
    if (error !== null) this.counters.sendErrors++;
    this.#settle();
  };

  #settle(): void {
    if (this.#waiting + this.#sending === 0) this.#drained?.();
  }

  #trouble(error: Error): void {
    const count = this.#socketPace.due(this.#now());
    if (count > 0) this.#options.notice({ kind: 'socket', error, count });
  }
}

interface WayBack {
  readonly port: number;
  readonly address: string;
}

/** Who sent the datagram that node:dgram brought. */
class RemoteClient extends DatagramClient {
  readonly #listener: PortableUdp;
  readonly #forgery: Forgery;
  #address = '';

  constructor(listener: PortableUdp, forgery: Forgery) {
    super();
    this.#listener = listener;
    this.#forgery = forgery;
  }

  refill(from: RemoteInfo): void {
    readAddress(from.address, this);
    this.spoofable = this.#forgery.isPossible(this);
    this.#address = from.address;
    this.port = from.port;
    this.later = null;
  }

  asked(out: AddressWords): boolean {
    const { host } = this.#listener.address;
    readAddress(host, out);
    return host !== '0.0.0.0' && host !== '::';
  }

  defer(): ReplyLater {
    this.#listener.wait();
    this.later = new ReplyOnce(this.#listener, { port: this.port, address: this.#address });
    return this.later;
  }
}
