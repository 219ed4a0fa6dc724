import { setPriority } from 'node:os';

/** Behind the query path, and not behind all else: a ring that nobody reads is full after 1.6 s of 20,000 events a second. */
const NICE = 5;

/** On Linux a priority is a thread's own (setpriority(2)): this thread has the processor when the query path leaves it. */
export function yieldToQueries(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICE);
  } catch {
    // A sandbox may forbid it; the worker then competes.
  }
}
