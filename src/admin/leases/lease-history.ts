import { type EpochMilliseconds, passOver } from '../../wire/quantity.ts';
import type { LeaseEntry, LeaseRecord, UsedMark } from './lease-record.ts';

type Quarantined = Extract<LeaseEntry, { t: 'quarantine' }>;

/** What a journal comes to. */
export interface LeaseHistory {
  readonly leases: readonly LeaseRecord[];
  readonly quarantines: readonly Quarantined[];
  readonly used: readonly UsedMark[];
}

/** What is left at `wall` (milliseconds since 1970) of what was written. */
export function historyOf(entries: readonly LeaseEntry[], wall: EpochMilliseconds): LeaseHistory {
  const leases = new Map<string, LeaseRecord>();
  const quarantines = new Map<string, Quarantined>();
  const used: UsedMark[] = [];
  const put = (quarantine: Quarantined): void => {
    if (quarantine.until <= wall) return;
    quarantines.set(
      JSON.stringify([quarantine.addresses, quarantine.certificate, quarantine.client ?? null]),
      quarantine,
    );
  };
  const calm = ({ addresses, certificate, client, quarantine }: LeaseRecord, at: EpochMilliseconds): void =>
    put({ t: 'quarantine', at, addresses, certificate, client, until: at + quarantine });
  for (const entry of entries) {
    switch (entry.t) {
      case 'open':
        leases.set(entry.lease.id, entry.lease);
        used.push(...entry.used);
        break;
      case 'change': {
        const { id, stage, expires } = entry;
        const lease = leases.get(id);
        if (lease !== undefined) leases.set(id, { ...lease, stage, expires });
        break;
      }
      case 'end': {
        const lease = leases.get(entry.id);
        if (lease !== undefined) calm(lease, Math.min(entry.at, lease.expires));
        leases.delete(entry.id);
        break;
      }
      case 'used':
        used.push(...entry.marks);
        break;
      case 'quarantine':
        put(entry);
        break;
      default:
        passOver(entry);
    }
  }
  for (const lease of leases.values()) {
    if (lease.expires > wall) continue;
    calm(lease, lease.expires);
    leases.delete(lease.id);
  }
  return { leases: [...leases.values()], quarantines: [...quarantines.values()], used };
}
