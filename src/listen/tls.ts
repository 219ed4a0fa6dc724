import type { TlsMaterial } from './handshakes.ts';
import type { Listener } from './listener.ts';
import { StreamListener } from './stream-listener.ts';
import type { StreamOptions } from './tcp.ts';

export interface TlsOptions extends StreamOptions {
  readonly material: TlsMaterial;
  /** Seconds since 1970, for what certificates say. */
  readonly epoch?: () => number;
}

export interface TlsListener extends Listener {
  /**
   * What is shown and whom is trusted from now on. Open connections are judged again before their next question or answer;
   * those that are refused are reset, the others stay. Throws where the certificate and its key are none: then nothing
   * has changed.
   */
  update(material: TlsMaterial): void;
}

/** DNS over TLS (RFC 7858). Throws where the certificate and its key are none. */
export function tls(options: TlsOptions): TlsListener {
  return new StreamListener(options, options.material);
}
