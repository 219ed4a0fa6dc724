import { StreamListener } from './stream-listener.ts';
import type { TlsListener, TlsOptions } from './stream-options.ts';

export type { TlsListener, TlsOptions } from './stream-options.ts';

/** DNS over TLS (RFC 7858). Throws where the certificate and its key are none. */
export function tls(options: TlsOptions): TlsListener {
  return new StreamListener(options, options.material);
}
