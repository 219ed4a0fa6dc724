/**
 * The outbox: from a decision to those who are told of it. Nothing is lost between the query that was decided and the
 * receiver that acknowledges it, and no query waits.
 *
 *     query thread              state/feed.ring               worker thread
 *     feed-writer.ts ─────────► slots of 512 octets, ───────► worker.ts: reads, names, folds ──► state/feed.db ──► sinks
 *     numbers, one copied name  a mapped file                 findings' life
 *
 * The query thread puts values into the ring, and what the ring cannot take is counted by identity. All else happens in one
 * worker thread, the only one that writes the database. This room may know the story, the policy and the wire; it knows
 * nothing of the log, of sockets to clients, or of config.
 *
 * This file says what an event is, as it is kept and as format `json` sends it: flat and in snake_case. A key without a
 * value is absent, never null.
 */

import { ALERT_SEVERITIES, type AlertSeverity } from '../settings/alert-settings.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';

/** Kinds in the order in which numbers may be kept elsewhere: a new one is added at the end. */
export const KINDS = [
  'deny',
  'empty',
  'contain',
  'would_deny',
  'would_contain',
  'allow',
  'finding',
  'heartbeat',
  'dropped',
] as const;

export type Kind = (typeof KINDS)[number];

/** Kinds that are one question each. They fold, and have a quota of their own; the others are never dropped for them. */
export const DECISIONS: ReadonlySet<Kind> = new Set([
  'deny',
  'empty',
  'contain',
  'would_deny',
  'would_contain',
  'allow',
]);

/** Those that a sink may ask for, the least first. */
export const SEVERITIES = ALERT_SEVERITIES;

export type Severity = AlertSeverity;

export interface FeedEvent {
  /** A ULID: whoever receives an event twice knows it by this. */
  readonly id: string;
  /** From 1, without gaps within its server and kind, given when the event is committed. */
  readonly seq: number;
  readonly kind: Kind;
  /** The server's name: `server.name`, else the host's. */
  readonly server: string;
  /** Of the decision, or of the first where it stands for several: RFC 3339 with milliseconds, in UTC. */
  readonly time: string;
  /** Of namegate. */
  readonly version: string;

  readonly identity?: string;
  readonly owner?: string;
  readonly stage?: string;
  readonly lease?: string;
  readonly job?: Readonly<Record<string, string>>;
  /** The client's address as text, without a port; absent where an event stands for several clients. */
  readonly client?: string;
  readonly client_port?: number;
  readonly transport?: string;
  /** False where the source address may be forged: nobody is to be blamed for it. */
  readonly proven?: boolean;
  readonly certificate?: { readonly san?: string; readonly fingerprint?: string };

  /** What was asked, in presentation form: an octet that is no printable ASCII, or that has a meaning there, is `\DDD`. */
  readonly name?: string;
  /** The wire octets in hexadecimal, only where `name` alone would not give them back. */
  readonly wire_name?: string;
  /** Mnemonic, or `TYPE65280`. */
  readonly type?: string;
  readonly verdict?: string;
  readonly ground?: string;
  /** With ground `other_stage` the stage that approves it; absent where that is the identity's own list. */
  readonly approved_stage?: string;
  readonly rcode?: string;
  /** `FILE:LINE` of the rule that decided. */
  readonly rule?: string;
  /** Hash of the rules in force for the asker, 16 hexadecimal digits; in a heartbeat of the whole policy. */
  readonly policy?: string;
  /** The addresses that an allowed question was given, eight at most; of a finding those that it is about. */
  readonly addresses?: readonly string[];
  /** Of packets to an address: the protocol's name or number, and the port that they were for. */
  readonly protocol?: string;
  readonly port?: number;
  /** The name that the address was granted with last, to anybody. */
  readonly granted_name?: string;

  /** Questions that this event stands for. All events of a kind, and all `lost`, sum up to what was decided. */
  readonly count?: number;
  /** Questions since the entry opened that this event belongs to, this event's among them. */
  readonly total?: number;
  /** Times of the first and the last question that `count` counts. */
  readonly first?: string;
  readonly last?: string;
  /** Different names that were asked, at least. */
  readonly distinct_names?: number;
  /** `repeats`: of one question. `domain`: of all names under the registered domain in `name`, or of all where there is none. */
  readonly folded?: 'repeats' | 'domain';

