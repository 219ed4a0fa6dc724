import type { IpAddress } from '../../wire/ip-address.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import { type Bound, boundOf, isQuarantine, quarantineUntil } from './bound.ts';
import { Ends } from './ends.ts';
import { claimKey, type Lease, type LeaseClaim, occupied, outermost } from './lease-claim.ts';
import { PrefixIndex, Slot } from './prefix-index.ts';
import { PrefixTree } from './prefix-tree.ts';

export type { Bound } from './bound.ts';
export type { Lease, LeaseClaim } from './lease-claim.ts';

/** The live lease that stands in the way of another, and what both claim. */
export interface Conflict {
  readonly lease: string;
  readonly on: 'id' | 'address' | 'certificate' | 'client';
}

/** Who hears of leases. Must not throw, nor change the table. */
export interface LeaseWatcher {
  /** A lease is in force; `before`: as it was, or null for a new one. */
  inForce(lease: Lease, before: Lease | null): void;
  /** A lease is over; its quarantine, if it has one, begins. */
  over(lease: Lease): void;
}

/** A quarantine that holds: its claim is `unknown` until `endsAt` (monotonic milliseconds). */
export interface Quarantine extends LeaseClaim {
  readonly endsAt: Monotonic;
}

/**
 * The leases that hold, as the query path reads them. Time comes in as monotonic milliseconds and must not go back. A
 * lookup never gives what has ended by `now`, whether or not `expire` has been called since. It costs one probe for each
 * prefix length in use, allocates nothing, and is one comparison while there are no leases. A live lease goes before every
 * quarantine, of a longer prefix too: a new lease lifts it. To open, change or end one costs the same however many there are.
 *
 * A lease on a certificate and addresses binds only who has both; one on a certificate binds nobody who does not show it.
 */
export class LeaseTable {
  /** Leases and quarantines that have not been tidied away. */
  size = 0;
  readonly #leases = new Map<string, Lease>();
  /** By claim, as text. */
  readonly #quarantines = new Map<string, Quarantine & { readonly bound: Bound }>();
  readonly #addresses = new PrefixIndex();
  readonly #certificates = new Map<string, CertificateClaims>();
  /** Addresses of all leases, whatever certificate they want: no two leases share one. */
  readonly #claimed = new PrefixTree<string>();
  /** Ids of leases and keys of quarantines; what was changed since stands in it twice. */
  readonly #leaseEnds = new Ends<string>();
  readonly #quarantineEnds = new Ends<string>();
  /** Hears of what comes into force and what is over, at once; null for nobody. */
  watcher: LeaseWatcher | null = null;
  /** Removed, and not yet told by `expire`. */
  #ended: Lease[] = [];

