import type { Socket } from 'node:net';
import type { AddressWords } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Member } from './crowd.ts';
import { readProxyHeader } from './proxy.ts';

/** What a connection is made of. */
export interface Arrived {
  readonly socket: Socket;
  /** The socket that a TLS one runs over, or the same one. */
  readonly raw: Socket;
  /** The client's own port, 0 where nobody says it. */
  readonly port: number;
}

/** How an arrival ended: see the counters of the same names. */
export type ArrivalEnd = 'late' | 'proxy';

/**
 * A socket that is no connection yet: a balancer's header is read from it, or a handshake is under way. It has one
 * deadline for all of that, and holds one chunk of octets at most.
 */
export class Arrival implements Member {
  readonly socket: Socket;
  readonly resting = true;
  /** Who the client is, as far as is known. */
  address: Readonly<AddressWords>;
  /** The client's own port, 0 where nobody says it. */
  port: number;
  /** How it ended has been counted, or is nothing to count: we ended it. */
  counted = false;
  readonly #host: ArrivalHost;
  readonly #deadline: Monotonic;
  #seen: Buffer | null = null;

  constructor(socket: Socket, address: Readonly<AddressWords>, host: ArrivalHost, deadline: Monotonic) {
    this.socket = socket;
    this.address = { ...address };
    this.port = socket.remotePort ?? 0;
    this.#host = host;
    this.#deadline = deadline;
    socket.on('error', NOTHING);
    socket.on('close', this.#close);
  }

  /** Reads the header; then `host.introduced` is called, with what followed it put back. */
  readHeader(): void {
    this.socket.on('data', this.#data);
    this.socket.on('end', this.#end);
  }

  /** Ends it where its time is over. */
  check(now: Monotonic): void {
    if (now > this.#deadline) this.end('late', 'too late');
  }

  /** `reason`: one of a closed set of texts. */
  end(why: ArrivalEnd, reason: string): void {
    this.#host.ended(this, why, reason);
    this.#leave();
  }

  evict(): void {
    this.#leave();
  }

  /** The server is draining: it has asked nothing yet. */
  finish(): void {
    this.#leave();
  }

  reset(): void {
    this.#leave();
  }

  /** What comes now is somebody else's: a connection's, or the handshake's. */
  release(): void {
    const { socket } = this;
    socket.off('data', this.#data);
    socket.off('end', this.#end);
    socket.off('close', this.#close);
  }

  #leave(): void {
    this.counted = true;
    this.#host.gone(this);
    // No reset: see `Connection`.
    this.socket.destroy();
  }

  readonly #data = (chunk: Buffer): void => {
    const octets = this.#seen === null ? chunk : Buffer.concat([this.#seen, chunk]);
    const header = readProxyHeader(octets);
    if (header.kind === 'partial') {
      this.#seen = octets;
      return;
    }
    this.#seen = null;
    if (header.kind === 'bad') {
      this.end('proxy', header.reason);
      return;
    }
    const { socket } = this;
    socket.pause();
    socket.off('data', this.#data);
    socket.off('end', this.#end);
    if (header.source !== null) {
      this.address = header.source;
      this.port = header.port;
    }
    if (octets.length > header.octets) socket.unshift(octets.subarray(header.octets));
    this.#host.introduced(this);
  };

  /** The header will not become whole. */
  readonly #end = (): void => this.end('proxy', 'a connection that ended within the header');

  readonly #close = (): void => this.#host.gone(this);
}

/** What it means is told by the close that follows. Not a method: it stays for the socket's life. */
const NOTHING = (): void => {};

export interface ArrivalHost {
  /** The balancer has said who the client is: `address` is that now. Nothing reads the socket. */
  introduced(arrival: Arrival): void;
  /** It is ended by a bound or a fault; `gone` follows. */
  ended(arrival: Arrival, why: ArrivalEnd, reason: string): void;
  /** It is over, whatever the reason; perhaps more than once. */
  gone(arrival: Arrival): void;
}
