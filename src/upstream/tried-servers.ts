import type { UpstreamCause } from '../resolve/ports.ts';
import type { AttemptFault } from './attempt-fault.ts';
import type { Server } from './upstream-server.ts';

/** What one question has seen of the servers that it was sent to, where something went wrong. As many as the group has. */
export class TriedServers {
  /** They said no, or cannot be reached. */
  readonly out = new Set<Server>();
  /** They were asked without OPT for this question's sake. */
  readonly withoutOpt = new Set<Server>();
  /** Somebody said no, or broke the protocol. */
  refused = false;
  /** The fault that says most. */
  cause: UpstreamCause | null = null;
  readonly #malformed = new Map<Server, number>();

  /** Whose first SERVFAIL or REFUSED came last; null for nobody. */
  #declined: Server | null = null;
  /** Who is asked once more all the same; null for nobody. */
  #pardoned: Server | null = null;

  heard(server: Server, { reason, cause, mayPass }: AttemptFault): void {
    const { cause: before } = this;
    // What a server says last is its word.
    const isLast = reason !== 'network' && server.label === before?.server;
    if (before === null || isLast || cause.ede >= 0 || before.ede < 0) this.cause = cause;
    if (reason !== 'network') this.refused = true;
    if (mayPass) this.#declined = this.#declined === server ? null : server;
  }

  /** Some server may be asked once more. */
  get canPardon(): boolean {
    return this.#declined !== null && this.#pardoned === null;
  }

  /** Lets the server that declined last be asked once more: one server for a question, once. */
  pardon(): void {
    this.#pardoned = this.#declined;
    this.out.delete(this.#declined!);
  }

  isPardoned(server: Server): boolean {
    return this.#pardoned === server;
  }

  /** The time is over, and a server still owes its reply: `silence` is what there is to say. */
  heardNothing({ label }: Server, silence: string): void {
    if (this.cause === null || this.cause.ede < 0) this.cause = { server: label, detail: silence, ede: -1 };
  }

  /** Some reply could not be read or used. */
  get hasMalformed(): boolean {
    return this.#malformed.size > 0;
  }

  /** Returns how many such replies of the server there were, this one included. */
  countMalformed(server: Server): number {
    const count = (this.#malformed.get(server) ?? 0) + 1;
    this.#malformed.set(server, count);
    return count;
  }
}

/** A reply that is given where nobody has a better one. */
export interface PoorReply {
  readonly message: Buffer;
  readonly server: Server;
}
