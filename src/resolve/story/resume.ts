import { HeldAddress } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Entry } from '../answer/entry.ts';
import type { Key } from '../answer/key.ts';
import type { Underway } from '../client/standing.ts';
import type { Waiter } from '../flights/flight.ts';
import type { Client, ReplyLater } from '../ports.ts';
import type { Held } from './held.ts';
import { type Fetched, LAST_ROUND, type Round, type Turn } from './turn.ts';

/** Octets of a query that a record has room for; a longer one has octets of its own. */
const ROOM = 512;
/** Records that are kept for queries to come. */
const MOST_FREE = 1024;

/** What goes on with a query whose answer has come. Must not throw. */
export type Resume = (pending: Pending) => void;

/** The queries that are put by. */
export class Resumption {
  /** How many wait for an upstream. */
  waiting = 0;
  readonly #resume: Resume;
  /** Records that nobody has any more. */
  readonly #free: Pending[] = [];

  constructor(resume: Resume) {
    this.#resume = resume;
  }

  /** The record of the query in hand, which is to join a flight: it waits once `wait` is called. */
  take(turn: Turn): Pending {
    const pending = this.#free.pop() ?? new Pending(this.#settled);
    pending.take(turn, turn.asker.standing.underway);
    return pending;
  }

  /** It has joined: where that throws, nobody waits. */
  wait(pending: Pending): void {
    this.waiting++;
    pending.wait();
  }

  readonly #settled: Resume = (pending) => {
    this.waiting--;
    pending.leave();
    this.#resume(pending);
    // Its story is over, or goes on with another record.
    pending.clear();
    if (this.#free.length < MOST_FREE) this.#free.push(pending);
  };
}

/**
 * A query that waits: its octets, its client, and the way back. It stands in for the client when its story goes on. One
 * record serves one query after another, so that a wait leaves nothing for the collector: nobody keeps it beyond the wait.
 */
export class Pending extends HeldAddress implements Client, Waiter {
  /** The query, in the first `length` octets. */
  query: Buffer;
  length = 0;
  transport: Client['transport'] = 'udp';
  spoofable = false;
  port = 0;
  lease = '';
  /** The round that its story goes on with. */
  round: Round = 0;
  next: Waiter | null = null;
  /** When it came, of the monotonic clock. */
  since: Monotonic = Number.NaN;
  readonly #room: Buffer = Buffer.allocUnsafe(ROOM);
  /** Null while it is no query's. */
  #underway: Underway | null = null;
  #later: ReplyLater | null = null;
  /** The connection, whose certificate may have been judged again while this waited. */
  #stream: Client | null = null;
  readonly #settled: Resume;
  #key: Key | null = null;
  #entry: Entry | null = null;
  #stale = false;
  #held: Held | null = null;
  #wasAsked = true;
  #isRefused = false;
  #isOverspent = false;

  constructor(settled: Resume) {
    super();
    this.#settled = settled;
    this.query = this.#room;
  }

  /** Becomes the record of the query in hand, which `underway` will count. */
  take(turn: Turn, underway: Underway): void {
    const { client } = turn.asker;
    const { message, length } = turn.query;
    const { round, since, isOverspent } = turn.fetched;
    this.length = length;
    this.query = length <= ROOM ? this.#room : Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) this.query[i] = message[i]!;
    this.transport = client.transport;
    this.spoofable = client.spoofable;
    this.#stream = client.transport === 'udp' ? null : client instanceof Pending ? client.#stream : client;
    this.takeAddress(client);
    this.port = client.port;
    this.lease = '';
    this.#underway = underway;
    this.round = round < LAST_ROUND ? ((round + 1) as Round) : LAST_ROUND;
    this.since = round === 0 ? turn.now : since;
    this.#isOverspent = isOverspent || turn.departure.isOverspent;
    this.#later = client.defer();
  }

  /** It waits from now on. */
  wait(): void {
    this.#underway!.inFlight++;
  }

  /** It waits no more. */
  leave(): void {
    this.#underway!.inFlight--;
  }

  /** Lets go of all that belongs to the query. */
  clear(): void {
    this.query = this.#room;
    this.length = 0;
    this.#underway = null;
    this.#later = null;
    this.#stream = null;
    this.#key = null;
    this.#entry = null;
    this.#held = null;
    this.#wasAsked = true;
    this.#isRefused = false;
  }

  get credential(): Client['credential'] {
    return this.#stream === null ? null : this.#stream.credential;
  }

  /** What needs to know is never put by. */
  asked(): boolean {
    return false;
  }

  defer(): ReplyLater {
    return this.#later!;
  }

  settle(key: Key, entry: Entry, stale: boolean): void {
    this.#key = key;
    this.#entry = entry;
    this.#stale = stale;
    this.#settled(this);
  }

  /** Keeps the answer that will be given when its grants are in the firewall: as it is, for another might hold others. */
  keep(key: Key, entry: Entry, held: Held, wasAsked: boolean): void {
    this.#key = key;
    this.#entry = entry;
    this.#stale = false;
    this.#held = held;
    this.#wasAsked = wasAsked;
  }

  /** Its grants are in the firewall, or did not come there. */
  granted(good: boolean): void {
    this.#isRefused = !good;
    this.#settled(this);
  }

  /** Says what it has waited for. */
  tell(fetched: Fetched): void {
    fetched.round = this.round;
    fetched.since = this.since;
    fetched.key = this.#key;
    fetched.entry = this.#entry;
    fetched.stale = this.#stale;
    fetched.held = this.#held;
    fetched.wasAsked = this.#wasAsked;
    fetched.isRefused = this.#isRefused;
    fetched.isOverspent = this.#isOverspent;
  }
}
