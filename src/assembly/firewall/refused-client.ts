import { parsePrefix } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import { Forgery } from '../../listen/udp/forgery.ts';
import { findAddress, UNKNOWN } from '../../policy/identity.ts';
import type { LeaseTable } from '../../policy/lease/lease.ts';
import type { GrantBook } from '../../resolve/grants/grant-book.ts';
import type { InForce } from '../../resolve/in-force.ts';
import type { ListenSetting } from '../../settings/settings.ts';

/** Whose packets come from an address. */
export interface RefusedClient {
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
}

/** Says who has an address: a lease, whoever is granted something there, or the prefix of an identity. Null for no address. */
export function refusedClient(
  text: string,
  { leases, book, inForce, forgeries }: ClientPlaces,
  now: number,
): RefusedClient | null {
  const prefix = parsePrefix(text);
  if (prefix instanceof TextFault) return null;
  const { family } = prefix;
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = prefix.words;
  const at = { family, w0, w1, w2, w3 };
  const bound = leases.byAddress(family, w0, w1, w2, w3, now);
  const granted = bound === null ? book.at(at)[0] : undefined;
  const lease = bound?.lease || granted?.lease || null;
  const held = lease === null ? null : leases.get(lease);
  const { snapshot, standings } = inForce;
  const known = findAddress(snapshot.addresses, family, w0, w1, w2, w3);
  const identity = bound?.identity ?? granted?.identity ?? snapshot.identities[known]?.name ?? UNKNOWN.name;
  const isForgeable = forgeries.length === 0 || forgeries.some((forgery) => forgery.isPossible(at));
  return {
    identity,
    owner: standings.named(identity).identity.owner,
    lease,
    job: bound?.job ?? held?.job ?? null,
    proven: bound?.sourceEnforced === true || held?.sourceEnforced === true || !isForgeable,
  };
}

export function forgeriesOf(listen: readonly ListenSetting[]): Forgery[] {
  return listen.flatMap((at) => (at.protocol === 'udp' ? [new Forgery(at.spoofable)] : []));
}
