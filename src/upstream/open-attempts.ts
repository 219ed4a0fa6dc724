import type { Attempt } from './attempt.ts';

/** Attempts that one question has open. Most of the time it is one, and what grows from nothing takes room for 17. */
export const NONE: readonly Attempt[] = [];

/** The list with one more: a new one where it was empty, else the same. */
export function including(open: readonly Attempt[], attempt: Attempt): readonly Attempt[] {
  if (open.length === 0) return [attempt];
  (open as Attempt[]).push(attempt);
  return open;
}

/** The list without one: `NONE` where it was the only one, else the same. */
export function without(open: readonly Attempt[], attempt: Attempt): readonly Attempt[] {
  if (open.length === 1) return open[0] === attempt ? NONE : open;
  const at = open.indexOf(attempt);
  if (at >= 0) (open as Attempt[]).splice(at, 1);
  return open;
}
