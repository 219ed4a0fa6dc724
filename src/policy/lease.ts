import type { Prefix } from '../wire/prefix.ts';
import type { Bound } from './bound.ts';
import { PrefixIndex, Slot } from './prefix-index.ts';

export type { Bound } from './bound.ts';

/** Whom a lease binds: who shows the certificate, who comes from one of the addresses, or who does both. */
export interface LeaseClaim {
  /** Prefixes without host bits, none of them IPv4-mapped; empty only beside a certificate. */
  readonly addresses: readonly Prefix[];
  /** In the form of `Credential.names`, or null. */
  readonly certificate: string | null;
}

export interface Lease extends LeaseClaim {
  readonly id: string;
  readonly identity: string;
  readonly stage: string | null;
  readonly job: Readonly<Record<string, string>> | null;
  /** Monotonic milliseconds. */
  readonly endsAt: number;
  /** Milliseconds after its end for which its claim is `unknown`; 0 for none. */
  readonly quarantine: number;
  /** The policy has its identity and stage. While it does not, it binds to `unknown`. */
  readonly known: boolean;
}

/** The live lease that stands in the way of another, and what both claim. */
export interface Conflict {
  readonly lease: string;
  readonly on: 'id' | 'address' | 'certificate';
}

/** A quarantine that holds: its claim is `unknown` until `endsAt` (monotonic milliseconds). */
export interface Quarantine extends LeaseClaim {
  readonly endsAt: number;
}

/**
 * The leases that hold, as the query path reads them. Time comes in as monotonic milliseconds and must not go back. A
 * lookup never gives what has ended by `now`, whether or not `expire` has been called since. It costs one probe for each
 * prefix length in use, allocates nothing, and is one comparison while there are no leases.
 *
 * A lease on a certificate and addresses binds only who has both; one on a certificate binds nobody who does not show it.
 */
export class LeaseTable {
  /** Another number after each change. */
  revision = 0;
  /** Leases and quarantines that have not been tidied away. */
  size = 0;
  readonly #leases = new Map<string, Lease>();
  /** By claim, as text. */
  readonly #quarantines = new Map<string, Quarantine & { readonly bound: Bound }>();
  readonly #addresses = new PrefixIndex();
  readonly #certificates = new Map<string, CertificateClaims>();
  /** No lease or quarantine ends before. */
  #nextEnd = Number.POSITIVE_INFINITY;
  /** Removed, and not yet told by `expire`. */
  #ended: Lease[] = [];

