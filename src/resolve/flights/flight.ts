import { sameName } from '../../wire/name.ts';
import type { Monotonic, Seconds } from '../../wire/quantity.ts';
import type { Answer } from '../answer/answer.ts';
import type { Entry } from '../answer/entry.ts';
import { joinAnswers } from '../answer/join.ts';
import type { Key } from '../answer/key.ts';
import type { Acceptance, ForwardListener, Outcome, UpstreamQuestion } from '../ports.ts';

/** Who waits for a question's end. */
export interface Waiter {
  /** Who waits behind it; for the flight alone, and null while it waits for none. */
  next: Waiter | null;
  /** `entry` is what there is now, fresh, stale or failed; it need not be in the store. Both are good during the call. */
  settle(key: Key, entry: Entry, stale: boolean): void;
}

/** Why what comes is kept by us: on the schedule of a policy, since a client paid for it, or not at all. */
export type Renewal = 'no' | 'schedule' | 'paid';

/** What a flight asks of those who keep it. None of it throws. */
export interface Tower {
  /** The reply to `question` cleaned, or null where it is unusable. */
  clean(message: Buffer, question: UpstreamQuestion, verified: boolean): Answer | null;
  /** Asks for a name that the answer's chain has led to, in the group of that name; false where there is no time left. */
  ask(flight: Flight, name: Uint8Array): boolean;
  /** Nobody has answered yet. */
  late(flight: Flight): void;
  /** Whether asking what the flight asks failed not long ago. */
  failedLately(flight: Flight): boolean;
  /** It has ended: `answer` is all of it, or null with the failure. */
  land(flight: Flight, answer: Answer | null, outcome: Outcome): void;
}

/** Answers that one may be put together from. Each further one is of a server that gave a chain without its end. */
const MAX_PARTS = 8;
/** Links of a chain, all parts together. */
const MAX_LINKS = 16;

/**
 * One question on its way, and who waits for it. One record serves one question after another, so that a question leaves
 * nothing for the collector: nobody keeps it, its key or its question beyond the flight.
 */
export class Flight implements ForwardListener {
  readonly key: Key;
  /** What was asked at first. */
  question: UpstreamQuestion;
  /** Monotonic milliseconds. */
  startedAt: Monotonic = 0;
  renewal: Renewal = 'no';
  /** Seconds that what comes lives at least. */
  leastLife: Seconds = 0;
  isSlow = false;
  /** It has its answer, and waits for another flight's. */
  held = false;
  /** What ends when this has ended; null for nothing. */
  after: (() => void)[] | null = null;
  /** The next flight whose key's hash leads to the same place: for `FlightTable` alone. */
  below: Flight | null = null;
  readonly #tower: Tower;
  /** In the order in which they came. */
  #first: Waiter | null = null;
  #last: Waiter | null = null;
  readonly #own: { group: number; name: Uint8Array; type: number; checkingDisabled: boolean };
  #asked: UpstreamQuestion;
  /** Of the reply that was accepted. */
  #cleaned: Answer | null = null;
  #parts: Answer[] | null = null;

  constructor(tower: Tower, key: Key) {
    this.#tower = tower;
    this.key = key;
    this.#own = { group: 0, name: key.octets.subarray(0, 1), type: 0, checkingDisabled: false };
    this.question = this.#own;
    this.#asked = this.#own;
  }

  /** Becomes the flight of another question. */
  begin(key: Key, group: number, renewal: Renewal, now: Monotonic): void {
    const own = this.#own;
    this.key.take(key);
    const { nameLength } = key;
    own.group = group;
    // A view of the key: made anew where it has another length.
    if (own.name.length !== nameLength) own.name = this.key.octets.subarray(0, nameLength);
    own.type = key.type;
    own.checkingDisabled = key.checkingDisabled;
    this.#asked = own;
    this.startedAt = now;
    this.renewal = renewal;
    this.leastLife = 0;
    this.isSlow = false;
    this.held = false;
  }

  /** Lets go of what came. */
  rest(): void {
    this.after = null;
    this.#cleaned = null;
    this.#parts = null;
  }

  join(waiter: Waiter): void {
    if (this.#last === null) this.#first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
  }

  /** Tells all who wait, who then wait no more. */
  settle(key: Key, entry: Entry, stale: boolean): void {
    let waiter = this.#first;
    this.#first = null;
    this.#last = null;
    while (waiter !== null) {
      const { next } = waiter;
      waiter.next = null;
      waiter.settle(key, entry, stale);
      waiter = next;
    }
  }

  accept(message: Buffer, verified: boolean): Acceptance {
    const cleaned = this.#tower.clean(message, this.#asked, verified);
    this.#cleaned = cleaned;
    return cleaned === null ? 'bad' : cleaned.supported ? 'good' : 'poor';
  }

  slow(): void {
    this.isSlow = true;
    this.#tower.late(this);
  }

  failedLately(): boolean {
    return this.#tower.failedLately(this);
  }

  done(outcome: Outcome): void {
    const answer = outcome.kind === 'reply' ? this.#cleaned : null;
    if (answer === null || (answer.open === null && this.#parts === null)) {
      this.#tower.land(this, answer, outcome);
      return;
    }
    this.#parts ??= [];
    this.#parts.push(answer);
    if (answer.open !== null && this.#goOn(answer.open)) return;
    const { name, type } = this.question;
    const whole = answer.open === null ? joinAnswers(name, type, this.#parts) : null;
    this.#tower.land(this, whole, outcome);
  }

  /**
   * Asks for the end of a chain that came without it, as authoritative servers and some forwarders give it (RFC 1034
   * §4.3.2 leaves the rest to who resolves). False where it loops, is too long, or has taken too long.
   */
  #goOn(name: Uint8Array): boolean {
    const parts = this.#parts!;
    const links = parts.reduce((sum, { chain }) => sum + chain.length, 0);
    const passed = parts.some(({ chain }, i) =>
      chain.some((link, at) => {
        const isEnd = i === parts.length - 1 && at === chain.length - 1;
        return !isEnd && sameName(link, name);
      }),
    );
    if (parts.length >= MAX_PARTS || links > MAX_LINKS || passed || sameName(name, this.question.name))
      return false;
    this.#cleaned = null;
    this.#asked = { ...this.question, name };
    return this.#tower.ask(this, name);
  }
}

/** Hears until when what was renewed is kept. */
export function keeper(then: (until: Monotonic) => void): Waiter {
  return { next: null, settle: (_key, entry) => then(entry.isFailed ? entry.failedUntil : entry.freshUntil) };
}
