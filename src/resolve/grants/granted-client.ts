import type { IpAddress } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { GrantReason } from './grant-line.ts';

/** What one client may connect to, and who it is. */
export class GrantedClient {
  readonly family: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  /** Who asked when it was granted: a lease's id, or empty; and the identity's name. */
  readonly lease: string;
  readonly identity: string;
  /** Its certificate alone says who it is. */
  readonly certified: boolean;
  /** The next whose hash is the same. */
  next: GrantedClient | null = null;
  /** Names at addresses. */
  size = 0;
  readonly addresses = new Map<number, AddressGrant>();

  constructor(who: GrantPlace, lease: string, identity: string, certified: boolean) {
    this.family = who.family;
    this.w0 = who.w0 | 0;
    this.w1 = who.w1 | 0;
    this.w2 = who.w2 | 0;
    this.w3 = who.w3 | 0;
    this.lease = lease;
    this.identity = identity;
    this.certified = certified;
  }

  *each(): Generator<AddressGrant> {
    for (const first of this.addresses.values())
      for (let grant: AddressGrant | null = first; grant !== null; grant = grant.next) yield grant;
  }
}

/** That a name opens an address to a client. */
export interface NameGrant {
  /** Wire name in lower case. */
  readonly name: Uint8Array;
  ports: readonly string[];
  /** Monotonic milliseconds until which the kernel has it. */
  until: Monotonic;
  reason: GrantReason;
  next: NameGrant | null;
  /** The next whose hash is the same, where the address has an index. */
  twin: NameGrant | null;
}

/** An address that a client may connect to. */
export interface AddressGrant extends GrantPlace {
  names: NameGrant | null;
  /** How many. */
  count: number;
  /** By the hash of a name, where names are many: behind a CDN a job may have thousands at one address. */
  index: Map<number, NameGrant> | null;
  /** The next whose hash is the same. */
  readonly next: AddressGrant | null;
}

/** An address that is granted, or that has grants. In the book its words are signed, which V8 makes no objects of. */
export type GrantPlace = IpAddress;
