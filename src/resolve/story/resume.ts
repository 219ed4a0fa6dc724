import type { Entry } from '../answer/entry.ts';
import type { Key } from '../answer/key.ts';
import type { Underway } from '../client/standing.ts';
import type { Waiter } from '../flights/flight.ts';
import type { Client, ReplyLater } from '../ports.ts';
import { type Fetched, LAST_ROUND, type Round, type Turn } from './turn.ts';

/** What goes on with a query whose answer has come. Must not throw. */
export type Resume = (pending: Pending) => void;

/** The queries that are put by. */
export class Resumption {
  /** How many wait for an upstream. */
  waiting = 0;
  readonly #resume: Resume;

  constructor(resume: Resume) {
    this.#resume = resume;
  }

  /** Puts the query in hand by. It counts as waiting once `join` has returned, for where that throws nobody waits. */
  putBy(turn: Turn, join: (pending: Pending) => void): void {
    const pending = new Pending(turn, this.#settled);
    join(pending);
    this.waiting++;
    pending.underway.inFlight++;
  }

  readonly #settled: Resume = (pending) => {
    this.waiting--;
    pending.underway.inFlight--;
    this.#resume(pending);
  };
}

/** A query that waits: its octets, its client, and the way back. It stands in for the client when its story goes on. */
export class Pending implements Client, Waiter {
  readonly query: Buffer;
  readonly transport: Client['transport'];
  readonly spoofable: boolean;
  readonly family: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly underway: Underway;
  lease = '';
  /** The round that its story goes on with. */
  readonly round: Round;
  readonly #later: ReplyLater;
  /** The connection, whose certificate may have been judged again while this waited. */
  readonly #stream: Client | null;
  readonly #settled: Resume;
  #key: Key | null = null;
  #entry: Entry | null = null;
  #stale = false;

  constructor(turn: Turn, settled: Resume) {
    const { client, standing } = turn.asker;
    const { message, length } = turn.query;
    const { round } = turn.fetched;
    this.query = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) this.query[i] = message[i]!;
    this.transport = client.transport;
    this.spoofable = client.spoofable;
    this.#stream = client.transport === 'udp' ? null : client instanceof Pending ? client.#stream : client;
    this.family = client.family;
    this.w0 = client.w0;
    this.w1 = client.w1;
    this.w2 = client.w2;
    this.w3 = client.w3;
    this.underway = standing.underway;
    this.round = round < LAST_ROUND ? ((round + 1) as Round) : LAST_ROUND;
    this.#settled = settled;
    this.#later = client.defer();
  }

  get credential(): Client['credential'] {
    return this.#stream === null ? null : this.#stream.credential;
  }

  /** What needs to know is never put by. */
  asked(): boolean {
    return false;
  }

  defer(): ReplyLater {
    return this.#later;
  }

  settle(key: Key, entry: Entry, stale: boolean): void {
    this.#key = key;
    this.#entry = entry;
    this.#stale = stale;
    this.#settled(this);
  }

  /** Says what it has waited for. */
  tell(fetched: Fetched): void {
    fetched.round = this.round;
    fetched.key = this.#key;
    fetched.entry = this.#entry;
    fetched.stale = this.#stale;
  }
}
