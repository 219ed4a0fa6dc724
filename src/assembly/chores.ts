import type { Milliseconds } from '../wire/quantity.ts';

/** Timers, as chores need them: the system's, or a test's. Neither keeps the process alive. */
export interface Timers {
  /** Calls `work` every `ms` milliseconds, until what is returned is called. */
  every(ms: Milliseconds, work: () => void): () => void;
  /** Calls `work` once, after `ms` milliseconds. */
  once(ms: Milliseconds, work: () => void): () => void;
}

export const SYSTEM_TIMERS: Timers = {
  every(ms, work) {
    const timer = setInterval(work, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
  once(ms, work) {
    const timer = setTimeout(work, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** What has to be done now and then while the server runs. */
export interface Chore {
  readonly name: string;
  /** Milliseconds. */
  readonly every: Milliseconds;
  readonly work: () => void;
}

export class Chores {
  readonly #timers: Timers;
  /** A chore met a bug: the others, and its next turn, come all the same. */
  readonly #bug: (error: unknown) => void;
  #stops: (() => void)[] = [];

  constructor(timers: Timers, bug: (error: unknown) => void) {
    this.#timers = timers;
    this.#bug = bug;
  }

  /** Does each from now on, for the first time when its time has passed once. */
  start(chores: readonly Chore[]): void {
    for (const { every, work } of chores) this.every(every, work);
  }

  /** Does one more, every `ms` milliseconds. */
  every(ms: Milliseconds, work: () => void): void {
    const guarded = (): void => {
      try {
        work();
      } catch (error) {
        this.#bug(error);
      }
    };
    this.#stops.push(this.#timers.every(ms, guarded));
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }
}
