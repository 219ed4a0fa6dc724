import { TYPE } from '../../wire/iana.ts';
import type { Milliseconds, Monotonic, Seconds } from '../../wire/quantity.ts';
import type { Answer } from '../answer/answer.ts';
import type { AnswerStore } from '../answer/answer-store.ts';
import { clean } from '../answer/clean.ts';
import { Entry } from '../answer/entry.ts';
import { Key, withType } from '../answer/key.ts';
import { Landing } from '../answer/landing.ts';
import type { InForce } from '../in-force.ts';
import type { Departures } from '../ledger/departures.ts';
import type { BugObserver, Clock, Forwarder, Outcome, UpstreamQuestion } from '../ports.ts';
import { Existence, isDenial } from './existence.ts';
import { Flight, keeper, type Renewal, type Tower, type Waiter } from './flight.ts';
import { FlightTable } from './flight-table.ts';
import { lifeOfAnswer, lifeOfFailure, whyFailed } from './keeping.ts';
import { RenewedEntries } from './renewed-entries.ts';
import { UnkeptAnswers } from './unkept.ts';

/** Milliseconds that a renewal may be late. */
const RENEWAL_GRACE: Milliseconds = 10_000;
/** And where asking failed: nobody's question may go out in its place. */
const FAILURE_GRACE: Milliseconds = 70_000;
/** Milliseconds behind the life of a failure in which a name that fails again is not asked twice for it. */
const FAILURE_MEMORY: Milliseconds = 60_000;
/** Milliseconds from a question's start within which another may be asked for the end of its chain. */
const MAX_FOLLOWING: Milliseconds = 4_000;

/**
 * Questions on their way upstream. Identical ones become one (RFC 9520 §3.1 asks for it too); its end is put in the store
 * and told to all who wait.
 */
export class Flights implements Tower {
  /** For who asks why. */
  readonly unkept = new UnkeptAnswers();
  readonly #forwarder: Forwarder;
  readonly #store: AnswerStore;
  readonly #clock: Clock;
  readonly #observer: BugObserver;
  readonly #flights: FlightTable;
  readonly #renewed = new RenewedEntries();
  readonly #existence: Existence;
  /** The key that `key` made last; what `lookup` found; what has just ended, and its key. */
  readonly #wanted: Key;
  readonly #found = new Entry();
  readonly #landing = new Landing();
  readonly #landed: Key;
  /** Of the other address of a name. */
  readonly #beside: Key;
  #maxTtl: Seconds = 86_400;
  #serveStale: Seconds = 3600;
  #groupOf: InForce['groupOf'] = () => 0;

  constructor(forwarder: Forwarder, store: AnswerStore, clock: Clock, observer: BugObserver) {
    this.#wanted = new Key(store.hashOf);
    this.#landed = new Key(store.hashOf);
    this.#beside = new Key(store.hashOf);
    this.#flights = new FlightTable(() => new Flight(this, new Key(store.hashOf)));
    this.#forwarder = forwarder;
    this.#store = store;
    this.#clock = clock;
    this.#observer = observer;
    this.#existence = new Existence({
      lookup: (key) => this.lookup(this.#landed.read(key)),
      soften: (key) => this.#soften(this.#landed.read(key)),
      isFresh: (entry) => this.isFresh(entry, this.#clock.monotonic()),
    });
  }

  /** Takes how long answers are kept, and which group is asked for the end of a chain. */
  configure({ cache, groupOf }: Pick<InForce, 'cache' | 'groupOf'>): void {
    this.#maxTtl = cache.maxTtl;
    this.#serveStale = cache.serveStale;
    this.#groupOf = groupOf;
  }

  get renewing(): boolean {
    return this.#renewed.size > 0;
  }

  /** The key of a question, until the next is made: see `Key.set`. */
  key(
    name: Uint8Array,
    nameLength: number,
    type: number,
    group: number,
    checkingDisabled: boolean,
    identity: number,
  ): Key {
    return this.#wanted.set(name, nameLength, type, group, checkingDisabled, identity);
  }

