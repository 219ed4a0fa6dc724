import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { FoldingCheck, type FoldingListener } from './folding-check.ts';
import type { Query } from './query.ts';
import type { Sockets } from './sockets.ts';
import type { Server } from './upstream-server.ts';

/** Whose reply is in doubt. */
export interface DoubtOwner {
  /** The check has shown that this reply is the server's. Nobody timed it: `rtt` is -1. */
  believed(message: Buffer, now: Monotonic, rtt: Milliseconds): void;
}

/**
 * A reply over UDP was right in all but the case of its letters: it is forged, or from a server that folds case. TCP tells, and
 * where TCP fails or is silent, a check over UDP does. An attempt makes one check, and in the background none.
 */
export class CaseDoubt implements FoldingListener {
  readonly #server: Server;
  readonly #query: Query;
  readonly #sockets: Sockets;
  readonly #owner: DoubtOwner;
  /** Asks the server for its way with case; null while it does not. */
  #check: FoldingCheck | null = null;
  #mayCheck: boolean;

  constructor(server: Server, query: Query, sockets: Sockets, mayCheck: boolean, owner: DoubtOwner) {
    this.#server = server;
    this.#query = query;
    this.#sockets = sockets;
    this.#mayCheck = mayCheck;
    this.#owner = owner;
  }

  get isChecking(): boolean {
    return this.#check !== null;
  }

  /** TCP has failed, or is silent. */
  begin(now: Monotonic): void {
    const { udp } = this.#server;
    if (!this.#mayCheck || udp === null) return;
    this.#mayCheck = false;
    this.#check = new FoldingCheck(udp, this.#query, this.#server, this, this.#sockets);
    this.#check.ask(now);
  }

  /** Asks again while the check goes on. */
  late(now: Monotonic): void {
    this.#check?.ask(now);
  }

  end(): void {
    this.#check?.close();
    this.#check = null;
  }

  caseKept(message: Buffer): void {
    this.#check = null;
    this.#owner.believed(message, this.#sockets.time.now(), -1);
  }

  caseFolds(message: Buffer): void {
    this.#check = null;
    const now = this.#sockets.time.now();
    this.#server.rememberFoldingFrom(now);
    this.#owner.believed(message, now, -1);
  }

  caseOpen(): void {
    this.#check = null;
  }
}
