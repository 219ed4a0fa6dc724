import { wordsOf } from '../socket/connected-batches.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Peer, Port } from './port.ts';
import type { Query } from './query.ts';
import type { UdpAsk, UdpExchange, UdpListener, UdpRoute } from './way.ts';

/** Milliseconds in which questions to one server are counted. */
const WINDOW: Milliseconds = 100;

/** Who has the sockets of all routes. */
interface RouteWay {
  ask(route: Route, query: Query, listener: UdpListener, how: UdpAsk, now: Monotonic): UdpExchange;
}

/** The way to one server in batches. */
export class Route implements UdpRoute, Peer {
  readonly address: Buffer | null;
  readonly words: Uint32Array;
  port: Port | null = null;
  grouped = true;
  readonly #way: RouteWay;
  #window = 0;
  #inWindow = 0;
  #inLast = 0;

  constructor(way: RouteWay, address: Buffer | null) {
    this.#way = way;
    this.address = address;
    this.words = wordsOf(Buffer.from(address ?? []));
  }

  /** Counts a question; returns how many there were in this window or the one before, whichever had more. */
  count(now: Monotonic): number {
    const window = Math.floor(now / WINDOW);
    if (window !== this.#window) {
      this.#inLast = window === this.#window + 1 ? this.#inWindow : 0;
      this.#window = window;
      this.#inWindow = 0;
    }
    this.#inWindow++;
    return Math.max(this.#inWindow, this.#inLast);
  }

  ask(query: Query, listener: UdpListener, how: UdpAsk, now: Monotonic): UdpExchange {
    return this.#way.ask(this, query, listener, how, now);
  }
}
