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

  heard({ reason, cause }: AttemptFault): void {
    if (reason !== 'network') this.refused = true;
    if (this.cause === null || cause.ede >= 0 || this.cause.ede < 0) this.cause = cause;
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
