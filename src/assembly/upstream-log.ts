import type { Log } from '../report/log.ts';
import type { UpstreamEvent } from '../upstream/event.ts';

/** A line of the log for what became of an upstream server. */
export function tellUpstream(log: Log, event: UpstreamEvent): void {
  const { kind, ...fields } = event;
  const name =
    kind === 'server-down' ? 'upstream-down' : kind === 'server-up' ? 'upstream-up' : 'upstream-changed';
  const grave = kind === 'server-down' || kind === 'sockets-exhausted';
  log[grave ? 'warn' : 'info'](name, `upstream: ${kind}`, { kind, ...fields });
}
