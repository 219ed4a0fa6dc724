import { createHash } from 'node:crypto';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import type { UsedMark } from '../leases/lease-record.ts';

/** Marks kept; when there are more, no job can open a lease until some have ended. */
const MAX_MARKS = 200_000;
/** Milliseconds between two looks through all of them. */
const TIDY_MS: Milliseconds = 60_000;

/**
 * What jobs' own tokens have been used for: once per job, and once per token (`jti`). A mark stays until no token of that job
 * can be valid any more. Keys are kept as hashes: their size is not the token's to choose.
 */
export class UsedMarks {
  readonly #until = new Map<string, EpochMilliseconds>();
  /** Asked for by requests that are being written. */
  readonly #reserved = new Set<string>();
  #nextTidy: EpochMilliseconds = 0;

  /** Takes the marks for a request, or says why it may not have them. They are `keep`t or `free`d afterwards. */
  reserve(marks: readonly UsedMark[]): 'used' | 'full' | null {
    if (marks.some(({ key }) => this.#until.has(key) || this.#reserved.has(key))) return 'used';
    if (this.#until.size + this.#reserved.size + marks.length > MAX_MARKS) return 'full';
    for (const { key } of marks) this.#reserved.add(key);
    return null;
  }

  keep(marks: readonly UsedMark[]): void {
    for (const { key, until } of marks) {
      this.#reserved.delete(key);
      this.#until.set(key, Math.max(until, this.#until.get(key) ?? 0));
    }
  }

  free(marks: readonly UsedMark[]): void {
    for (const { key } of marks) this.#reserved.delete(key);
  }

  /** Forgets what has ended by `now` (milliseconds since 1970). */
  tidy(now: EpochMilliseconds): void {
    // A mark that has ended refuses what its token no longer allows: it may stay a while.
    if (now < this.#nextTidy && this.#until.size < MAX_MARKS) return;
    this.#nextTidy = now + TIDY_MS;
    for (const [key, until] of this.#until) if (until <= now) this.#until.delete(key);
  }

  all(): UsedMark[] {
    return Array.from(this.#until, ([key, until]) => ({ key, until }));
  }
}

/** A key of bounded size for what a token says. */
export function markKey(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}
