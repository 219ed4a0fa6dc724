import type { Milliseconds } from '../../wire/quantity.ts';
import type { EventSource, Placed, Selection } from '../event.ts';
import { Backoff } from './backoff.ts';
import {
  type DeliveryState,
  type EventSink,
  reasonOf,
  type Sending,
  type SinkClock,
  type Trouble,
} from './sink.ts';

/** Events and octets of one batch. */
const MOST_EVENTS = 256;
const MOST_OCTETS = 512 * 1024;
/** Milliseconds without a call of `wake` after which it looks for events all the same. */
const IDLE: Milliseconds = 500;
/** Milliseconds between two looks at the files of a sink that is refused. */
const LOOK: Milliseconds = 5_000;
/** Milliseconds at the end for what is being sent. */
const LAST: Milliseconds = 500;
/** Dead letters in a row, none taken between them, at which the receiver is believed to take nothing at all. */
const MOST_DEAD_IN_A_ROW = 64;
/** Looks between two events that are tried all the same on such a receiver: a minute. */
const LOOKS_A_TRY = 12;

export interface DeliveryOptions {
  readonly name: string;
  readonly selection: Selection;
  readonly source: EventSource;
  readonly sink: EventSink;
  readonly clock: SinkClock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Called when the sink is refused, and when it is in order again. */
  readonly onChange?: (state: DeliveryState) => void;
}

