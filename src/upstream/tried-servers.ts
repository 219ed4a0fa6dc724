import type { Server } from './upstream-server.ts';

/** What one question has seen of the servers that it was sent to, where something went wrong. As many as the group has. */
export class TriedServers {
  /** They said no, or cannot be reached. */
  readonly out = new Set<Server>();
  /** They were asked without OPT for this question's sake. */
  readonly withoutOpt = new Set<Server>();
  readonly #malformed = new Map<Server, number>();

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
