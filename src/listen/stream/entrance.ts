import type { Monotonic } from '../../wire/quantity.ts';
import { Arrival } from './arrival.ts';
import { Crowd, type CrowdCaps, type Member } from './crowd.ts';

/** A connection, or a socket on its way to be one. */
export interface Guest extends Member {
  check(now: Monotonic): void;
  finish(): void;
  reset(): void;
}

/** Who has the places of one listener. Sockets that are no connections yet have a part of the places at most. */
export class Entrance {
  readonly #guests: Crowd<Guest>;
  readonly #arrivals: Crowd<Arrival>;

  /** `onEvict` is told of each guest that makes room. */
  constructor({ total, perClient }: CrowdCaps, onEvict: () => void) {
    this.#guests = new Crowd({ total, perClient }, onEvict);
    this.#arrivals = new Crowd({ total: share(total, 4), perClient: share(perClient, 2) }, onEvict);
  }

  get size(): number {
    return this.#guests.size;
  }

  /** The longest silent first; a guest may leave while this is read. */
  members(): IterableIterator<Guest> {
    return this.#guests.members();
  }

  /** Which cap keeps a newcomer of the client out, or null: there is room now. `arrives`: it is no connection yet. */
  makeRoom(client: string | null, arrives: boolean): 'client' | 'total' | null {
    return (arrives ? this.#arrivals.makeRoom(client) : null) ?? this.#guests.makeRoom(client);
  }

  /** Whether a client has all the places that are its own. */
  isFull(client: string | null, arrives: boolean): boolean {
    return this.#guests.isFull(client) || (arrives && this.#arrivals.isFull(client));
  }

  /** After `makeRoom` said null. */
  enter(guest: Guest, client: string | null): void {
    if (guest instanceof Arrival) this.#arrivals.enter(guest, client);
    this.#guests.enter(guest, client);
  }

  /** It showed life: it is the last that would make room. */
  touch(guest: Guest): void {
    this.#guests.touch(guest);
  }

  /** It is no arrival any more, and keeps its place; whether it was one. */
  admit(arrival: Arrival): boolean {
    return this.#arrivals.leave(arrival);
  }

  leave(guest: Guest): void {
    if (guest instanceof Arrival) this.#arrivals.leave(guest);
    this.#guests.leave(guest);
  }
}

/** What arrivals have of the places: so many parts, but four where there are four. */
function share(places: number, parts: number): number {
  return Math.min(places, Math.max(4, Math.ceil(places / parts)));
}
