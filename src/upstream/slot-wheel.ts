import type { Milliseconds, Monotonic } from '../wire/quantity.ts';
import { NONE } from './slots.ts';
import type { Time, Timer } from './time.ts';

/** Milliseconds between two turns; a slot comes due that much late at most, and never early. */
const STEP: Milliseconds = 10;
/** What is set for later than so many steps comes due by then, and is set again. */
const STEPS = 64;

/**
 * The deadlines of slots on one timer: lists of numbers in typed arrays. The timer runs, and keeps the process alive, while a
 * slot hangs in the wheel.
 */
export class SlotWheel {
  readonly #time: Time;
  readonly #before: () => void;
  readonly #due: (slot: number, now: Monotonic) => void;
  /** The first slot of each step, and of each slot its neighbours and the step that it hangs in; NONE for none. */
  readonly #heads = new Int32Array(STEPS).fill(NONE);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #hangsIn: Int16Array;
  #count = 0;
  /** The step that has been. */
  #step = 0;
  #timer: Timer | null = null;

  /** For slots below `size`. `before` is called ahead of each turn; `due` with a slot that hangs in the wheel no more. */
  constructor(size: number, time: Time, before: () => void, due: (slot: number, now: Monotonic) => void) {
    this.#time = time;
    this.#before = before;
    this.#due = due;
    this.#next = new Int32Array(size);
    this.#previous = new Int32Array(size);
    this.#hangsIn = new Int16Array(size).fill(NONE);
  }

  /** Puts a slot in for `at`; `now` is the present. */
  set(slot: number, at: Monotonic, now: Monotonic): void {
    if (this.#timer === null) {
      this.#step = Math.floor(now / STEP);
      this.#timer = this.#time.every(STEP, () => this.#turn());
    }
    const step = Math.min(Math.max(Math.ceil(at / STEP), this.#step + 1), this.#step + STEPS - 1);
    const place = step % STEPS;
    const first = this.#heads[place]!;
    this.#next[slot] = first;
    this.#previous[slot] = NONE;
    if (first !== NONE) this.#previous[first] = slot;
    this.#heads[place] = slot;
    this.#hangsIn[slot] = place;
    this.#count++;
  }

  /** Takes it out again; nothing where it does not hang there. */
  clear(slot: number): void {
    const place = this.#hangsIn[slot]!;
    if (place === NONE) return;
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (previous === NONE) this.#heads[place] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#hangsIn[slot] = NONE;
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
    // After a pause of more than a round every list is looked at once.
    const from = Math.max(this.#step, end - STEPS);
    for (let step = from + 1; step <= end; step++) {
      this.#step = step;
      const place = step % STEPS;
      // What is put in from here goes into later lists.
      for (let slot = this.#heads[place]!; slot !== NONE; slot = this.#heads[place]!) {
        this.clear(slot);
        this.#due(slot, now);
      }
    }
  }
}
