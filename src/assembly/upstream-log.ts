import type { Log } from '../report/log.ts';
import type { Readiness } from '../report/readiness.ts';
import type { Upstreams } from '../upstream/forwarder.ts';
import type { UpstreamEvent } from '../upstream/upstream-event.ts';
import type { Milliseconds } from '../wire/quantity.ts';
import type { Chores } from './chores.ts';

/** Milliseconds. */
const LOOK_EVERY: Milliseconds = 5_000;

/** A line of the log for what became of an upstream server. */
export function tellUpstream(log: Log, event: UpstreamEvent): void {
  const { kind, ...fields } = event;
  const name =
    kind === 'server-down' ? 'upstream-down' : kind === 'server-up' ? 'upstream-up' : 'upstream-changed';
  if (event.kind === 'system-servers' && event.servers.length === 0) {
    const others = event.ours.length === 0 ? 'no nameserver' : 'namegate alone';
    log.error(
      name,
      `upstream: resolv.conf names ${others}, so that nobody can be asked; name the upstreams`,
      { kind, ...fields },
    );
    return;
  }
  const grave = kind === 'server-down' || kind === 'sockets-exhausted';
  log[grave ? 'warn' : 'info'](name, `upstream: ${kind}`, { kind, ...fields });
}

/** Now and again looks whether every group has a server to ask. Without one, clients are better sent elsewhere. */
export function watchUpstreams(
  upstreams: Pick<Upstreams, 'look'>,
  readiness: Pick<Readiness, 'raise' | 'clear'>,
  chores: Pick<Chores, 'every'>,
): void {
  const look = (): void => {
    const without = upstreams.look();
    if (without.length === 0) readiness.clear('no-upstream');
    else readiness.raise('no-upstream', `no server to ask in the group ${without.join(', ')}`);
  };
  look();
  chores.every(LOOK_EVERY, look);
}
