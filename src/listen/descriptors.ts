import { readFileSync } from 'node:fs';

/**
 * Descriptors that are not for sockets of clients and upstreams: the process, its thread and the files of a reload, and
 * the listener for probes. A quarter of the limit within these bounds.
 */
const OWN_LEAST = 48;
const OWN_MOST = 112;

/** Sockets open at once. */
export interface SocketShares {
  /** Connections of clients, over all listeners. */
  readonly clients: number;
  /** Sockets to upstreams. */
  readonly upstreams: number;
}

/**
 * What fits into `limit` descriptors: what is wanted, or else each side its half and what the other leaves of its own. A
 * client must not be able to take the descriptors that others' questions or a reload need.
 */
export function shareDescriptors(limit: number, wanted: SocketShares): SocketShares {
  const own = Math.min(OWN_MOST, Math.max(OWN_LEAST, Math.floor(limit / 4)));
  const room = Math.max(2, limit - own);
  const half = Math.floor(room / 2);
  const clients = Math.min(wanted.clients, Math.max(half, room - wanted.upstreams));
  return { clients, upstreams: Math.min(wanted.upstreams, room - clients) };
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
