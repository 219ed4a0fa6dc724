import type { LeaseTable } from '../../policy/lease/lease.ts';
import type { LeaseAccount } from '../../policy/lease/lease-note.ts';
import type { Log } from '../../report/log.ts';
import type { Clock } from '../../resolve/ports.ts';

/** What the book of leases asks of others. */
export interface LeaseBookOptions {
  readonly table: LeaseTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly countsOf: (lease: string) => Readonly<Record<string, number>>;
  /** A lease is over. */
  readonly ended: (lease: string) => void;
  readonly account?: LeaseAccount;
  /** Resolves when the firewall has what leases changed, or is late; absent without one. */
  readonly enforced?: (() => Promise<void>) | undefined;
}
