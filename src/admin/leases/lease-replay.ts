import type { Lease } from '../../policy/lease/lease.ts';
import type { Identity } from '../../policy/snapshot.ts';
import type { EpochMilliseconds, Monotonic } from '../../wire/quantity.ts';
import { ownerFrom } from '../callers/owner.ts';
import type { UsedMarks } from '../callers/used-marks.ts';
import type { LeaseBookOptions } from './lease-book-options.ts';
import { historyOf } from './lease-history.ts';
import { claimOf, type LeaseEntry, type LeaseRecord } from './lease-record.ts';
import { isKnown } from './lease-rules.ts';
import { type Details, leaseNote, tellKnown } from './lease-view.ts';

/** What a replay fills beside the table. */
export interface ReplayedLeases {
  readonly details: Map<string, Details>;
  readonly used: UsedMarks;
  readonly identities: ReadonlyMap<string, Identity>;
}

/**
 * Puts what the journal says in force. `newest`: when its last record was written, milliseconds since 1970. What a lease in
 * `doubtful` binds is `unknown` for as long as it would have lasted.
 */
export function replayLeases(
  options: LeaseBookOptions,
  state: ReplayedLeases,
  entries: readonly LeaseEntry[],
  newest: EpochMilliseconds,
  doubtful: ReadonlySet<string>,
): void {
  const { clock, table } = options;
  const now = clock.monotonic();
  // A clock that has gone back since gives nobody more time.
  const wall = Math.max(Math.round(clock.epoch() * 1000), newest);
  const { leases, quarantines, used } = historyOf(entries, wall);
  state.used.keep(used);
  for (const lease of leases) {
    const endsAt = now + (lease.expires - wall);
    if (doubtful.has(lease.id)) table.quarantine(claimOf(lease), endsAt);
    else restore(options, state, lease, endsAt);
  }
  for (const quarantine of quarantines) {
    table.quarantine(claimOf(quarantine), now + (quarantine.until - wall));
  }
  state.used.tidy(wall);
}

function restore(
  { table, clock, log, account }: LeaseBookOptions,
  { details, identities }: ReplayedLeases,
  record: LeaseRecord,
  endsAt: Monotonic,
): void {
  const { id, identity, stage, job, opened, by } = record;
  const known = identities.get(identity);
  const lease: Lease = {
    id,
    identity,
    stage,
    ...claimOf(record),
    // Records of before have none.
    sourceEnforced: record.source === 'enforced',
    job,
    endsAt,
    quarantine: known === undefined ? record.quarantine : known.quarantine * 1000,
    known: isKnown(known, record),
  };
  if (table.open(lease, clock.monotonic()) !== null) return;
  const restored = { opened, by, owner: ownerFrom(record) };
  details.set(id, restored);
  account?.tell(leaseNote('live', lease, restored, known?.owner ?? ''));
  if (!lease.known) tellKnown(log, lease, false);
}
