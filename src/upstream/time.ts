import type { Milliseconds, Monotonic } from '../wire/quantity.ts';

/** Time as this room has it: `server.ts` leaves it to the machine, tests turn it by hand. */
export interface Time {
  /** Milliseconds that never go back. */
  now(): Monotonic;
  /** Calls once, after so many milliseconds. Keeps no process alive. */
  after(ms: Milliseconds, run: () => void): Timer;
  /** Calls again and again. Keeps the process alive until it is stopped. */
  every(ms: Milliseconds, run: () => void): Timer;
  /** `now` stays as it is until `release`: what follows belongs together and does not wait for anything. */
  hold?(): void;
  release?(): void;
}

export interface Timer {
  stop(): void;
  /** Starts the wait anew. */
  again(): void;
}

/** The machine's own time. */
export const MACHINE_TIME: Time = {
  now: () => performance.now(),
  after: (ms, run) => timer(setTimeout(run, ms).unref()),
  every: (ms, run) => timer(setInterval(run, ms)),
};

function timer(timeout: NodeJS.Timeout): Timer {
  return { stop: () => clearTimeout(timeout), again: () => void timeout.refresh() };
}
