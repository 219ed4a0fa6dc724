import type { ListenCounters } from './listener.ts';

/** Milliseconds, octets and counts that bound one connection. */
export interface StreamLimits {
  /** Silence with nothing in flight, after which the connection ends (RFC 7766 §6.2.3). */
  readonly idleMs: number;
  /** From a message's first octet to its last. */
  readonly messageMs: number;
  /** Without a write coming to its end while some wait: the client does not read. */
  readonly stallMs: number;
  /** Questions whose answers are not there yet; at this many, reading stops. */
  readonly inFlight: number;
  /** Octets of answers that wait for the client; at this many, reading stops. */
  readonly unsent: number;
  /** Octets of answers that wait for the client; past this the connection is reset. */
  readonly unsentMax: number;
}

export interface StreamCounters extends ListenCounters {
  accepted: number;
  /** Closed at once: the client's cap, the total cap. */
  refusedClient: number;
  refusedTotal: number;
  /** Closed to make room at the total cap. */
  evicted: number;
  idle: number;
  slow: number;
  stalled: number;
  /** A frame of no octets, or of fewer than a header. */
  malformed: number;
  /** Ended by an error of the socket, a reset mostly. */
  reset: number;
}

/** How long a connection may be silent. The value of the edns-tcp-keepalive option, there in units of 100 ms (RFC 7828 §3.1). */
export const TCP_IDLE_MS = 10_000;

export const STREAM_LIMITS: StreamLimits = {
  idleMs: TCP_IDLE_MS,
  messageMs: 5_000,
  stallMs: 10_000,
  inFlight: 128,
  unsent: 64 * 1024,
  unsentMax: 1024 * 1024,
};
