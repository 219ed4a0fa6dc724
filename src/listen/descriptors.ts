import { readFileSync } from 'node:fs';

/**
 * Descriptors that are not for sockets of clients and upstreams: the process, its thread and the files of a reload, and
 * the listener for probes. A quarter of the limit within these bounds.
 */
const OWN_LEAST = 48;
const OWN_MOST = 112;

export interface SocketsWanted {
  /** TCP listeners, and connections of clients to each. */
  readonly listeners: number;
  readonly clients: number;
  /** Sockets to upstreams. */
  readonly upstreams: number;
}

/** Sockets that may be open at once, as above. */
export interface SocketShares {
  readonly clients: number;
  readonly upstreams: number;
  /** Less than what is wanted. */
  readonly scarce: boolean;
}

/**
 * What fits into `limit` descriptors: what is wanted, or else each side its half and what the other leaves of its own. A
 * client must not be able to take the descriptors that others' questions or a reload need.
 */
export function shareDescriptors(limit: number, wanted: SocketsWanted): SocketShares {
  const own = Math.min(OWN_MOST, Math.max(OWN_LEAST, Math.floor(limit / 4)));
  const room = Math.max(2, limit - own);
  const listeners = Math.max(1, wanted.listeners);
  const all = Math.min(wanted.clients * listeners, Math.max(Math.floor(room / 2), room - wanted.upstreams));
  const clients = Math.max(1, Math.floor(all / listeners));
  const upstreams = Math.min(wanted.upstreams, Math.max(1, room - clients * wanted.listeners));
  return { clients, upstreams, scarce: clients < wanted.clients || upstreams < wanted.upstreams };
}

/** How many files this process may have open, or infinity where the system does not say. Node raises its own limit as far as it may. */
export function descriptorLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return found === null ? Number.POSITIVE_INFINITY : Number(found[1]);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
