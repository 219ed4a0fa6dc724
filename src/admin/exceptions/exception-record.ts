import type { DynamicException } from '../../config/policy/exceptions.ts';
import type { EpochMilliseconds, EpochSeconds, Seconds } from '../../wire/quantity.ts';
import { iso } from '../leases/lease-view.ts';

/** What the journal holds of exceptions. `at`: milliseconds since 1970. `refused`: the policy did not take it. */
export type ExceptionEntry =
  | { readonly t: 'except'; readonly at: EpochMilliseconds; readonly exception: StoredException }
  | { readonly t: 'revoke'; readonly at: EpochMilliseconds; readonly id: string; readonly refused?: true };

/** `made`: milliseconds since 1970. */
export type StoredException = DynamicException & { readonly made: EpochMilliseconds };

/** An exception as the API shows it. */
export interface ExceptionView {
  readonly id: string;
  readonly identity: string;
  readonly name: string;
  readonly types: readonly string[] | null;
  readonly made: string;
  readonly expires: string;
  readonly reason: string;
  readonly approved_by: string;
}

/** Seconds for which one that has ended is compiled on: it approves nothing, and whoever asks why is told when it ended. */
const TOLD: Seconds = 86_400;
/** Of those at most. */
const MOST_TOLD = 1_000;

/** What the API shows of one. */
export function viewOf({
  id,
  identity,
  name,
  types,
  made,
  until,
  reason,
  approvedBy,
}: StoredException): ExceptionView {
  return {
    id,
    identity,
    name,
    types,
    made: iso(made),
    expires: iso(until * 1000),
    reason,
    approved_by: approvedBy,
  };
}

/** Those that hold at `now`, and the latest of those that ended. */
export function told(exceptions: readonly StoredException[], now: EpochSeconds): readonly StoredException[] {
  const ended = exceptions.filter(({ until }) => until <= now && until > now - TOLD);
  const least = ended.map(({ until }) => until).sort((a, b) => b - a)[MOST_TOLD - 1] ?? 0;
  return exceptions.filter(({ until }) => until > now || (until > now - TOLD && until >= least));
}

/** `until` is whole seconds: one that was revoked holds no longer at once. */
export function endedAt(exception: StoredException, now: EpochSeconds): StoredException {
  return { ...exception, until: Math.min(exception.until, Math.floor(now)) };
}
