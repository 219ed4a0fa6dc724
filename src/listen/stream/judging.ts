import type { Milliseconds, Monotonic } from '../../wire/quantity.ts';

/** Milliseconds that judging open connections again takes before others have their turn. */
const JUDGING_MS: Milliseconds = 10;

/** Judges connections again, some at a time. Those that come to ask before it is their turn here are judged then. */
export function judgeInTurns(waiting: { check(now: Monotonic): void }[], now: () => Monotonic): void {
  const begun = performance.now();
  while (waiting.length > 0 && performance.now() - begun < JUDGING_MS) waiting.pop()!.check(now());
  if (waiting.length > 0) setImmediate(() => judgeInTurns(waiting, now));
}
