import { performance } from 'node:perf_hooks';
import type { ShownCertificate } from '../resolve/client/credential.ts';
import type { Answerer } from '../resolve/ports.ts';
import type { Spoofable } from '../settings/settings.ts';
import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { StrandedClients } from './udp/stranded.ts';

/**
 * One socket that takes queries. What `server.ts` knows of a transport, whichever file serves it: the portable
 * UDP listener, the batched one that will stand beside it, TCP.
 */
export interface Listener {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** Where it listens. The port is the real one once `start` is done, also where 0 was asked for. */
  readonly address: ListenerEndpoint;
  /** What an operator wants to read once it listens: the file that serves it, buffer sizes in octets, caps. */
  readonly details: Readonly<Record<string, string | number>>;
  /** Since `start`. One object for the listener's life; read it, never write it. */
  readonly counters: Readonly<ListenCounters>;
  /** Streams only: those that are open. Their counters are `StreamCounters`. */
  readonly connections?: number;
  /** Resolves when queries are taken. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL, …). */
  start(): Promise<void>;
  /**
   * Takes nothing new at once, waits at most `drainMs` for the answers in flight, then lets go of every socket and
   * timer. Resolves when all is closed; never rejects; a second call waits for the first.
   */
  close(drainMs: Milliseconds): Promise<void>;
  /** Streams only: connections whose last query was under this lease take no more, and end when they have their answers. */
  endLease?(lease: string): void;
}

export interface ListenerEndpoint {
  /** A literal address without brackets, a zone id included. */
  readonly host: string;
  readonly port: number;
}

/** What every listener is made from. A transport adds its own bounds, all with defaults. */
export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly answerer: Answerer;
  /** Told of trouble, at most once a minute for each kind. */
  readonly notice: (notice: ListenNotice) => void;
  /** Milliseconds that never go back. */
  readonly now?: () => Monotonic;
  /** Told who is sent from UDP to TCP, and who comes; one for all listeners. */
  readonly stranded?: StrandedClients;
}

export interface UdpOptions extends ListenOptions {
  /** Octets asked of the kernel for what waits to be read; it may give less. */
  readonly receiveBuffer?: number;
  /** Source addresses may be forged, all or all but those of some prefixes; false unless said. */
  readonly spoofable?: Spoofable;
}

/** How `server.ts` makes a UDP listener: `portableUdp` here, a batched one where the machine can. */
export type UdpFactory = (options: UdpOptions) => Listener;

/** Plain integers. A query is counted once in `received`, and once in `answered` or `dropped` when it is over. */
export interface ListenCounters {
  /** Messages given to the answerer. */
  received: number;
  /** Replies given to the kernel. */
  answered: number;
  /** Messages that got no reply: the answerer said so, or there was no way back. */
  dropped: number;
  /** Replies that the kernel refused (EPERM, ENETUNREACH, EMSGSIZE, …) or that found the send queue full; in `answered` too. */
  sendErrors: number;
  /** Exceptions out of the answerer: bugs. */
  faults: number;
}

/** `count`: how often it happened since the last notice of this kind. */
export type ListenNotice =
  | { readonly kind: 'fault'; readonly error: unknown; readonly count: number }
  | { readonly kind: 'socket'; readonly error: Error; readonly count: number }
  | {
      readonly kind: 'refused';
      /** Which cap was reached: the client's own, or the listener's. */
      readonly cap: 'client' | 'total';
      readonly client: string;
      readonly count: number;
    }
  /** A client's handshake failed; `reason` is OpenSSL's, Node's or the system's code. */
  | {
      readonly kind: 'handshake';
      readonly client: string;
      readonly reason: string;
      readonly count: number;
    }
  /** A client's certificate was refused, or breaks `rule` so that its holder is unknown. */
  | {
      readonly kind: 'certificate';
      readonly refused: boolean;
      readonly client: string;
      readonly rule: string;
      readonly message: string;
      /** Null where none was shown. */
      readonly certificate: ShownCertificate | null;
      readonly count: number;
    }
  /** A balancer's connection was ended: its PROXY header was missing or wrong, which `reason` says. */
  | { readonly kind: 'proxy'; readonly client: string; readonly reason: string; readonly count: number }
  /** At the listener's cap the connections that had been silent longest made room for new ones. */
  | { readonly kind: 'evicted'; readonly cap: 'total'; readonly count: number };

/** DNS's fixed header (RFC 1035 §4.1.1): no message is shorter. */
export const HEADER_OCTETS = 12;

export function monotonic(): Monotonic {
  return performance.now();
}

/** `udp://127.0.0.1:53`, `tcp://[::1]:53`. */
export function listenerUrl(listener: Listener): string {
  const { host, port } = listener.address;
  return `${listener.protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const PACE_MS: Milliseconds = 60_000;

/** Lets few notices of a kind through each minute, so that a flood of trouble is not a flood of log lines. */
export class Pace {
  readonly #most: number;
  #count = 0;
  #told = 0;
  #next: Monotonic = Number.NEGATIVE_INFINITY;

  /** `most`: notices a minute. */
  constructor(most = 1) {
    this.#most = most;
  }

  /** How many happened since the last notice, this one included, when a notice is due; else 0. */
  due(now: Monotonic): number {
    this.#count++;
    if (now >= this.#next) {
      this.#next = now + PACE_MS;
      this.#told = 0;
    }
    if (this.#told >= this.#most) return 0;
    this.#told++;
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}