  readonly severity?: Severity;
  /** An operator said beforehand that this is to be expected. */
  readonly expected?: true;
  /** The finding's own name, such as `private-address`. */
  readonly finding?: string;
  /** One finding from its `create` to its `close`: the same for the same finding, identity, key and window. */
  readonly uid?: string;
  readonly activity?: 'create' | 'update' | 'close';
  /** What the finding is about, beside the identity: a wildcard, a target, an address. */
  readonly key?: string;
  /** The name that an answer led to. */
  readonly target?: string;
  /** The identity that has the client's address, where its certificate is another's. */
  readonly other?: string;
  /** Of a budget: the wildcard's base, and the octets that are charged. */
  readonly wildcard?: string;
  readonly octets?: number;
  /** A sentence for people. */
  readonly text?: string;
  /** Some of the names that led to the finding. */
  readonly names?: readonly string[];
  /** What a person can do next. */
  readonly next?: string;

  /** Of a heartbeat: what was counted since the one before. */
  readonly counts?: Readonly<Record<string, number>>;

  /** Of `dropped`: the kind whose numbers `first_seq` to `last_seq` are lost, `count` in all, */
  readonly of?: Kind;
  readonly first_seq?: number;
  readonly last_seq?: number;
  /** where numbers between those are not lost: the first and the last of each run that is, 64 runs at most, */
  readonly runs?: readonly (readonly [first: number, last: number])[];
  /** by identity, `other` where there are more than can be named, */
  readonly lost?: Readonly<Record<string, number>>;
  /** the sinks that had not had them, absent where that is all of them, */
  readonly sinks?: readonly string[];
  /** whether those may have arrived: they were sent, nobody acknowledged them, and they are no longer kept, */
  readonly in_doubt?: true;
  /** and why: the ring or the quota was full, or the disk could not be written. */
  readonly why?: 'ring' | 'quota' | 'disk';
}

/** An event and its place among all others of its outbox. */
export interface Placed {
  /** Grows with each event of any kind, with gaps. */
  readonly position: number;
  readonly event: FeedEvent;
}

/** Which events a sink takes. */
export interface Selection {
  readonly kinds: ReadonlySet<Kind>;
  /** The least severity of a finding. */
  readonly minSeverity: Severity;
}

/** What sinks ask of the store. Every call is synchronous, and throws what SQLite throws. */
export interface EventSource {
  /**
   * The selected events after a position, the oldest first: at most `limit` of them, and no more than `octets` of JSON but
   * for a first one that is larger. `reached`: the position up to which there is nothing else that is selected.
   */
  page(
    after: number,
    selection: Selection,
    limit: number,
    octets: number,
  ): { readonly events: readonly Placed[]; readonly reached: number };
  /** The position up to which a sink has acknowledged. A sink that is new begins with what comes next. */
  cursor(sink: string): number;
  /** Moves a sink's cursor on. */
  advance(sink: string, position: number): void;
  /**
   * Events up to a position are sent to a sink now, and what it was sent behind that has come back. Whether what came back has
   * arrived, nobody knows: a quota takes other events first, and of these it tells that they are in doubt.
   */
  underWay(sink: string, position: number): void;
  /** Moves a sink's cursor back to before the first event of `since` (milliseconds since 1970) or later; gives the position. */
  replay(sink: string, since: EpochMilliseconds): number;
  /** Keeps an event that a sink's receiver does not take, with what it said. The cursor is moved by `advance`. */
  deadLetter(sink: string, placed: Placed, reason: string): void;
  /** The oldest dead letters of a sink; to be sent again, and then forgotten by their numbers. */
  dead(sink: string, limit: number): readonly DeadLetter[];
  forgetDead(sink: string, numbers: readonly number[]): void;
}

export interface DeadLetter extends Placed {
  readonly number: number;
  readonly reason: string;
  /** When it was kept, in milliseconds since 1970. */
  readonly at: EpochMilliseconds;
}
