import { descriptorLimit, type SocketShares, shareDescriptors } from '../listen/descriptors.ts';
import type { Log } from '../report/log.ts';
import type { Settings } from '../settings/settings.ts';

/** What listeners and upstreams may hold of the descriptors that the process may open; the log tells where that is too few. */
export function shareSockets({ listen, limits: { tcpClients, inFlight } }: Settings, log: Log): SocketShares {
  const listeners = listen.filter(({ protocol }) => protocol !== 'udp').length;
  const limit = descriptorLimit();
  const wanted = { listeners, clients: tcpClients, upstreams: Math.max(4096, inFlight) };
  const shares = shareDescriptors(limit, wanted);
  if (shares.scarce) {
    const fields = { open_files: limit, tcp_clients: shares.clients, upstream_sockets: shares.upstreams };
    log.warn('descriptor-limit', 'the limit on open files is too low for the limits set', fields);
  }
  return shares;
}
