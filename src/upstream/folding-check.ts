import { HEADER_SIZE } from '../wire/header.ts';
import type { Monotonic } from '../wire/quantity.ts';
import type { Query } from './query.ts';
import type { Sockets } from './sockets.ts';
import { udpAsk } from './udp-form.ts';
import type { Server } from './upstream-server.ts';
import { MAX_WRONG, type UdpExchange, type UdpListener, type UdpRoute } from './way.ts';

/** Exchanges that must come back in one and the same other case. */
const PROOFS = 3;
/** Times that the server is asked at most: datagrams get lost. */
const MOST = PROOFS + 4;

/** Exactly one of the three is called, once, unless the check is closed before. The message is the listener's. */
export interface FoldingListener {
  /** The server keeps the case: who changed it before was not the server. The message is its reply. */
  caseKept(message: Buffer): void;
  /** It folds; the message is the last of the replies that show it. */
  caseFolds(message: Buffer): void;
  /** Nothing is shown, and nothing will be. */
  caseOpen(): void;
}

/**
 * Shows over UDP alone whether a server folds the case of letters, for one that TCP cannot be asked. The question goes out
 * `PROOFS` times, one after the other, each time from a port of its own, under an ID of its own, and in a case of its own. The
 * server folds where all come back in the same case.
 *
 * A forger who sees no traffic and is to make a server seem to fold must meet the port (14.8 bits) and the ID (16 bits) of the
 * question that raised the doubt, and of each of these: 4 times 30.8 bits, one after the other, each before the server's own reply.
 * All exchanges stay open until the end: one reply in the right case, on any of them, ends the check and is the answer. So does
 * one reply under a wrong ID, which shows nothing: he has one guess a port. Who wins one exchange gains nothing.
 */
export class FoldingCheck {
  readonly #route: UdpRoute;
  readonly #query: Query;
  readonly #server: Server;
  readonly #listener: FoldingListener;
  readonly #sockets: Sockets;
  readonly #exchanges: UdpExchange[] = [];
  /** The name as the first reply had it. */
  #name: Buffer | null = null;
  #folded = 0;
  #over = false;

  constructor(route: UdpRoute, query: Query, server: Server, listener: FoldingListener, sockets: Sockets) {
    this.#route = route;
    this.#query = query;
    this.#server = server;
    this.#listener = listener;
    this.#sockets = sockets;
  }

  /** Asks, or asks again where no reply has come. Calls the listener at once where it may not. */
  ask(now: Monotonic): void {
    if (this.#exchanges.length === MOST || this.#sockets.tight) {
      this.fail();
      return;
    }
    this.#server.counts.asked++;
    const how = udpAsk(true, true, MAX_WRONG, false);
    this.#exchanges.push(this.#route.ask(this.#query, new Proof(this), how, now));
  }

  close(): void {
    this.#over = true;
    for (const exchange of this.#exchanges) exchange.close();
  }

  kept(message: Buffer): void {
    if (this.#over) return;
    this.close();
    this.#listener.caseKept(message);
  }

  /** The first reply of an exchange is right in all but case. */
  folded(message: Buffer): void {
    if (this.#over) return;
    const name = message.subarray(HEADER_SIZE, this.#query.questionEnd - 4);
    this.#name ??= Buffer.from(name);
    if (!this.#name.equals(name)) {
      this.fail();
    } else if (++this.#folded === PROOFS) {
      this.close();
      this.#listener.caseFolds(message);
    } else {
      this.ask(this.#sockets.time.now());
    }
  }

  /** A further reply on an exchange that has one. */
  repeated(): void {
    this.#sockets.counters.mismatched++;
  }

  wrong(): void {
    if (this.#over) return;
    this.#server.wrongIds++;
    this.fail();
  }

  fail(): void {
    if (this.#over) return;
    this.close();
    this.#listener.caseOpen();
  }
}

/** One exchange of a check. */
class Proof implements UdpListener {
  readonly #check: FoldingCheck;
  #hasReply = false;

  constructor(check: FoldingCheck) {
    this.#check = check;
  }

  udpReply(message: Buffer, match: 'same' | 'case' | 'bare'): void {
    // What has no question proves nothing of its case.
    if (match === 'bare') return;
    if (match === 'same') {
      this.#check.kept(message);
    } else if (this.#hasReply) {
      this.#check.repeated();
    } else {
      this.#hasReply = true;
      this.#check.folded(message);
    }
  }

  udpFailed(): void {
    this.#check.fail();
  }

  udpWrong(): void {
    this.#check.wrong();
  }

  udpForged(): void {
    this.#check.fail();
  }
}
