import type { Answerer } from '../../resolve/ports.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Proof } from './proofs.ts';
import type { ReplyBatch } from './reply-batch.ts';
import type { StreamBounds, StreamCounters } from './stream-limits.ts';

/** What the connections of one listener share. */
export interface StreamHost<Connection> {
  readonly protocol: 'tcp' | 'tls';
  readonly answerer: Answerer;
  /** What is read comes in small chunks, so that answers wait for the end of the turn of the event loop. */
  readonly gathers: boolean;
  readonly limits: StreamBounds;
  readonly counters: StreamCounters;
  readonly batch: ReplyBatch;
  now(): Monotonic;
  fault(error: unknown): void;
  /** Judges a proof again where that is due; whether it is refused. */
  isDistrusted(connection: Connection, proof: Proof): boolean;
  /** A message came or an answer left: the connection is the last that would be evicted. */
  active(connection: Connection): void;
  /** Once a connection: it is over, whatever the reason. */
  gone(connection: Connection): void;
}
