import { parsePrefix } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import { Forgery } from '../../listen/udp/forgery.ts';
import { findAddress, UNKNOWN } from '../../policy/identity.ts';
import type { Lease, LeaseTable } from '../../policy/lease/lease.ts';
import type { GrantBook } from '../../resolve/grants/grant-book.ts';
import type { InForce } from '../../resolve/in-force.ts';
import type { ListenSetting } from '../../settings/settings.ts';
import { firstOf } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';

/** Whose packets come from an address. */
export interface RefusedClient {
  /** The address; of IPv6 its /64, all of which a client has. */
  readonly network: string;
  readonly identity: string;
  readonly owner: string;
  /** Null without one. */
  readonly lease: string | null;
  readonly job: Readonly<Record<string, string>> | null;
  /** The network lets nobody else send from there, say the lease's opener or the listeners. */
  readonly proven: boolean;
}

export interface ClientPlaces {
  readonly leases: LeaseTable;
  readonly book: GrantBook;
  readonly inForce: InForce;
  /** Of the listeners that take datagrams. */
  readonly forgeries: readonly Forgery[];
  /** Leases that are over, and were so a moment ago. */
  readonly recent: ReadonlyMap<string, Lease>;
}

/** Says who has an address: the lease that the enforcer told of or another,  whoever is granted something there, or the prefix of an identity. Null for no address. */
export function refusedClient(
  text: string,
  told: string | null,
  { leases, book, inForce, forgeries, recent }: ClientPlaces,
  now: Monotonic,
): RefusedClient | null {
  const prefix = parsePrefix(text);
  if (prefix instanceof TextFault) return null;
  const { family } = prefix;
  const at = firstOf(prefix);
  const bound = leases.byAddress(at, now);
  const granted = bound === null && told === null ? book.at(at)[0] : undefined;
  // A lease may name an address that it does not bind.
  const lease = told ?? (bound?.lease || leases.holder(prefix) || granted?.lease || null);
  const held = lease === null ? null : (leases.get(lease) ?? recent.get(lease) ?? null);
  const { snapshot, standings } = inForce;
  const known = findAddress(snapshot.addresses, at);
  const identity =
    held?.identity ??
    bound?.identity ??
    granted?.identity ??
    snapshot.identities[known]?.name ??
    UNKNOWN.name;
  const isForgeable = forgeries.every((forgery) => forgery.isPossible(at));
  const half = (word: number): string => `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
  return {
    network: family === 4 ? text : `${half(at.w0)}:${half(at.w1)}::/64`,
    identity,
    owner: standings.named(identity).identity.owner,
    lease,
    job: held?.job ?? null,
    proven: held?.sourceEnforced === true || !isForgeable,
  };
}

/** What the listeners for datagrams say; those on loopback say nothing of the network. */
export function forgeriesOf(listen: readonly ListenSetting[]): Forgery[] {
  return listen.flatMap((at) =>
    at.protocol === 'udp' && !/^(127\.|::1$)/.test(at.host) ? [new Forgery(at.spoofable)] : [],
  );
}
