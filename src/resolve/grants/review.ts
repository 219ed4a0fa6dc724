import type { Lease, LeaseTable, LeaseWatcher } from '../../policy/lease/lease.ts';
import { judgedAt } from '../../policy/lease/lease-claim.ts';
import { firstOf } from '../../wire/ip-address.ts';
import { nameToText } from '../../wire/name.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { ClockOffset, EpochSeconds, Milliseconds, Monotonic } from '../../wire/quantity.ts';
import type { InForce } from '../in-force.ts';
import type { Enforcement } from './enforcement.ts';
import { certifiedLine, samePorts, textOf } from './gate.ts';
import type { GrantBook } from './grant-book.ts';
import { asksOf, judged, untilOf } from './grant-judge.ts';
import type { GrantOrder } from './grant-line.ts';
import { endLine, isIn, liveOf, namesOf, prefixesOf, regrant, textOfPrefix } from './grant-orders.ts';
import type { GrantedClient } from './granted-client.ts';

/** Clients that one call of `look` looks at. */
const SLICE = 200;

export interface ReviewRooms {
  readonly book: GrantBook;
  readonly enforcement: Enforcement;
  readonly leases: LeaseTable;
  readonly clock: { monotonic(): Monotonic; epoch(): EpochSeconds };
}

/**
 * Keeps what the firewall holds to what holds now: who is live, and that no grant outlives its rule, its stage or its lease.
 */
export class GrantReview implements LeaseWatcher {
  readonly #rooms: ReviewRooms;
  #inForce: InForce;
  /** Static prefixes that the firewall was told of, as text, with their identities. */
  #prefixes: ReadonlyMap<string, string>;
  /** Clients that are still to be looked at under the policy of now. */
  #queue: GrantedClient[] = [];
  /** Static prefixes that are in quarantine after a lease of just these addresses, as text, and until when. */
  readonly #calm = new Map<string, Monotonic>();

  constructor(rooms: ReviewRooms, inForce: InForce) {
    this.#rooms = rooms;
    this.#inForce = inForce;
    this.#prefixes = prefixesOf(inForce.snapshot);
    rooms.leases.watcher = this;
    this.#apart = rooms.clock.epoch() * 1000 - rooms.clock.monotonic();
  }

  /** Another policy is in force. */
  swap(inForce: InForce): void {
    this.#inForce = inForce;
    const before = this.#prefixes;
    const after = prefixesOf(inForce.snapshot);
    this.#prefixes = after;
    const orders: GrantOrder[] = [];
    for (const client of before.keys())
      if (!after.has(client))
        orders.push({ op: 'end', client, identity: before.get(client)!, lease: null, quarantine_ms: 0 });
    for (const [client, identity] of after)
      if (!before.has(client)) orders.push({ op: 'live', client, identity, lease: null, ttl_ms: null });
    if (orders.length > 0) this.#rooms.enforcement.order(orders, null);
    this.#queue = [...this.#rooms.book.all()];
    this.#rooms.book.version++;
  }

  /** All that is live and granted, for an enforcer that has just come. */
  *snapshot(): Generator<GrantOrder> {
    for (const part of this.parts()) yield* part;
  }

