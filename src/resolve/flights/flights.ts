import type { Answer, AnswerStore, Entry } from '../answer/answer.ts';
import { clean } from '../answer/clean.ts';
import type {
  Acceptance,
  Clock,
  Forwarder,
  ForwardListener,
  Observer,
  Outcome,
  UpstreamQuestion,
} from '../ports.ts';

/** Milliseconds that a renewal may be late. */
const RENEWAL_GRACE = 10_000;

/** Who waits for a question's end. */
export interface Waiter {
  /** `entry` is what there is now, fresh, stale or failed; it need not be in the store. */
  settle(key: string, entry: Entry, stale: boolean): void;
}

/**
 * Seconds that a failure is kept: the first, and the most. RFC 9520 §3.2 allows 1 s to 5 min; with more than this, a name that
 * is asked for all through an outage would stay away for longer than 5 s after its end.
 */
const FIRST_FAILURE = 1;
const LAST_FAILURE = 4;
/** Seconds that a renewed answer, or a failure to renew, lives at least. */
export const RENEWED_LIFE = 60;

/**
 * Questions on their way upstream. Identical ones become one (RFC 9520 §3.1 asks for it too); its end is put in the store
 * and told to all who wait.
 */
export class Flights {
  readonly #forwarder: Forwarder;
  readonly #store: AnswerStore;
  readonly #clock: Clock;
  readonly #observer: Pick<Observer, 'bug'>;
  readonly #flights = new Map<string, Flight>();
  /** Entries that we renew; they are not the store's to evict. */
  readonly #renewed = new Map<string, Entry>();
  #maxTtl = 86_400;
  #serveStale = 3600;

