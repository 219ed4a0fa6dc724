import { randomFillSync } from 'node:crypto';
import type { Lease } from '../../policy/lease/lease.ts';
import type { LeaseNote } from '../../policy/lease/lease-note.ts';
import type { Log } from '../../report/log.ts';
import type { ClockOffset, EpochMilliseconds } from '../../wire/quantity.ts';
import { holderOf, type Owner } from '../callers/owner.ts';
import { type LeaseRecord, type LeaseTerms, prefixToText } from './lease-record.ts';

/** A lease as the API shows it. */
export interface LeaseView extends LeaseTerms {
  readonly opened: string;
  readonly expires: string;
  readonly opened_by: string;
  /** False: the policy has its identity or its stage no more, and whom it binds is `unknown`. */
  readonly in_force: boolean;
}

export interface EndedLease {
  readonly id: string;
  readonly ended: string;
  /** Questions by verdict; `deny_unproven` are those whose source anybody may have forged, `deny_expected` those that are no news. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What the table does not need to know of a lease. */
export interface Details extends Pick<LeaseRecord, 'opened' | 'by'> {
  readonly owner: Owner;
}

/** `offset`: milliseconds from the monotonic clock to the machine's. */
export function viewOf(lease: Lease, { opened, by }: Details, offset: ClockOffset): LeaseView {
  const { endsAt, known } = lease;
  const [from, until] = [iso(opened), iso(endsAt + offset)];
  return { ...termsOf(lease), opened: from, expires: until, opened_by: by, in_force: known };
}

function termsOf(lease: Lease): LeaseTerms {
  const { id, identity, stage, addresses, certificate, sourceEnforced, job } = lease;
  const source = sourceEnforced ? 'enforced' : null;
  const client = lease.client == null ? null : prefixToText(lease.client);
  return { id, identity, stage, addresses: addresses.map(prefixToText), certificate, client, source, job };
}

/** The same as it outlives the process. */
export function recordOf(lease: Lease, { opened, by, owner }: Details, offset: ClockOffset): LeaseRecord {
  const { endsAt, quarantine } = lease;
  const expires = endsAt + offset;
  return { ...termsOf(lease), opened, expires, by, holder: holderOf(owner), quarantine };
}

export function iso(milliseconds: EpochMilliseconds): string {
  return new Date(Math.round(milliseconds)).toISOString();
}

/** A lease for the log. */
export function facts(lease: Lease, by: string | null): Record<string, unknown> {
  const { id, ...terms } = termsOf(lease);
  return { lease: id, ...terms, ...(by === null ? {} : { by }) };
}

/** Octets of chance in an id. */
const CHANCE = 6;
/** Chance for 64 ids: to draw it costs as much for all of them as for one. What was used is overwritten. */
const chance = Buffer.alloc(64 * CHANCE);
let drawn = chance.length;

/** In the order opened: milliseconds since 1970, then chance. */
export function leaseId(at: EpochMilliseconds): string {
  if (drawn === chance.length) {
    randomFillSync(chance);
    drawn = 0;
  }
  const own = chance.toString('hex', drawn, drawn + CHANCE);
  chance.fill(0, drawn, drawn + CHANCE);
  drawn += CHANCE;
  return `le-${Math.floor(at).toString(16).padStart(12, '0')}${own}`;
}

export function tellKnown(log: Log, { id, identity, stage }: Lease, known: boolean): void {
  const text = known
    ? 'the policy has the identity and stage of a lease again'
    : 'the policy has no such identity or stage for a lease: whom it binds is unknown';
  log[known ? 'info' : 'warn']('lease-unknown', text, { lease: id, identity, stage, in_force: known });
}

/** What those who keep accounts are told of a lease; `owner`: of its identity. */
export function leaseNote(
  what: 'opened' | 'live',
  lease: Lease,
  { opened, by, owner: opener }: Details,
  owner: string,
): LeaseNote {
  const { id, identity, addresses, certificate, job, sourceEnforced } = lease;
  const claim = { addresses: addresses.map(prefixToText), certificate };
  const who = { identity, owner, claim, job, opener: by, holder: holderOf(opener) };
  return { note: 'lease', what, at: opened, id, ...who, opened, enforced: sourceEnforced };
}
