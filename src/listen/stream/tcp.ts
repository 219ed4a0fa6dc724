import type { Listener } from '../listener.ts';
import { StreamListener } from './stream-listener.ts';
import type { StreamOptions } from './stream-options.ts';

export { TCP_IDLE_MS } from './stream-limits.ts';
export type TcpOptions = StreamOptions;

/** DNS over TCP (RFC 7766). */
export function tcp(options: TcpOptions): Listener {
  return new StreamListener(options, null);
}
