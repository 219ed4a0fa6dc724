import type { IpAddress } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { GrantReason } from './grant-line.ts';
import type { AddressGrant, GrantedClient, GrantPlace, NameGrant } from './granted-client.ts';

/** Grants that one client may have. */
export const MOST_GRANTS = 4_096;

/** Of one lease, or of one identity without one: behind a /64 one machine has more addresses than a bound of a client counts. */
export const MOST_OF_HOLDER = { grants: 262_144, clients: 65_536 } as const;

/** Names of one address that are looked through one by one. */
const FEW = 8;

/**
 * What was granted to whom until when, as the kernel has it. A look-up makes nothing. Keys are salted, for clients choose
 * addresses; what has ended is let go by `prune`.
 */
export class GrantBook {
  readonly #clients = new Map<number, GrantedClient>();
  readonly #byLease = new Map<string, Set<GrantedClient>>();
  readonly #holders = new Map<string, { clients: number; grants: number }>();
  readonly #salt: number;
  /** Clients, and what all of them were granted. */
  size = 0;
  grants = 0;
  /** Grows when something is taken away, or holds for less long or otherwise. */
  version = 1;

  /** `salt`: 32 bits that nobody outside knows. */
  constructor(salt: number) {
    this.#salt = salt;
  }

  /** Who is known by a lease or as an identity at an address; null for nobody. Two may share one. */
  find(place: IpAddress, lease: string, identity: string): GrantedClient | null {
    let client = this.#clients.get(this.#hash(place)) ?? null;
    while (
      client !== null &&
      !(isAt(client, place) && client.lease === lease && client.identity === identity)
    )
      client = client.next;
    return client;
  }

  /** All that an address is known as. */
  at(place: IpAddress): GrantedClient[] {
    const found: GrantedClient[] = [];
    let client = this.#clients.get(this.#hash(place)) ?? null;
    for (; client !== null; client = client.next) if (isAt(client, place)) found.push(client);
    return found;
  }

  has(client: GrantedClient): boolean {
    return this.at(client).includes(client);
  }

  add(client: GrantedClient): void {
    const { lease } = client;
    const hash = this.#hash(client);
    client.next = this.#clients.get(hash) ?? null;
    this.#clients.set(hash, client);
    this.size++;
    this.#count(client, 1, client.size);
    if (lease === '') return;
    const same = this.#byLease.get(lease);
    if (same === undefined) this.#byLease.set(lease, new Set([client]));
    else same.add(client);
  }

  remove(client: GrantedClient): void {
    const { lease } = client;
    const hash = this.#hash(client);
    let first = this.#clients.get(hash) ?? null;
    if (first === client) first = client.next;
    else
      for (let before = first; before !== null; before = before.next)
        if (before.next === client) before.next = client.next;
    if (first === null) this.#clients.delete(hash);
    else this.#clients.set(hash, first);
    this.size--;
    if (client.size > 0) this.version++;
    this.#count(client, -1, -client.size);
    const same = this.#byLease.get(lease);
    same?.delete(client);
    if (same?.size === 0) this.#byLease.delete(lease);
  }

