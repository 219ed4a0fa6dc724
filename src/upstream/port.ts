import { BATCH } from '../socket/connected-batches.ts';
import { matchReply } from './query.ts';
import { randomUint16 } from './random.ts';
import { MAX_WRONG, type UdpExchange, type UdpListener } from './way.ts';

/** Questions that wait at one port at once: one batch. */
const MAX_WAITING = BATCH;
/** Questions that one port has in its life, and milliseconds in which it takes them. */
const MAX_USES = 256;
const MAX_AGE = 100;
/** Questions that it has at most where no other port can be opened. */
const MOST_USES = 4096;

/** The server that ports are connected to. */
export interface Peer {
  /** struct sockaddr; null where nothing can be sent. */
  readonly address: Buffer | null;
  /** The same as 32-bit words. */
  readonly words: Uint32Array;
  /** The port that takes questions now. */
  port: Port | null;
  /** Its datagrams may go to the kernel several as one. */
  grouped: boolean;
}

/** Who has the sockets. */
export interface PortOwner {
  /** The port is looked at when the turn of the event loop ends. */
  settle(port: Port): void;
  /** Closes it at once. */
  shut(port: Port): void;
}

/** One connected socket and its questions. */
export class Port {
  readonly peer: Peer;
  readonly #owner: PortOwner;
  readonly fd: number;
  /** For one question, save where sockets are scarce. */
  readonly #alone: boolean;
  readonly #openedAt: number;
  open = true;
  settling = false;
  /** Questions without a reply that somebody waits for. */
  waiting = 0;
  /** Replies that may match nothing before it is given up. */
  wrongLeft: number;
  /** What leaves next: the first `outgoingCount`. Emptied by number, for an array that is cut to nothing loses its room. */
  readonly outgoing: Exchange[] = [];
  outgoingCount = 0;
  /** All questions that it had, by ID: a reply that comes late or twice is not taken for a forged one. */
  readonly #asked = new Map<number, Exchange>();

  /** `maxWrong`: 0 for a port that is shared. */
  constructor(owner: PortOwner, peer: Peer, fd: number, maxWrong: number, now: number) {
    this.#owner = owner;
    this.peer = peer;
    this.fd = fd;
    this.#alone = maxWrong > 0;
    this.wrongLeft = maxWrong || MAX_WRONG;
    this.#openedAt = now;
  }

  get hasRoom(): boolean {
    return this.open && this.waiting < MAX_WAITING && this.#asked.size < MOST_USES;
  }

  takes(now: number): boolean {
    return this.hasRoom && this.#asked.size < MAX_USES && now - this.#openedAt < MAX_AGE;
  }

  ask(exchange: Exchange): void {
    const { octets } = exchange;
    let id = (octets[0]! << 8) | octets[1]!;
    while (this.#asked.has(id)) {
      id = randomUint16();
      octets[0] = id >>> 8;
      octets[1] = id;
    }
    this.#asked.set(id, exchange);
    this.waiting++;
    this.outgoing[this.outgoingCount++] = exchange;
    this.#owner.settle(this);
  }

  leave(): void {
    if (--this.waiting > 0) return;
    // Of a port that is shared, others may have use before the turn is over.
    if (this.#alone) this.#owner.shut(this);
    else this.#owner.settle(this);
  }

  /** False where the message is no reply to anything that was asked here. */
  receive(message: Buffer): boolean {
    const exchange = message.length < 2 ? undefined : this.#asked.get((message[0]! << 8) | message[1]!);
    if (exchange === undefined) return false;
    const match = matchReply(message, exchange.octets, exchange.questionEnd);
    if (match === 'none') return false;
    exchange.listener?.udpReply(message, match);
    return true;
  }

  /** Who has the port alone hears of a reply that matches nothing: beside others nobody knows whose it was to be. */
  tellWrong(): void {
    if (this.#asked.size !== 1) return;
    for (const exchange of this.#asked.values()) exchange.listener?.udpWrong();
  }

  /** A socket error is of all that wait here. */
  fail(code: string): void {
    this.#owner.shut(this);
    this.giveUp((listener) => listener.udpFailed(code));
  }

  giveUp(tell: (listener: UdpListener) => void): void {
    for (const exchange of this.#asked.values()) {
      const listener = exchange.end();
      if (listener !== null) tell(listener);
    }
  }
}

/** One question at a port, or at none. */
export class Exchange implements UdpExchange {
  readonly octets: Buffer;
  readonly questionEnd: number;
  /** Null when nobody waits any more. */
  listener: UdpListener | null;
  readonly #port: Port | string;

  constructor(octets: Buffer, questionEnd: number, listener: UdpListener, port: Port | string) {
    this.octets = octets;
    this.questionEnd = questionEnd;
    this.listener = listener;
    this.#port = port;
  }

  get live(): boolean {
    return this.listener !== null;
  }

  close(): void {
    this.end();
  }

  /** Ends the wait; returns who waited. */
  end(): UdpListener | null {
    const { listener } = this;
    if (listener === null) return null;
    this.listener = null;
    if (typeof this.#port !== 'string') this.#port.leave();
    return listener;
  }
}
