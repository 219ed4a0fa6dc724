import type { ChainCheck } from '../../socket/chain-check.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import type { Listener, ListenOptions } from '../listener.ts';
import type { TlsMaterial } from './handshakes.ts';
import type { StreamBounds } from './stream-limits.ts';

/** What a listener of a stream is made from. */
export interface StreamOptions extends ListenOptions {
  /** Connections in total, 1000 unless said; at least 1. */
  readonly clients?: number;
  /** Connections of one client: an IPv4 address or an IPv6 /64. An eighth of the total unless said; at least 1. */
  readonly perClient?: number;
  readonly limits?: Partial<StreamBounds>;
  /** From these addresses a PROXY v2 header is required, and says who the client is; from others it is garbage. */
  readonly proxyFrom?: readonly Prefix[];
}

export interface TlsOptions extends StreamOptions {
  readonly material: TlsMaterial;
  /** What refuses chains within the handshake; `chainCheck()` unless said, null for none. */
  readonly check?: ChainCheck | null;
  /** Seconds since 1970, for what certificates say. */
  readonly epoch?: () => EpochSeconds;
}

export interface TlsListener extends Listener {
  /**
   * What is shown and whom is trusted from now on. Open connections are judged again before their next question or answer;
   * those that are refused are reset, the others stay. Throws where the certificate and its key are none: then nothing
   * has changed.
   */
  update(material: TlsMaterial): void;
}