  ofLease(lease: string): readonly GrantedClient[] {
    return [...(this.#byLease.get(lease) ?? [])];
  }

  *all(): Generator<GrantedClient> {
    for (const first of this.#clients.values())
      for (let client: GrantedClient | null = first; client !== null; client = client.next) yield client;
  }

  /** What a name opens of an address to a client, or null. `name` in its first `length` octets. */
  named(client: GrantedClient, address: IpAddress, name: Uint8Array, length: number): NameGrant | null {
    let grant = client.addresses.get(this.#hash(address)) ?? null;
    while (grant !== null && !isAt(grant, address)) grant = grant.next;
    if (grant === null) return null;
    if (grant.index !== null) {
      let twin = grant.index.get(this.#hashName(name, length)) ?? null;
      while (twin !== null && !isName(twin.name, name, length)) twin = twin.twin;
      return twin;
    }
    let named = grant.names;
    while (named !== null && !isName(named.name, name, length)) named = named.next;
    return named;
  }

  /** The kernel has it until then. */
  put(
    client: GrantedClient,
    at: IpAddress,
    name: Uint8Array,
    ports: readonly string[],
    until: Monotonic,
    reason: GrantReason,
  ): void {
    const known = this.named(client, at, name, name.length);
    if (known !== null) {
      known.ports = ports;
      known.until = Math.max(known.until, until);
      known.reason = reason;
      return;
    }
    const hash = this.#hash(at);
    const first = client.addresses.get(hash) ?? null;
    let grant = first;
    while (grant !== null && !isAt(grant, at)) grant = grant.next;
    if (grant === null) {
      const { family, w0, w1, w2, w3 } = at;
      const words = { family, w0: w0 | 0, w1: w1 | 0, w2: w2 | 0, w3: w3 | 0 };
      grant = { ...words, names: null, count: 0, index: null, next: first };
      client.addresses.set(hash, grant);
    }
    const named = { name, ports, until, reason, next: grant.names, twin: null };
    grant.names = named;
    grant.count++;
    if (grant.index !== null) this.#enter(grant.index, named);
    else if (grant.count > FEW) grant.index = this.#indexOf(grant);
    client.size++;
    this.#count(client, 0, 1);
  }

  /** What all clients of this one's lease have together, or of its identity without one. */
  of(client: GrantedClient): { readonly clients: number; readonly grants: number } {
    return this.#holders.get(holderOf(client)) ?? NOTHING;
  }

  /** Lets go of those of them that have nothing but their certificate. */
  forgetIdle(like: GrantedClient): void {
    const holder = holderOf(like);
    for (const client of [...this.all()])
      if (client.size === 0 && holderOf(client) === holder) this.remove(client);
  }

  #count(client: GrantedClient, clients: number, grants: number): void {
    const holder = holderOf(client);
    const share = this.#holders.get(holder) ?? { clients: 0, grants: 0 };
    share.clients += clients;
    share.grants += grants;
    this.grants += grants;
    if (share.clients === 0) this.#holders.delete(holder);
    else this.#holders.set(holder, share);
  }

  /** Lets go of the names of a client that `keep` does not want. A client without any goes too, but a certified one. */
  prune(client: GrantedClient, keep: (named: NameGrant, grant: AddressGrant) => boolean): void {
    const before = client.size;
    client.size = 0;
    for (const [hash, first] of client.addresses) {
      let kept: AddressGrant | null = null;
      for (let grant: AddressGrant | null = first; grant !== null; grant = grant.next) {
        const names = pruned(grant, keep);
        if (names === null) continue;
        let count = 0;
        for (let named: NameGrant | null = names; named !== null; named = named.next) count++;
        client.size += count;
        const { family, w0, w1, w2, w3 } = grant;
        kept = { family, w0, w1, w2, w3, names, count, index: null, next: kept };
        if (count > FEW) kept.index = this.#indexOf(kept);
      }
      if (kept === null) client.addresses.delete(hash);
      else client.addresses.set(hash, kept);
    }
    this.#count(client, 0, client.size - before);
    if (client.size === 0 && !client.certified) this.remove(client);
  }

  #indexOf({ names }: AddressGrant): Map<number, NameGrant> {
    const index = new Map<number, NameGrant>();
    for (let named = names; named !== null; named = named.next) this.#enter(index, named);
    return index;
  }

  #enter(index: Map<number, NameGrant>, named: NameGrant): void {
    const hash = this.#hashName(named.name, named.name.length);
    named.twin = index.get(hash) ?? null;
    index.set(hash, named);
  }

  #hashName(name: Uint8Array, length: number): number {
    let hash = this.#salt;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ name[i]!, 0x9e37_79b1) ^ (hash >>> 15);
    return hash;
  }

  /** Signed and unsigned words have one hash. */
  #hash({ family, w0, w1, w2, w3 }: IpAddress): number {
    let hash = Math.imul(this.#salt ^ w0, 0x9e37_79b1);
    if (family === 6) {
      hash = Math.imul(hash ^ (hash >>> 15) ^ w1, 0x85eb_ca6b);
      hash = Math.imul(hash ^ (hash >>> 13) ^ w2, 0xc2b2_ae35);
      hash = Math.imul(hash ^ (hash >>> 16) ^ w3, 0x27d4_eb2f);
    }
    return hash ^ (hash >>> 15) ^ family;
  }
}

const NOTHING = { clients: 0, grants: 0 } as const;

/** No name of an identity has a space. */
function holderOf({ lease, identity }: GrantedClient): string {
  return lease === '' ? identity : `lease ${lease}`;
}

/** Words in the book are signed. */
function isAt(at: GrantPlace, { family, w0, w1, w2, w3 }: IpAddress): boolean {
  return (
    at.w0 === (w0 | 0) &&
    at.family === family &&
    at.w1 === (w1 | 0) &&
    at.w2 === (w2 | 0) &&
    at.w3 === (w3 | 0)
  );
}

function pruned(
  grant: AddressGrant,
  keep: (named: NameGrant, grant: AddressGrant) => boolean,
): NameGrant | null {
  let names: NameGrant | null = null;
  for (let named = grant.names; named !== null; ) {
    const { next } = named;
    if (keep(named, grant)) {
      named.next = names;
      names = named;
    }
    named = next;
  }
  return names;
}

function isName(own: Uint8Array, name: Uint8Array, length: number): boolean {
  if (own.length !== length) return false;
  for (let i = 0; i < length; i++) if (own[i] !== name[i]) return false;
  return true;
}