  /**
   * What holds for a client with these certificate names (`Credential.names`) at this address: a lease on one of the names
   * and the address, else one on a name alone, else null. A quarantine of such a lease counts as it did.
   */
  byCertificate(
    names: readonly string[],
    family: 4 | 6,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    now: number,
  ): Bound | null {
    if (this.#certificates.size === 0) return null;
    let alone: Bound | null = null;
    for (let i = 0; i < names.length; i++) {
      const claims = this.#certificates.get(names[i]!);
      if (claims === undefined) continue;
      const both = claims.addresses.find(family, w0, w1, w2, w3, now);
      if (both !== null) return both;
      alone ??= claims.alone.at(now);
    }
    return alone;
  }

  /** What holds for the address alone at `now`: of its prefixes the longest with a live lease or a quarantine. */
  byAddress(family: 4 | 6, w0: number, w1: number, w2: number, w3: number, now: number): Bound | null {
    return this.size === 0 ? null : this.#addresses.find(family, w0, w1, w2, w3, now);
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
    return [...this.#quarantines.values()].map(({ addresses, certificate, endsAt }) => ({
      addresses,
      certificate,
      endsAt,
    }));
  }

  /** Puts a lease in force, or says which live lease has its id, its certificate, or an address of its. */
  open(lease: Lease, now: number): Conflict | null {
    this.#tidy(now);
    const conflict = this.conflict(lease, now);
    if (conflict === null) this.#put(lease);
    return conflict;
  }

  /** The live lease that `open` would answer with. */
  conflict(wanted: LeaseClaim & { readonly id: string }, now: number): Conflict | null {
    for (const lease of this.#leases.values()) {
      if (lease.id === wanted.id) return { lease: lease.id, on: 'id' };
      if (now >= lease.endsAt) continue;
      const on = collision(lease, wanted);
      if (on !== null) return { lease: lease.id, on };
    }
    return null;
  }

  /**
   * Gives a live lease another stage, end or quarantine, or says whether the policy knows it. Whether a stage may follow
   * another is the caller's to judge. False where no such lease is live.
   */
  change(id: string, change: Partial<Omit<Lease, 'id' | keyof LeaseClaim>>, now: number): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined || now >= lease.endsAt) return false;
    this.#put({ ...lease, ...change });
    return true;
  }

  /** Ends a lease at `now`; its quarantine begins. Null where no such lease is live. */
  end(id: string, now: number): Lease | null {
    const lease = this.#leases.get(id);
    if (lease === undefined || now >= lease.endsAt) return null;
    this.#remove(lease);
    if (lease.quarantine > 0) this.quarantine(lease, now + lease.quarantine);
    return lease;
  }

  /** Tidies away what has ended by `now`, and gives the leases whose time ran out since the last call. */
  expire(now: number): Lease[] {
    this.#tidy(now);
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** Makes a claim `unknown` until `endsAt`, where no lease binds it. */
  quarantine({ addresses, certificate }: LeaseClaim, endsAt: number): void {
    const key = claimKey({ addresses, certificate });
    const before = this.#quarantines.get(key);
    if (before !== undefined && before.endsAt >= endsAt) return;
    const bound = quarantineUntil(endsAt);
    for (const slot of this.#slots({ addresses, certificate })) {
      if (slot.quarantine === null || slot.quarantine.endsAt < endsAt) slot.quarantine = bound;
    }
    this.#quarantines.set(key, { addresses, certificate, endsAt, bound });
    this.#changed(endsAt);
  }

  #tidy(now: number): void {
    if (now < this.#nextEnd) return;
    for (const lease of this.#leases.values()) {
      if (now < lease.endsAt) continue;
      this.#remove(lease);
      this.#ended.push(lease);
      const until = lease.endsAt + lease.quarantine;
      if (until > now) this.quarantine(lease, until);
    }
    for (const [key, quarantine] of this.#quarantines) {
      if (now < quarantine.endsAt) continue;
      this.#quarantines.delete(key);
      for (const slot of this.#slots(quarantine)) {
        if (slot.quarantine !== null && slot.quarantine.endsAt <= now) slot.quarantine = null;
      }
      this.#drop(quarantine);
    }
    this.#nextEnd = Number.POSITIVE_INFINITY;
    for (const { endsAt } of this.#leases.values()) this.#nextEnd = Math.min(this.#nextEnd, endsAt);
    for (const { endsAt } of this.#quarantines.values()) this.#nextEnd = Math.min(this.#nextEnd, endsAt);
  }

  #put(lease: Lease): void {
    const bound = boundOf(lease);
    const after = lease.quarantine > 0 ? quarantineUntil(lease.endsAt + lease.quarantine) : null;
    for (const slot of this.#slots(lease)) {
      slot.lease = bound;
      slot.after = after;
    }
    this.#leases.set(lease.id, lease);
    this.#changed(lease.endsAt);
  }

  #remove(lease: Lease): void {
    for (const slot of this.#slots(lease)) {
      slot.lease = null;
      slot.after = null;
    }
    this.#leases.delete(lease.id);
    this.#drop(lease);
  }

  /** The slots of a claim, made where there are none. */
  #slots({ addresses, certificate }: LeaseClaim): Slot[] {
    if (certificate === null) return addresses.map((prefix) => this.#addresses.slot(prefix));
    let claims = this.#certificates.get(certificate);
    if (claims === undefined) {
      claims = { alone: new Slot(), addresses: new PrefixIndex() };
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
    this.#changed(Number.POSITIVE_INFINITY);
  }

  #changed(endsAt: number): void {
    this.revision++;
    this.size = this.#leases.size + this.#quarantines.size;
    this.#nextEnd = Math.min(this.#nextEnd, endsAt);
  }
}

interface CertificateClaims {
  readonly alone: Slot;
  readonly addresses: PrefixIndex;
}

function boundOf({ id, identity, stage, job, endsAt, known }: Lease): Bound {
  return known
    ? { identity, stage, lease: id, endsAt, job }
    : { identity: UNKNOWN_NAME, stage: null, lease: id, endsAt, job };
}

function quarantineUntil(endsAt: number): Bound {
  return { identity: UNKNOWN_NAME, stage: null, lease: '', endsAt, job: null };
}

const UNKNOWN_NAME = 'unknown';

/** Why two claims cannot be leased at once, or null. Leases may share a certificate only with disjoint addresses. */
export function collision(one: LeaseClaim, other: LeaseClaim): 'address' | 'certificate' | null {
  if (one.addresses.some((prefix) => other.addresses.some((next) => overlaps(prefix, next))))
    return 'address';
  const shared = one.certificate !== null && one.certificate === other.certificate;
  return shared && (one.addresses.length === 0 || other.addresses.length === 0) ? 'certificate' : null;
}

/** Whether all addresses of `inner` are in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && overlaps(outer, inner);
}

/** Whether two prefixes have an address in common: the longer lies in the shorter. */
export function overlaps(one: Prefix, other: Prefix): boolean {
  if (one.family !== other.family) return false;
  let bits = Math.min(one.length, other.length);
  for (let i = 0; bits > 0; i++, bits -= 32) {
    const differ = (one.words[i]! ^ other.words[i]!) >>> 0;
    if (bits >= 32 ? differ !== 0 : differ >>> (32 - bits) !== 0) return false;
  }
  return true;
}

function claimKey({ addresses, certificate }: LeaseClaim): string {
  const prefixes = addresses.map(({ family, words, length }) => `${family} ${words.join(' ')}/${length}`);
  return `${certificate ?? ''}|${prefixes.sort().join('|')}`;
}