  /**
   * What holds for a client with these certificate names (`Credential.names`) at this address: a lease on one of the names
   * and the address, else one on a name alone, else null. A quarantine of such a lease counts as it did.
   */
  byCertificate(names: readonly string[], address: IpAddress, now: Monotonic): Bound | null {
    if (this.#certificates.size === 0) return null;
    let alone: Bound | null = null;
    let calm: Bound | null = null;
    for (let i = 0; i < names.length; i++) {
      const claims = this.#certificates.get(names[i]!);
      if (claims === undefined) continue;
      const both = claims.addresses.find(address, now);
      if (both !== null && !isQuarantine(both)) return both;
      const one = claims.alone.at(now);
      if (one !== null && !isQuarantine(one)) alone ??= one;
      calm ??= both ?? one;
    }
    return alone ?? calm;
  }

  /** What holds for the address alone at `now`: of its prefixes the longest with a live lease or a quarantine. */
  byAddress(address: IpAddress, now: Monotonic): Bound | null {
    return this.size === 0 ? null : this.#addresses.find(address, now);
  }

  get(id: string): Lease | null {
    return this.#leases.get(id) ?? null;
  }

  /** Every lease that has not been tidied away, in the order opened. */
  leases(): IterableIterator<Lease> {
    return this.#leases.values();
  }

  /** Every quarantine that has not been tidied away. */
  quarantines(): Quarantine[] {
    return [...this.#quarantines.values()].map(({ addresses, certificate, client = null, endsAt }) => ({
      addresses,
      certificate,
      client,
      endsAt,
    }));
  }

  /** The lease that has an address of this prefix, to be asked from or to be judged at; or null. */
  holder(prefix: Prefix): string | null {
    return this.#claimed.overlapping(prefix);
  }

  /** Puts a lease in force, or says which live lease has its id, its certificate, or an address of its. */
  open(lease: Lease, now: Monotonic): Conflict | null {
    this.#tidy(now);
    const conflict = this.conflict(lease, now);
    if (conflict === null) this.#put(lease);
    return conflict;
  }

  /** The live lease that `open` would answer with. */
  conflict(wanted: LeaseClaim & { readonly id: string }, now: Monotonic): Conflict | null {
    this.#tidy(now);
    if (this.#leases.has(wanted.id)) return { lease: wanted.id, on: 'id' };
    for (const prefix of occupied(wanted)) {
      const lease = this.#claimed.overlapping(prefix);
      if (lease !== null) return { lease, on: prefix === wanted.client ? 'client' : 'address' };
    }
    const claims = wanted.certificate === null ? undefined : this.#certificates.get(wanted.certificate);
    if (claims === undefined) return null;
    // Leases may share a certificate only with disjoint addresses.
    const [lease] =
      wanted.addresses.length === 0 ? claims.leases : claims.alone.lease ? [claims.alone.lease.lease] : [];
    return lease === undefined ? null : { lease, on: 'certificate' };
  }

  /**
   * Gives a live lease another stage, end or quarantine, or says whether the policy knows it. Whether a stage may follow
   * another is the caller's to judge. False where no such lease is live.
   */
  change(id: string, change: Partial<Omit<Lease, 'id' | keyof LeaseClaim>>, now: Monotonic): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined || now >= lease.endsAt) return false;
    this.#put({ ...lease, ...change });
    return true;
  }

  /** Ends a lease at `now`; its quarantine begins. Null where no such lease is live. */
  end(id: string, now: Monotonic): Lease | null {
    const lease = this.#leases.get(id);
    if (lease === undefined || now >= lease.endsAt) return null;
    this.#remove(lease);
    if (lease.quarantine > 0) this.quarantine(lease, now + lease.quarantine);
    return lease;
  }

  /** Tidies away what has ended by `now`, and gives the leases whose time ran out since the last call. */
  expire(now: Monotonic): Lease[] {
    this.#tidy(now);
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** Makes a claim `unknown` until `endsAt`, where no lease binds it. */
  quarantine({ addresses, certificate, client = null }: LeaseClaim, endsAt: Monotonic): void {
    const key = claimKey({ addresses, certificate, client });
    const before = this.#quarantines.get(key);
    if (before !== undefined && before.endsAt >= endsAt) return;
    const bound = quarantineUntil(endsAt);
    for (const slot of this.#slots({ addresses, certificate })) {
      if (slot.quarantine === null || slot.quarantine.endsAt < endsAt) slot.quarantine = bound;
    }
    this.#quarantines.set(key, { addresses, certificate, client, endsAt, bound });
    this.#quarantineEnds.put(endsAt, key);
    this.#changed();
  }

  #tidy(now: Monotonic): void {
    while (this.#leaseEnds.next <= now) {
      const lease = this.#leases.get(this.#leaseEnds.take(now)!);
      // It was given another end meanwhile, or was ended.
      if (lease === undefined || now < lease.endsAt) continue;
      this.#remove(lease);
      this.#ended.push(lease);
      const until = lease.endsAt + lease.quarantine;
      if (until > now) this.quarantine(lease, until);
    }
    while (this.#quarantineEnds.next <= now) {
      const key = this.#quarantineEnds.take(now)!;
      const quarantine = this.#quarantines.get(key);
      if (quarantine === undefined || now < quarantine.endsAt) continue;
      this.#quarantines.delete(key);
      for (const slot of this.#slots(quarantine)) {
        if (slot.quarantine !== null && slot.quarantine.endsAt <= now) slot.quarantine = null;
      }
      this.#drop(quarantine);
    }
    this.#refresh();
  }

  /** Drops ends that hold no more, once they are the most. */
  #refresh(): void {
    if (this.#leaseEnds.size > 2 * this.#leases.size + SPARE_ENDS) {
      this.#leaseEnds.clear();
      for (const { id, endsAt } of this.#leases.values()) this.#leaseEnds.put(endsAt, id);
    }
    if (this.#quarantineEnds.size > 2 * this.#quarantines.size + SPARE_ENDS) {
      this.#quarantineEnds.clear();
      for (const [key, { endsAt }] of this.#quarantines) this.#quarantineEnds.put(endsAt, key);
    }
  }

  #put(lease: Lease): void {
    const bound = boundOf(lease);
    const after = lease.quarantine > 0 ? quarantineUntil(lease.endsAt + lease.quarantine) : null;
    for (const slot of this.#slots(lease)) {
      slot.lease = bound;
      slot.after = after;
    }
    const before = this.#leases.get(lease.id);
    if (before === undefined) this.#claim(lease);
    if (before?.endsAt !== lease.endsAt) this.#leaseEnds.put(lease.endsAt, lease.id);
    this.#leases.set(lease.id, lease);
    this.#changed();
    this.watcher?.inForce(lease, before ?? null);
  }

  #remove(lease: Lease): void {
    for (const slot of this.#slots(lease)) {
      slot.lease = null;
      slot.after = null;
    }
    this.#leases.delete(lease.id);
    for (const prefix of outermost(occupied(lease))) this.#claimed.delete(prefix);
    if (lease.certificate !== null) this.#certificates.get(lease.certificate)!.leases.delete(lease.id);
    this.#drop(lease);
    this.watcher?.over(lease);
  }

  #claim(lease: Lease): void {
    const { id, certificate } = lease;
    for (const prefix of outermost(occupied(lease))) this.#claimed.set(prefix, id);
    if (certificate !== null) this.#certificates.get(certificate)!.leases.add(id);
  }

  /** The slots of a claim, made where there are none. */
  #slots({ addresses, certificate }: LeaseClaim): Slot[] {
    if (certificate === null) return addresses.map((prefix) => this.#addresses.slot(prefix));
    let claims = this.#certificates.get(certificate);
    if (claims === undefined) {
      claims = { alone: new Slot(), addresses: new PrefixIndex(), leases: new Set() };
      this.#certificates.set(certificate, claims);
    }
    const index = claims.addresses;
    return addresses.length === 0 ? [claims.alone] : addresses.map((prefix) => index.slot(prefix));
  }

  /** Gives the room of a claim's empty slots free. */
  #drop({ addresses, certificate }: LeaseClaim): void {
    const claims = certificate === null ? undefined : this.#certificates.get(certificate);
    const index = claims?.addresses ?? this.#addresses;
    for (const prefix of addresses) index.tidy(prefix);
    if (claims?.alone.isEmpty && index.isEmpty) this.#certificates.delete(certificate!);
    this.#changed();
  }

  #changed(): void {
    this.size = this.#leases.size + this.#quarantines.size;
  }
}

/** Ends that may hold no more before they are dropped. */
const SPARE_ENDS = 64;

interface CertificateClaims {
  readonly alone: Slot;
  readonly addresses: PrefixIndex;
  /** Ids of the leases that want it. */
  readonly leases: Set<string>;
}
