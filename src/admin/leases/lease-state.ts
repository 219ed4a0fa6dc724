import type { LeaseTable } from '../../policy/lease/lease.ts';
import type { EpochSeconds, Monotonic } from '../../wire/quantity.ts';
import type { UsedMarks } from '../callers/used-marks.ts';
import { type LeaseEntry, prefixToText } from './lease-record.ts';
import { type Details, recordOf } from './lease-view.ts';

/** Marks of used jobs in one entry of the journal. */
const MARKS = 1000;

/** All that has to be there after a restart, as entries of the journal: quarantines, jobs that had their lease, and leases. */
export function* leaseState(
  table: LeaseTable,
  details: ReadonlyMap<string, Details>,
  used: UsedMarks,
  clock: { readonly monotonic: () => Monotonic; readonly epoch: () => EpochSeconds },
): Generator<LeaseEntry> {
  const at = clock.epoch() * 1000;
  const now = clock.monotonic();
  for (const { addresses, certificate, client, endsAt } of table.quarantines()) {
    if (endsAt <= now) continue;
    const until = at + (endsAt - now);
    const judged = client == null ? null : prefixToText(client);
    const texts = addresses.map(prefixToText);
    yield { t: 'quarantine', at, addresses: texts, certificate, client: judged, until };
  }
  const marks = used.all();
  for (let i = 0; i < marks.length; i += MARKS) yield { t: 'used', at, marks: marks.slice(i, i + MARKS) };
  for (const lease of table.leases()) {
    const known = details.get(lease.id);
    if (known !== undefined) yield { t: 'open', at, lease: recordOf(lease, known, at - now), used: [] };
  }
}
