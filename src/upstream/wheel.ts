import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import type { Time, Timer } from './time.ts';

/** Milliseconds between two turns of the wheel; things come due that much late at most, and never early. */
const STEP: Milliseconds = 10;
/** Spokes. What is set for later than 5 s comes due by then, and is set again. */
const SPOKES = 512;

/** Something that comes due. It hangs in one spoke of one wheel, or in none. */
export abstract class Timed {
  /** For the wheel alone. */
  next: Timed | null = null;
  previous: Timed | null = null;

  /** Its time has come; it hangs in no spoke any more. */
  abstract due(now: Monotonic): void;
}

/**
 * Deadlines of many questions on one timer: setting and taking back one costs a few stores, where a timer of its own for
 * each question costs a microsecond. The timer runs, and keeps the process alive, while something hangs in the wheel.
 */
export class Wheel {
  readonly #spokes = Array.from({ length: SPOKES }, () => new Head());
  readonly #time: Time;
  readonly #before: () => void;
  #count = 0;
  /** The step that has been. */
  #step = 0;
  #timer: Timer | null = null;

  /** `before` is called ahead of each turn. */
  constructor(time: Time, before: () => void) {
    this.#time = time;
    this.#before = before;
  }

  /** Puts it in for `at`; `now` is the present. */
  set(item: Timed, at: Monotonic, now: Monotonic): void {
    if (this.#timer === null) {
      this.#step = Math.floor(now / STEP);
      this.#timer = this.#time.every(STEP, () => this.#turn());
    }
    const step = Math.min(Math.max(Math.ceil(at / STEP), this.#step + 1), this.#step + SPOKES - 1);
    const head = this.#spokes[step % SPOKES]!;
    const last = head.previous!;
    item.previous = last;
    item.next = head;
    last.next = item;
    head.previous = item;
    this.#count++;
  }

  /** Takes it out again; nothing where it hangs in no spoke. */
  clear(item: Timed): void {
    const { next, previous } = item;
    if (next === null || previous === null) return;
    previous.next = next;
    next.previous = previous;
    item.next = null;
    item.previous = null;
    this.#count--;
  }

  #turn(): void {
    if (this.#count === 0) {
      this.#timer?.stop();
      this.#timer = null;
      return;
    }
    this.#before();
    const now = this.#time.now();
    const end = Math.floor(now / STEP);
    // After a pause of more than a round every spoke is looked at once.
    const from = Math.max(this.#step, end - SPOKES);
    for (let step = from + 1; step <= end; step++) {
      this.#step = step;
      const head = this.#spokes[step % SPOKES]!;
      // What is put in from here goes into later spokes.
      for (let item = head.next!; item !== head; item = head.next!) {
        this.clear(item);
        item.due(now);
      }
    }
  }
}

/** The fixed point of a spoke's ring. */
class Head extends Timed {
  constructor() {
    super();
    this.next = this;
    this.previous = this;
  }

  due(): void {}
}
