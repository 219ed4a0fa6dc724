import type { Milliseconds } from '../../wire/quantity.ts';
import type { ListenCounters } from '../listener.ts';

/** Milliseconds, octets and counts that bound one connection. */
export interface StreamBounds {
  /** Silence with nothing in flight, after which the connection ends (RFC 7766 §6.2.3). */
  readonly idleMs: Milliseconds;
  /** From a message's first octet to its last. */
  readonly messageMs: Milliseconds;
  /** Without a write coming to its end while some wait: the client does not read. */
  readonly stallMs: Milliseconds;
  /** From the connection's begin until it may ask: a balancer's header and the handshake. */
  readonly handshakeMs: Milliseconds;
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
  /** Handshakes that ended as they should, and those of them that resumed a session. */
  handshakes: number;
  resumed: number;
  /** Handshakes that failed: no certificate or a bad one, another protocol, garbage, a client that left. */
  failed: number;
  /** Neither header nor handshake came to its end in time. */
  late: number;
  /** A balancer's header was missing or wrong. */
  proxy: number;
  /** Certificates that were refused: in the handshake (`failed` too), after it, and later, when trust changed or ended. */
  distrusted: number;
}

export function newCounters(): StreamCounters {
  return {
    received: 0,
    answered: 0,
    dropped: 0,
    sendErrors: 0,
    faults: 0,
    accepted: 0,
    refusedClient: 0,
    refusedTotal: 0,
    evicted: 0,
    idle: 0,
    slow: 0,
    stalled: 0,
    malformed: 0,
    reset: 0,
    handshakes: 0,
    resumed: 0,
    failed: 0,
    late: 0,
    proxy: 0,
    distrusted: 0,
  };
}

/** How long a connection may be silent. The value of the edns-tcp-keepalive option, there in units of 100 ms (RFC 7828 §3.1). */
export const TCP_IDLE_MS: Milliseconds = 10_000;

export const STREAM_LIMITS: StreamBounds = {
  idleMs: TCP_IDLE_MS,
  messageMs: 5_000,
  stallMs: 10_000,
  handshakeMs: 5_000,
  inFlight: 128,
  unsent: 64 * 1024,
  unsentMax: 1024 * 1024,
};
