import type { Prefix } from '../policy/input.ts';
import type { Listener, ListenOptions } from './listener.ts';
import type { StreamLimits } from './stream-limits.ts';
import { StreamListener } from './stream-listener.ts';

export { TCP_IDLE_MS } from './stream-limits.ts';

export interface StreamOptions extends ListenOptions {
  /** Connections in total, 1000 unless said; at least 1. */
  readonly clients?: number;
  /** Connections of one client: an IPv4 address or an IPv6 /64. An eighth of the total unless said; at least 1. */
  readonly perClient?: number;
  readonly limits?: Partial<StreamLimits>;
  /** From these addresses a PROXY v2 header is required, and says who the client is; from others it is garbage. */
  readonly proxyFrom?: readonly Prefix[];
}

export type TcpOptions = StreamOptions;

/** DNS over TCP (RFC 7766). */
export function tcp(options: TcpOptions): Listener {
  return new StreamListener(options, null);
}