  /** A copy of a key that nobody else writes. */
  copyOf(key: Key): Key {
    return new Key(this.#store.hashOf).take(key);
  }

  /** What is kept, until the next `lookup` or the end of a question; null for nothing. */
  lookup(key: Key): Entry | null {
    const renewed = this.#renewed.find(key);
    if (renewed !== null) return renewed;
    return this.#store.find(key, this.#found) ? this.#found : null;
  }

  isRenewed(key: Key): boolean {
    return this.#renewed.find(key) !== null;
  }

  /** A renewed answer is given until the next has come, which is due by then. */
  isFresh(entry: Entry, now: Monotonic): boolean {
    const grace = entry.renewed && !entry.isFailed ? RENEWAL_GRACE : 0;
    return entry.hasAnswer && now < entry.freshUntil + grace;
  }

  /** Nobody is asked again yet. */
  isFailing(entry: Entry, now: Monotonic): boolean {
    return entry.isFailed && now < entry.failedUntil + (entry.renewed ? FAILURE_GRACE : 0);
  }

  /** Whether an entry's answer may be given although it is no longer fresh (RFC 8767). */
  mayServeStale(entry: Entry, now: Monotonic): boolean {
    const longer = entry.hasRecord ? this.#serveStale * 1000 : 0;
    return entry.hasAnswer && now < entry.freshUntil + longer;
  }

  /** A question under way that has been silent for so long that stale data is better. */
  isSlow(key: Key): boolean {
    return this.#flights.find(key)?.isSlow ?? false;
  }

  isUnderWay(key: Key): boolean {
    return this.#flights.find(key) !== null;
  }

  /** Whether asking for what is renewed under a key, as text, failed last. */
  isFailingText(key: string): boolean {
    return this.#renewed.under(key)?.isFailed ?? false;
  }

  /**
   * Asks the group with that index what the key names, or joins the same question under way. `waiter.settle` is called once, later. What comes lives `leastLife` seconds
   * at least.
   */
  join(key: Key, group: number, leastLife: Seconds, waiter: Waiter): void {
    const flight = this.#flights.find(key) ?? this.#start(key, group, 'no');
    flight.leastLife = Math.max(flight.leastLife, leastLife);
    flight.join(waiter);
  }

  /**
   * Begins a question that was charged: it leaves when `departures` says so, and others may join it until then. With `kept`
   * what comes is kept as renewed, and told to `kept`.
   */
  depart(
    key: Key,
    group: number,
    leastLife: Seconds,
    waiter: Waiter,
    departures: Departures,
    order: number,
    kept: ((until: Monotonic) => void) | null,
  ): void {
    const flight = this.#flights.take();
    flight.begin(key, group, kept === null ? 'no' : 'paid', this.#clock.monotonic());
    flight.leastLife = leastLife;
    flight.join(waiter);
    if (kept !== null) flight.join(keeper(kept));
    this.#flights.add(flight);
    departures.leave(order, () => {
      try {
        this.#forwarder.ask(flight.question, flight, 0);
      } catch (error) {
        this.#observer.bug(error);
        flight.done({ kind: 'failure', reason: 'network' });
      }
    });
  }

  /** Asks for our own sake and keeps what comes; `text` is its key's; `then` is told until when (monotonic milliseconds) it lives. */
  renew(
    text: string,
    { group }: UpstreamQuestion,
    why: 'schedule' | 'paid',
    then: (until: Monotonic) => void,
  ): void {
    const key = this.#landed.read(text);
    const flight = this.#flights.find(key) ?? this.#start(key, group, why);
    if (flight.renewal !== 'schedule') flight.renewal = why;
    flight.join(keeper(then));
  }

  /** Lets go of what was renewed under a key, as text. */
  letGo(key: string): void {
    if (this.#renewed.has(key)) this.#renewed.drop(this.#landed.read(key));
  }

  #start(key: Key, group: number, renewal: Renewal): Flight {
    const flight = this.#flights.take();
    flight.begin(key, group, renewal, this.#clock.monotonic());
    this.#forwarder.ask(flight.question, flight, 0);
    // Only now: where asking throws, nobody may join.
    this.#flights.add(flight);
    return flight;
  }

  /** It is called from within sockets: an exception there would end the process, and an upstream's octets led to it. */
  clean(message: Buffer, { name, type }: UpstreamQuestion, verified: boolean): Answer | null {
    try {
      return clean(message, name, type, verified);
    } catch (error) {
      this.#observer.bug(error);
      return null;
    }
  }

  ask(flight: Flight, name: Uint8Array): boolean {
    if (this.#clock.monotonic() - flight.startedAt >= MAX_FOLLOWING) return false;
    try {
      const group = this.#groupOf(name, name.length);
      this.#forwarder.ask({ ...flight.question, name, group }, flight, 0);
      return true;
    } catch (error) {
      this.#observer.bug(error);
      return false;
    }
  }

  late(flight: Flight): void {
    const { key } = flight;
    const entry = this.lookup(key);
    if (entry === null || flight.renewal !== 'no' || !this.mayServeStale(entry, this.#clock.monotonic()))
      return;
    this.#landing.take(entry);
    flight.settle(key, this.#landing, true);
  }

  failedLately({ key }: Flight): boolean {
    const entry = this.lookup(key);
    return entry?.isFailed === true && this.#clock.monotonic() < entry.failedUntil + FAILURE_MEMORY;
  }

  land(flight: Flight, answer: Answer | null, outcome: Outcome): void {
    if (answer !== null && isDenial(answer) && this.#hold(flight, answer, outcome)) return;
    this.#flights.remove(flight);
    const now = this.#clock.monotonic();
    const { key } = flight;
    const isRenewed = flight.renewal === 'no' && this.#renewed.find(key)?.renewed === true;
    const renewal: Renewal = isRenewed ? 'schedule' : flight.renewal;
    const entry = this.#landing;
    const judged = answer === null ? null : this.#judge(key, answer);
    if (judged === null) this.#fail(this.lookup(key), outcome, renewal, now);
    else this.#succeed(judged, renewal, flight.leastLife, now);
    if (renewal !== 'no') this.#renewed.keep(key, entry);
    else if (entry.isFailed || entry.freshUntil > now) this.#store.put(key, entry);
    // What may not be kept ends what was: an older answer, or a row of failures.
    else {
      this.#store.drop(key);
      this.unkept.remember(key.text, entry);
    }
    const stale = entry.isFailed && this.mayServeStale(entry, now);
    flight.settle(key, entry, stale);
    const { after } = flight;
    this.#flights.free(flight);
    if (after !== null) for (const then of after) then();
  }

  #judge(key: Key, answer: Answer): Answer {
    return this.#existence.concerns(answer)
      ? this.#existence.judge(key.text, key.nameLength, answer)
      : answer;
  }

  #soften(key: Key): void {
    const entry = this.lookup(key);
    if (entry === null) return;
    this.#landing.take(entry);
    this.#landing.soften();
    if (this.isRenewed(key)) this.#renewed.keep(key, this.#landing);
    else this.#store.put(key, this.#landing);
  }

  /** A denial waits for the other address of the same name, where that is on its way: see `Existence`. */
  #hold(flight: Flight, answer: Answer, outcome: Outcome): boolean {
    if (flight.held) return false;
    const { name, type } = flight.question;
    for (const other of [TYPE.A, TYPE.AAAA]) {
      if (type === other) continue;
      const key = this.#beside.read(withType(flight.key.text, name.length, other));
      const beside = this.#flights.find(key);
      if (beside === null || beside.held) continue;
      flight.held = true;
      beside.after ??= [];
      beside.after.push(() => this.land(flight, answer, outcome));
      return true;
    }
    return false;
  }

  #succeed(answer: Answer, renewal: Renewal, leastLife: Seconds, now: Monotonic): void {
    const life = lifeOfAnswer(answer, renewal, leastLife, this.#maxTtl);
    this.#landing.takeAnswer(answer, now, now + life * 1000, renewal !== 'no');
  }

  #fail(old: Entry | null, outcome: Outcome, renewal: Renewal, now: Monotonic): void {
    const life = lifeOfFailure(old?.failures ?? 0, renewal);
    const keep = old !== null && this.mayServeStale(old, now);
    this.#landing.takeFailure(old, keep, whyFailed(outcome), now + life * 1000, renewal !== 'no', now);
  }
}