  constructor(forwarder: Forwarder, store: AnswerStore, clock: Clock, observer: Pick<Observer, 'bug'>) {
    this.#forwarder = forwarder;
    this.#store = store;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Seconds that an answer is fresh at most, and stale at most. */
  configure(maxTtl: number, serveStale: number): void {
    this.#maxTtl = maxTtl;
    this.#serveStale = serveStale;
  }

  get renewing(): boolean {
    return this.#renewed.size > 0;
  }

  lookup(key: string): Entry | undefined {
    return (this.renewing ? this.#renewed.get(key) : undefined) ?? this.#store.get(key);
  }

  isRenewed(key: string): boolean {
    return this.#renewed.has(key);
  }

  /** A renewed answer is given until the next has come, which is due by then. */
  isFresh(entry: Entry, now: number): boolean {
    const grace = entry.renewed && entry.failure === null ? RENEWAL_GRACE : 0;
    return entry.answer !== null && now < entry.freshUntil + grace;
  }

  /** Nobody is asked again yet. */
  isFailing(entry: Entry, now: number): boolean {
    return entry.failure !== null && now < entry.failure.until + (entry.renewed ? RENEWAL_GRACE : 0);
  }

  /** Whether an entry's answer may be given although it is no longer fresh (RFC 8767). */
  mayServeStale(entry: Entry, now: number): boolean {
    return entry.answer !== null && now < entry.freshUntil + this.#serveStale * 1000;
  }

  /** A question under way that has been silent for so long that stale data is better. */
  isSlow(key: string): boolean {
    return this.#flights.get(key)?.isSlow ?? false;
  }

  /** Asks, or joins the same question under way. `waiter.settle` is called once, later. */
  join(key: string, question: UpstreamQuestion, waiter: Waiter): void {
    const flight = this.#flights.get(key) ?? this.#start(key, question, false);
    flight.waiters.push(waiter);
  }

  /** Asks for our own sake and keeps what comes; `then` is told until when (monotonic milliseconds) it lives. */
  renew(key: string, question: UpstreamQuestion, then: (until: number) => void): void {
    const flight = this.#flights.get(key) ?? this.#start(key, question, true);
    flight.renew = true;
    flight.waiters.push({ settle: (_key, entry) => then(entry.failure?.until ?? entry.freshUntil) });
  }

  forgetRenewed(keep: (key: string) => boolean): void {
    for (const key of this.#renewed.keys()) if (!keep(key)) this.#renewed.delete(key);
  }

  #start(key: string, question: UpstreamQuestion, renew: boolean): Flight {
    const flight = new Flight(this, key, question, renew);
    this.#forwarder.ask(question, flight);
    // Only now: where asking throws, nobody may join.
    this.#flights.set(key, flight);
    return flight;
  }

  /** For a Flight. It is called from within sockets: an exception there would end the process, and an upstream's octets led to it. */
  clean(message: Buffer, { name, type }: UpstreamQuestion, verified: boolean): Answer | null {
    try {
      return clean(message, name, type, verified);
    } catch (error) {
      this.#observer.bug(error);
      return null;
    }
  }

  /** For a Flight: nobody has answered yet. */
  late(flight: Flight): void {
    const { key } = flight;
    const entry = this.lookup(key);
    if (entry === undefined || flight.renew || !this.mayServeStale(entry, this.#clock.monotonic())) return;
    for (const waiter of flight.waiters.splice(0)) waiter.settle(key, entry, true);
  }

  /** For a Flight: it has ended. */
  land(flight: Flight, outcome: Outcome): void {
    const { key, cleaned } = flight;
    this.#flights.delete(key);
    const now = this.#clock.monotonic();
    const renew = flight.renew || (this.renewing && this.#renewed.has(key));
    const entry =
      outcome.kind === 'reply' && cleaned !== null
        ? this.#success(cleaned, renew, now)
        : this.#failed(this.lookup(key), outcome.kind === 'failure' ? outcome.reason : 'refused', renew, now);
    if (renew) this.#renewed.set(key, entry);
    else if (entry.failure !== null || entry.freshUntil > now) this.#store.set(key, entry);
    // What may not be kept ends what was: an older answer, or a row of failures.
    else if (this.lookup(key) !== undefined) this.#store.set(key, { ...entry, answer: null });
    const stale = entry.failure !== null && this.mayServeStale(entry, now);
    for (const waiter of flight.waiters) waiter.settle(key, entry, stale);
  }

  #success(answer: Answer, renewed: boolean, now: number): Entry {
    const life = renewed ? Math.max(answer.ttl, RENEWED_LIFE) : answer.ttl;
    return {
      answer,
      stored: now,
      freshUntil: now + Math.min(life, Math.max(this.#maxTtl, renewed ? RENEWED_LIFE : 0)) * 1000,
      failure: null,
      renewed,
    };
  }

  #failed(
    old: Entry | undefined,
    reason: 'silent' | 'network' | 'refused',
    renewed: boolean,
    now: number,
  ): Entry {
    const count = (old?.failure?.count ?? 0) + 1;
    const life = renewed ? RENEWED_LIFE : Math.min(LAST_FAILURE, FIRST_FAILURE * 2 ** (count - 1));
    const failure = { reason, until: now + life * 1000, count };
    const keep = old !== undefined && this.mayServeStale(old, now);
    return {
      answer: keep ? old.answer : null,
      stored: old?.stored ?? now,
      freshUntil: keep ? old.freshUntil : now,
      failure,
      renewed,
    };
  }
}

/** One question on its way, and who waits for it. */
class Flight implements ForwardListener {
  readonly key: string;
  readonly waiters: Waiter[] = [];
  renew: boolean;
  isSlow = false;
  /** Of the reply that was accepted. */
  cleaned: Answer | null = null;
  readonly #flights: Flights;
  readonly #question: UpstreamQuestion;

  constructor(flights: Flights, key: string, question: UpstreamQuestion, renew: boolean) {
    this.#flights = flights;
    this.key = key;
    this.#question = question;
    this.renew = renew;
  }

  accept(message: Buffer, verified: boolean): Acceptance {
    this.cleaned = this.#flights.clean(message, this.#question, verified);
    return this.cleaned === null ? 'bad' : this.cleaned.supported ? 'good' : 'poor';
  }

  slow(): void {
    this.isSlow = true;
    this.#flights.late(this);
  }

  done(outcome: Outcome): void {
    this.#flights.land(this, outcome);
  }
}
