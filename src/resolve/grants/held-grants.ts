import { findAddress } from '../../policy/identity.ts';
import type { LeaseTable } from '../../policy/lease/lease.ts';
import { judgedAt } from '../../policy/lease/lease-claim.ts';
import { ipAddress } from '../../wire/ip-address.ts';
import { nameFromText } from '../../wire/name.ts';
import type { EpochSeconds, Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { InForce } from '../in-force.ts';
import { textOf } from './gate.ts';
import { type GrantBook, MOST_GRANTS, MOST_OF_HOLDER } from './grant-book.ts';
import { asksOf, judged, untilOf } from './grant-judge.ts';
import type { GrantOrder, GrantReason } from './grant-line.ts';
import { endLine, isIn, regrant } from './grant-orders.ts';
import { GrantedClient, type GrantPlace } from './granted-client.ts';

/** A grant from before our start, as the enforcer tells it; without a name a client that its certificate alone makes known. */
export interface HeldGrant {
  readonly client: GrantPlace;
  readonly identity: string;
  /** Empty without one. */
  readonly lease: string;
  readonly given: {
    readonly name: string;
    readonly address: GrantPlace;
    readonly ports: readonly string[];
    /** Milliseconds that are left of it. */
    readonly left: Milliseconds;
    readonly reason: GrantReason;
  } | null;
}

export interface HeldRooms {
  readonly book: GrantBook;
  readonly leases: LeaseTable;
  readonly clock: { monotonic(): Monotonic; epoch(): EpochSeconds };
}

/**
 * Takes into the book what was granted before our start and the policy of now still approves. What is not taken is not told to
 * the enforcer again, and so is over.
 */
export class HeldGrants {
  readonly #rooms: HeldRooms;
  /** Known by a certificate under a lease or an identity that is over. */
  #over: GrantedClient[] = [];

  constructor(rooms: HeldRooms) {
    this.#rooms = rooms;
  }

  /** Returns what others than the enforcer are told of it. */
  take({ client: at, identity, lease, given }: HeldGrant, inForce: InForce): readonly GrantOrder[] {
    const { book, leases, clock } = this.#rooms;
    const known = book.find(at, lease, identity);
    const client = known ?? new GrantedClient(at, lease, identity, given === null);
    const asked = this.#isPlaced(client) ? asksOf(client, inForce, leases) : null;
    if (given === null) {
      if (asked === null) this.#over.push(client);
      else if (known === null) book.add(client);
      return [];
    }
    const wire = nameFromText(given.name);
    if (asked === null || !(wire instanceof Uint8Array) || given.address.family !== at.family) return [];
    const { reason, address } = given;
    const now = clock.monotonic();
    const approved = judged(at, { name: wire, ports: given.ports }, asked, inForce, now, clock.epoch());
    const until = untilOf({ until: now + given.left }, approved);
    if (approved === null || until <= now) return [];
    if (client.size >= MOST_GRANTS || book.of(client).grants >= MOST_OF_HOLDER.grants) return [];
    if (known === null) book.add(client);
    book.put(client, address, wire, approved.ports, until, { ...reason, ...approved.reason });
    const named = { name: wire, ports: approved.ports, until, reason, next: null, twin: null };
    return [...regrant(client, { ...address, names: named, count: 1, index: null, next: null }, now)];
  }

  /** All has been told. Returns who is over though no snapshot says so. */
  end({ snapshot }: InForce): GrantOrder[] {
    const { book, leases } = this.#rooms;
    const over = this.#over.filter((client) => {
      const { family, w0, w1, w2, w3 } = client;
      const isHeld =
        leases.holder({
          family,
          words: [w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0],
          length: family === 4 ? 32 : 128,
        }) !== null;
      return (
        book.at(client).length === 0 &&
        !isHeld &&
        findAddress(snapshot.addresses, ipAddress(family, w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0)) < 0
      );
    });
    this.#over = [];
    return over.map((client) => endLine(textOf(client), null));
  }

  /** A lease may hold another address by now. */
  #isPlaced(client: GrantedClient): boolean {
    if (client.lease === '') return true;
    const lease = this.#rooms.leases.get(client.lease);
    if (lease === null) return false;
    const places = judgedAt(lease);
    return places.length === 0 ? client.certified : places.some((prefix) => isIn(client, prefix));
  }
}
