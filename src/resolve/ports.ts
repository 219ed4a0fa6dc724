/** What the story asks of other rooms. Rank 4 implements these, `server.ts` plugs them in. */

import type { Filling } from '../wire/filling.ts';
import type { AddressWords, IpAddress } from '../wire/ip-address.ts';
import type { EpochSeconds, Monotonic } from '../wire/quantity.ts';
import type { Credential } from './client/credential.ts';

/** A reply of no octets: the query is dropped. */
export const DROPPED = 0;
/** The reply comes later, through what `Client.defer()` gave. */
export const LATER = -1;

/**
 * Who sent a query, as the transport saw it. A listener may reuse one object for every datagram: what is kept of it
 * beyond the call to `answer` is copied. On a stream it is the connection itself, whose `credential` may change.
 */
export interface Client extends IpAddress {
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** The source address may be forged, unless the query shows a server cookie (RFC 7873). Always false on a stream. */
  readonly spoofable: boolean;
  /** What the client's certificate proves; null where it has shown none. */
  readonly credential: Credential | null;
  /** The last lease under which a query was answered, or empty. Written by the answerer, for streams that end with it. */
  lease: string;
  /** The source port; 0 where a balancer does not say it. */
  readonly port: number;
  /** Writes the address of ours that the query came to; false where the socket cannot tell. For the few who need it. */
  asked(out: AddressWords): boolean;
  /** Keeps the way back for an answer that comes later. Called at most once a query. */
  defer(): ReplyLater;
}

/** The way back to one client for one query. Exactly one of the two is called, once; both are safe after the client went away. */
export interface ReplyLater {
  /** `reply` holds `length` octets and belongs to the caller again when this returns. */
  send(reply: Buffer, length: number): void;
  drop(): void;
}

/** What listeners call. Never throws; the reply is written into `reply`, which holds at least 65,535 octets for TCP and 4,096 for UDP. */
export interface Answerer {
  /** Returns the reply's length in octets, DROPPED or LATER. */
  answer(query: Buffer, length: number, client: Client, reply: Buffer): number;
  /** The queries that follow, up to `endBatch`, have come together: the clock is read once for them. */
  beginBatch?(): void;
  endBatch?(): void;
  /** How the reply that `answer` has just written can be made longer; one object for all. */
  readonly filling?: Readonly<Filling>;
}

/** Time as the story sees it. */
export interface Clock {
  /** Milliseconds that never go back. */
  monotonic(): Monotonic;
  /** Seconds since 1970, as the machine's clock says. */
  epoch(): EpochSeconds;
  /** Both stay as they are now until `release`: what follows belongs together and does not wait for anything. */
  hold?(): void;
  release?(): void;
}

/** One question for an upstream group: RD=1, DO=1, class IN. */
export interface UpstreamQuestion {
  /** Index into Settings.upstreams. */
  readonly group: number;
  /** Wire name in lower case, root octet included. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly checkingDisabled: boolean;
}

/** How asking upstream ended. */
export type Outcome =
  /** The reply that was accepted last. */
  | { readonly kind: 'reply' }
  | {
      readonly kind: 'failure';
      /** `silent`: nobody answered in time (EDE 22). `network`: sockets failed (EDE 23). `refused`: every server said no or broke the protocol (EDE 22). */
      readonly reason: 'silent' | 'network' | 'refused';
      /** What the server did whose fault says most; absent where none was asked. */
      readonly cause?: UpstreamCause;
    };

/** What one server did with a question that failed. */
export interface UpstreamCause {
  /** As the server file writes it. */
  readonly server: string;
  /** Such as `no reply`, `SERVFAIL, EDE 6 (signature expired)`, `truncated over UDP, and TCP failed: ECONNREFUSED`. */
  readonly detail: string;
  /** The INFO-CODE that came with its RCODE (RFC 8914), or -1. */
  readonly ede: number;
}

/** `poor`: usable only where no other server has more, such as a CNAME without what it leads to. */
export type Acceptance = 'good' | 'poor' | 'bad';

export interface Forwarder {
  /**
   * Asks. `listener.done` is called exactly once, never before `ask` returns, within 4 s. `listener.slow` is
   * called at most once, when 1.8 s have passed without an answer (RFC 8767 §5). What `question` holds is the caller's again
   * when this returns. `ticket` is the listener's own number for the question, and it is told with each call.
   */
  ask(question: UpstreamQuestion, listener: ForwardListener, ticket: number): void;
}

export interface ForwardListener {
  /**
   * Takes a whole response to this very question: ID, question and RCODE (NOERROR or NXDOMAIN) checked, TC clear. It is good
   * during the call. `verified`: the server proved who it is (DoT with a checked name), so that its AD bit means something.
   * `bad`: the reply's content is unusable. `poor` and `bad`: the next server is wanted. Before `done` tells of a reply, its
   * acceptance was the last one that was asked for.
   */
  accept(message: Buffer, verified: boolean, ticket: number): Acceptance;
  slow(ticket: number): void;
  /** Whether asking this failed not long ago. If it did not, a server without others whose SERVFAIL or REFUSED ends it is asked once more. */
  failedLately(ticket: number): boolean;
  done(outcome: Outcome, ticket: number): void;
}

/** How many queries a client may send; `listen/` keeps the arithmetic. `now` is monotonic milliseconds. */
export interface Limits {
  /** Whether the identity with this index may have one more. */
  identity(index: number, now: Monotonic): boolean;
  /** For a UDP client that no identity claims: ANSWER_IT, TRUNCATE_IT or DROP_IT. */
  unknown(client: Client, now: Monotonic): 0 | 1 | 2;
}

export const ANSWER_IT = 0;
export const TRUNCATE_IT = 1;
export const DROP_IT = 2;

/** Who hears of bugs. */
export interface BugObserver {
  /** A bug: a query got SERVFAIL, or an upstream's reply could not be used. */
  bug(error: unknown): void;
}

/** Why an answer was withheld, or that an audit let one through. */
export type AnswerFinding = 'private-address' | 'unapproved-target' | 'would_deny';

/** Of a client's certificate: shown from another's address; its names are nobody's, or those of two identities. */
export type CertificateFinding = 'identity-disagreement' | 'certificate-of-nobody' | 'certificate-of-two';