/**
 * Brings events to one sink: in order, at least once, whatever becomes of the sink. Each runs for itself, so that none waits
 * for another. After trouble one event is sent alone, and the rest follows once it was taken.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #closing = new AbortController();
  /** Nothing more is begun. */
  #isClosing = false;
  readonly #backoff: Backoff;
  /** Position up to which all was sent; the source has the one up to which all was acknowledged. */
  #sent: number;
  /** Raised when all is sent again from the cursor: what was held before counts no more. */
  #rewinds = 0;
  #held: Promise<void> = Promise.resolve();
  #waitingHeld = 0;
  /** Why what was held did not count after all. */
  #lost: Trouble | null = null;
  #isProbing = false;
  #deadInARow = 0;
  /** It is refused since the receiver took nothing of many. */
  #takesNothing = false;
  #looks = 0;
  #state: DeliveryState;
  #wakeUp: AbortController = new AbortController();
  #running: Promise<void> | null = null;
  #isIdle = false;
  #isSending = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    this.#sent = options.source.cursor(options.name);
    this.#state = { name: options.name, status: 'ok', reason: '', since: options.clock.now() };
  }

  get state(): DeliveryState {
    return this.#state;
  }

  /** Whether all is sent, or will not be sent soon. */
  get isDone(): boolean {
    return this.#isIdle || this.#state.status !== 'ok';
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** There are new events. */
  wake(): void {
    this.#isIdle = false;
    if (this.#state.status === 'ok') this.#wakeUp.abort();
  }

  /** Something was changed that may be why it failed: files are read anew, and it tries at once. */
  async reload(): Promise<void> {
    await this.#renew();
    this.#backoff.reset();
    this.#again();
    this.#wakeUp.abort();
  }

  /** Sends again all that comes behind the cursor, which was moved back. */
  rewind(): void {
    this.#rewinds++;
    this.#sent = this.#options.source.cursor(this.#options.name);
    this.wake();
  }

  /** What is being sent may still arrive, for half a second: given up, it would be sent again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#wakeUp.abort();
    const isOver = new AbortController();
    void this.#running?.finally(() => isOver.abort());
    if (this.#isSending) await this.#options.clock.sleep(LAST, isOver.signal);
    this.#closing.abort();
    this.#wakeUp.abort();
    await this.#running;
    this.#options.sink.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      try {
        if (this.#lost !== null) {
          const trouble = this.#lost;
          this.#lost = null;
          await this.#pause(trouble);
        } else if (this.#state.status === 'refused') await this.#look();
        else await this.#step();
      } catch (error) {
        // The source's database, or a bug of a sink: neither may end the delivery.
        await this.#pause({ kind: 'retry', reason: reasonOf(error) });
      }
    }
  }

  async #step(): Promise<void> {
    const { source, selection } = this.#options;
    const limit = this.#isProbing ? 1 : MOST_EVENTS;
    const rewinds = this.#rewinds;
    const { events, reached } = source.page(this.#sent, selection, limit, MOST_OCTETS);
    if (events.length === 0) {
      const hasMoved = reached > this.#sent;
      this.#sent = reached;
      // Also what could not be written down before, when the disk was full.
      const isBehind = this.#waitingHeld === 0 && source.cursor(this.#options.name) < reached;
      if (hasMoved || isBehind) this.#acknowledge(reached, rewinds, Promise.resolve(null), false);
      this.#isIdle = !hasMoved;
      if (!hasMoved) await this.#sleep(IDLE);
      return;
    }
    source.underWay(this.#options.name, events.at(-1)!.position);
    const outcome = await this.#send(events);
    if (this.#closing.signal.aborted) return;
    if (rewinds === this.#rewinds) this.#take(events, reached, outcome);
    source.underWay(this.#options.name, this.#sent);
    if (rewinds !== this.#rewinds) return;
    if (outcome.trouble !== null) await this.#pause(outcome.trouble);
    else if (this.#deadInARow > MOST_DEAD_IN_A_ROW) {
      const reason = `${this.#deadInARow} events in a row were not taken, the last since ${outcome.dead.at(-1)?.reason ?? ''}`;
      this.#takesNothing = true;
      await this.#pause({ kind: 'refused', reason });
    } else if (outcome.accepted > outcome.dead.length && outcome.held === undefined) this.#recovered(true);
  }

  /** A sink that rejects has a bug, and took nothing. */
  async #send(events: readonly Placed[]): Promise<Sending> {
    this.#isSending = true;
    try {
      return await this.#options.sink.send(events, this.#closing.signal);
    } catch (error) {
      return { accepted: 0, dead: [], trouble: { kind: 'retry', reason: reasonOf(error) } };
    } finally {
      this.#isSending = false;
    }
  }

  #take(events: readonly Placed[], reached: number, { accepted, dead, held }: Sending): void {
    const { source, name } = this.#options;
    for (const { index, reason } of dead) source.deadLetter(name, events[index]!, reason);
    this.#deadInARow = dead.length < accepted ? 0 : this.#deadInARow + dead.length;
    if (accepted === 0) return;
    const position = accepted === events.length ? reached : events[accepted - 1]!.position;
    this.#sent = position;
    this.#acknowledge(position, this.#rewinds, held ?? Promise.resolve(null), dead.length < accepted);
  }

  /** Moves the cursor once the position counts, and never before those in front of it. */
  #acknowledge(position: number, rewinds: number, held: Promise<Trouble | null>, isTaken: boolean): void {
    const { source, name } = this.#options;
    const isFree = this.#waitingHeld === 0;
    this.#waitingHeld++;
    const settle = async (): Promise<void> => {
      const trouble = await held;
      this.#waitingHeld--;
      if (rewinds !== this.#rewinds) return;
      if (trouble === null) {
        source.advance(name, position);
        this.#recovered(isTaken);
      } else if (!this.#closing.signal.aborted) {
        this.#rewinds++;
        this.#sent = source.cursor(name);
        source.underWay(name, this.#sent);
        this.#lost = trouble;
        this.#wakeUp.abort();
      }
    };
    const noted = (error: unknown): void => this.#fail({ kind: 'retry', reason: reasonOf(error) });
    this.#held = isFree ? settle().catch(noted) : this.#held.then(settle).catch(noted);
  }

  #recovered(isTaken: boolean): void {
    this.#isProbing = false;
    this.#backoff.reset();
    if (this.#state.status === 'waiting' || (isTaken && this.#takesNothing)) {
      this.#takesNothing = false;
      this.#set('ok', '');
    }
  }

  #fail(trouble: Trouble): void {
    this.#isProbing = true;
    this.#set(trouble.kind === 'refused' ? 'refused' : 'waiting', trouble.reason);
  }

  async #pause(trouble: Trouble): Promise<void> {
    if (trouble.kind === 'refused' && (await this.#renew())) {
      // What it shows is another than what was refused.
      this.#isProbing = true;
      await this.#sleep(this.#backoff.next(0));
      return;
    }
    this.#fail(trouble);
    if (trouble.kind === 'retry') await this.#sleep(this.#backoff.next(trouble.after ?? 0));
  }

  async #look(): Promise<void> {
    await this.#sleep(LOOK);
    if (this.#state.status !== 'refused') return;
    if (await this.#renew()) this.#again();
    else if (this.#takesNothing && ++this.#looks >= LOOKS_A_TRY) {
      this.#looks = 0;
      // Nobody here may have to do anything: the receiver is well again some day.
      this.#isProbing = true;
      await this.#step();
    }
  }

  /** A sink that was refused tries again; it is in order once something was taken. */
  #again(): void {
    if (this.#state.status !== 'refused') return;
    this.#takesNothing = false;
    this.#deadInARow = 0;
    this.#set('waiting', this.#state.reason);
  }

  async #renew(): Promise<boolean> {
    try {
      return await this.#options.sink.renew();
    } catch {
      // A file that is gone for a moment: what is known of it stays.
      return false;
    }
  }

  async #sleep(milliseconds: Milliseconds): Promise<void> {
    if (this.#wakeUp.signal.aborted) this.#wakeUp = new AbortController();
    if (this.#isClosing) return;
    await this.#options.clock.sleep(milliseconds, this.#wakeUp.signal);
  }

  #set(status: DeliveryState['status'], reason: string): void {
    const { name, onChange, clock } = this.#options;
    const before = this.#state;
    if (before.status === status && before.reason === reason) return;
    this.#state = { name, status, reason, since: before.status === status ? before.since : clock.now() };
    if (before.status !== status) onChange?.(this.#state);
  }
}