  /** The same in parts. Between two of them all may change: a part tells what holds when it is taken. */
  *parts(): Generator<readonly GrantOrder[]> {
    const { book, leases, clock } = this.#rooms;
    yield [...this.#live(clock.monotonic())];
    for (const lease of leases.leases()) if (lease.known) yield [...liveOf(lease, clock.monotonic())];
    for (const client of book.all()) {
      const orders: GrantOrder[] = client.certified ? [certifiedLine(client)] : [];
      const now = clock.monotonic();
      for (const grant of client.each()) orders.push(...regrant(client, grant, now));
      yield orders;
    }
    yield [{ op: 'snapshot' }];
  }

  /** Static prefixes, and addresses in quarantine. */
  *#live(now: Monotonic): Generator<GrantOrder> {
    const { leases } = this.#rooms;
    for (const [client, identity] of this.#prefixes)
      yield { op: 'live', client, identity, lease: null, ttl_ms: null };
    // A lease that lives lifts it.
    for (const calm of leases.quarantines())
      for (const prefix of calm.endsAt <= now ? [] : judgedAt(calm))
        if (leases.holder(prefix) === null) yield* this.#endOf(prefix, null, calm.endsAt - now, now);
  }

  inForce(lease: Lease, before: Lease | null): void {
    const { book, enforcement, clock } = this.#rooms;
    const now = clock.monotonic();
    if (!lease.known) {
      if (before === null || before.known) this.over({ ...lease, quarantine: 0 });
      return;
    }
    const orders: GrantOrder[] = [];
    if (before === null || !before.known) {
      // Whoever had the address leaves nothing to it.
      for (const prefix of judgedAt(lease)) {
        this.#forget(prefix);
        orders.push(endLine(textOfPrefix(prefix), null));
      }
    }
    orders.push(...liveOf(lease, now));
    enforcement.order(orders, null);
    for (const client of book.ofLease(lease.id)) this.#lookAt(client, now);
  }

  over(lease: Lease): void {
    const { book, enforcement, clock } = this.#rooms;
    const orders: GrantOrder[] = [];
    const places = judgedAt(lease);
    for (const client of book.ofLease(lease.id)) {
      book.remove(client);
      if (places.length > 0 && !client.certified) continue;
      orders.push(endLine(textOf(client), lease));
      for (const other of book.at(client)) book.remove(other);
    }
    for (const prefix of places) {
      this.#forget(prefix);
      orders.push(...this.#endOf(prefix, lease, lease.quarantine, clock.monotonic()));
    }
    if (orders.length > 0) enforcement.order(orders, null);
  }

  /** The end of what a lease held; where the policy names just this prefix, it is its identity's again after the quarantine. */
  *#endOf(
    prefix: Prefix,
    lease: Lease | null,
    quarantine: Milliseconds,
    now: Monotonic,
  ): Generator<GrantOrder> {
    const client = textOfPrefix(prefix);
    yield endLine(client, lease, quarantine);
    const identity = this.#prefixes.get(client);
    if (identity === undefined) return;
    if (quarantine > 0) this.#calm.set(client, now + quarantine);
    else yield { op: 'live', client, identity, lease: null, ttl_ms: null };
  }

  #afterQuarantine(now: Monotonic): void {
    for (const [client, until] of this.#calm) {
      if (now < until) continue;
      this.#calm.delete(client);
      const identity = this.#prefixes.get(client);
      const held = [...this.#rooms.leases.leases()].some((lease) =>
        judgedAt(lease).some((prefix) => textOfPrefix(prefix) === client),
      );
      // The end of that lease says what follows.
      if (identity === undefined || held) continue;
      this.#rooms.enforcement.order([{ op: 'live', client, identity, lease: null, ttl_ms: null }], null);
    }
  }

  /** Looks at some clients under the policy of now, and lets go of what has ended. To be called some times a second. */
  look(): void {
    const { book, clock } = this.#rooms;
    const now = clock.monotonic();
    this.#afterQuarantine(now);
    // Rules end by the wall clock, and grants were given an end by the other.
    const apart = clock.epoch() * 1000 - now;
    if (Math.abs(apart - this.#apart) > JUMP) {
      this.#apart = apart;
      this.#queue = [...book.all()];
    }
    for (const client of this.#queue.splice(0, SLICE)) if (book.has(client)) this.#lookAt(client, now);
    if (this.#queue.length === 0 && now >= this.#pruneAt) {
      this.#pruneAt = now + PRUNE;
      for (const client of [...book.all()]) book.prune(client, ({ until }) => until > now);
    }
  }

  #pruneAt: Monotonic = 0;
  /** Between the wall clock and the monotonic one, when grants were last looked at for it. */
  #apart: ClockOffset;

  /** Drops all that is known of a prefix: what it asks next is granted anew. */
  #forget(prefix: Prefix): void {
    const { book } = this.#rooms;
    const { family, length } = prefix;
    const single = length === (family === 4 ? 32 : 128);
    const found = single ? book.at(firstOf(prefix)) : [...book.all()].filter((at) => isIn(at, prefix));
    for (const client of found) book.remove(client);
  }

  /** Takes from a client what the policy no longer approves, and what goes on for less long or at other ports. */
  #lookAt(client: GrantedClient, now: Monotonic): void {
    const { book, enforcement, clock, leases } = this.#rooms;
    const epoch = clock.epoch();
    const asked = asksOf(client, this.#inForce, leases);
    const orders: GrantOrder[] = [];
    for (const grant of client.each()) {
      const before = [...namesOf(grant)].map(({ name, ports }) => ({ name: nameToText(name), ports }));
      let changed = false;
      for (const named of namesOf(grant)) {
        const approved = asked === null ? null : judged(grant, named, asked, this.#inForce, now, epoch);
        const until = untilOf(named, approved);
        const ports = approved?.ports ?? named.ports;
        if (until === named.until && samePorts(ports, named.ports)) continue;
        changed = true;
        named.until = until;
        named.ports = ports;
        if (approved?.reason) named.reason = { ...named.reason, ...approved.reason };
      }
      if (!changed) continue;
      const { identity, lease } = client;
      const who = { identity, lease: lease || null, client: textOf(client) };
      for (const { name, ports } of before)
        orders.push({ op: 'revoke', ...who, name, address: textOf(grant), ports });
      orders.push(...regrant(client, grant, now));
    }
    if (orders.length === 0) return;
    book.version++;
    enforcement.order(orders, null);
    book.prune(client, ({ until }) => until > now);
  }
}

const PRUNE: Milliseconds = 10_000;
/** A wall clock that is moved by more than this was set. */
const JUMP: Milliseconds = 1_000;
