import { sameName } from '../../wire/name.ts';
import type { Answer } from '../answer/answer.ts';
import type { Entry } from '../answer/entry.ts';
import { joinAnswers } from '../answer/join.ts';
import type { Key } from '../answer/key.ts';
import type { Acceptance, ForwardListener, Outcome, UpstreamQuestion } from '../ports.ts';

/** Who waits for a question's end. */
export interface Waiter {
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
  /** It has ended: `answer` is all of it, or null with the failure. */
  land(flight: Flight, answer: Answer | null, outcome: Outcome): void;
}

/** Answers that one may be put together from. Each further one is of a server that gave a chain without its end. */
const MAX_PARTS = 8;
/** Links of a chain, all parts together. */
const MAX_LINKS = 16;

/** One question on its way, and who waits for it. */
export class Flight implements ForwardListener {
  /** The cache key's text. */
  readonly key: string;
  /** Most of the time one, whose list is made with it: what grows from nothing takes room for 17. */
  #waiters: Waiter[] = NOBODY;
  /** What was asked at first. */
  readonly question: UpstreamQuestion;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  renewal: Renewal;
  /** Seconds that what comes lives at least. */
  leastLife = 0;
  isSlow = false;
  /** It has its answer, and waits for another flight's. */
  held = false;
  /** What ends when this has ended; null for nothing. */
  after: (() => void)[] | null = null;
  readonly #tower: Tower;
  #asked: UpstreamQuestion;
  /** Of the reply that was accepted. */
  #cleaned: Answer | null = null;
  #parts: Answer[] | null = null;

  constructor(tower: Tower, key: string, question: UpstreamQuestion, renewal: Renewal, now: number) {
    this.#tower = tower;
    this.key = key;
    this.question = question;
    this.#asked = question;
    this.renewal = renewal;
    this.startedAt = now;
  }

  join(waiter: Waiter): void {
    if (this.#waiters.length === 0) this.#waiters = [waiter];
    else this.#waiters.push(waiter);
  }

  /** Tells all who wait, who then wait no more. */
  settle(key: Key, entry: Entry, stale: boolean): void {
    const waiters = this.#waiters;
    this.#waiters = NOBODY;
    for (const waiter of waiters) waiter.settle(key, entry, stale);
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

/** Nobody waits. Never written to. */
const NOBODY: Waiter[] = [];
