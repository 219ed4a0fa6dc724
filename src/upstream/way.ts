import type { Match } from '../socket/reply-match.ts';
import type { Monotonic } from '../wire/quantity.ts';
import type { Query } from './query.ts';

/** Replies that match nothing before the port that they came to is given up: somebody guesses. 32 of 65,536 IDs. */
export const MAX_WRONG = 32;

/** How questions go out over UDP and replies come in: in batches where the machine can (`batched-udp.ts`), else `portable-udp.ts`. */
export interface DatagramWay {
  /** The way to one server. `host` is a literal address, an IPv6 one perhaps with `%scope`. */
  route(family: 4 | 6, host: string, port: number): UdpRoute;
  /** Reads what has come: for a timer that is about to give up on replies. */
  read(): void;
  /** Ends what is left, and the way with it. */
  close(): void;
}

export interface UdpRoute {
  /**
   * Sends a copy of the question with an ID of its own, and waits. Only what comes from the server's address counts. Calls nothing of the listener before it returns.
   */
  ask(query: Query, listener: UdpListener, how: UdpAsk, now: Monotonic): UdpExchange;
}

export interface UdpAsk {
  /** Letters in a random case. */
  readonly mix: boolean;
  /** From a port that no other question has. */
  readonly alone: boolean;
  /** Replies that match nothing before the port is given up; of a port that is shared, `MAX_WRONG`. */
  readonly maxWrong: number;
  /** The wait keeps no process alive. */
  readonly background: boolean;
}

/** A question under way: its octets as they were sent. */
export interface UdpExchange extends Query {
  /** Ends the wait. Safe at any time; the listener hears nothing more. */
  close(): void;
}

export interface UdpListener {
  /** A reply to what was sent; the exchange goes on until it is closed. The message is the listener's. */
  udpReply(message: Buffer, match: Exclude<Match, 'none'>): void;
  /** The exchange is over: a socket error, or ICMP said that nobody listens. */
  udpFailed(code: string): void;
  /** A reply came that matches nothing, to a port that this question has alone. The exchange goes on. */
  udpWrong(): void;
  /** The exchange is over: its port got too many replies that match nothing, and is closed. */
  udpForged(): void;
}

/** Who is told of questions that are slots. Of the four, one that is not `slotReply` comes at most once for a question. */
export interface SlotListener {
  /** A reply to what was sent. The message is good during the call. `now`: monotonic milliseconds. */
  slotReply(slot: number, message: Buffer, match: Exclude<Match, 'none'>, now: Monotonic): void;
  /** A reply came that matches nothing, to a port that this question has alone. */
  slotWrong(slot: number): void;
  /** As `udpFailed` and `udpForged`: it stands at no port any more. */
  slotFailed(slot: number, code: string): void;
  slotForged(slot: number): void;
}
