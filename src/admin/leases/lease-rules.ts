import { secondsToText } from '../../config/units.ts';
import type { Lease } from '../../policy/lease/lease.ts';
import type { Identity, Snapshot } from '../../policy/snapshot.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { Seconds } from '../../wire/quantity.ts';
import type { Owner } from '../callers/owner.ts';
import { Refusal } from '../http/refusal.ts';
import type { UsedMark } from './lease-record.ts';

/** What a lease is to be, checked in form. */
export interface WantedLease {
  readonly identity: Identity;
  readonly stage: string | null;
  readonly addresses: readonly Prefix[];
  readonly certificate: string | null;
  /** The address that the firewall judges in place of `addresses`, or null. */
  readonly client: Prefix | null;
  readonly sourceEnforced: boolean;
  /** Seconds. */
  readonly ttl: Seconds;
  readonly job: Readonly<Record<string, string>> | null;
  readonly by: string;
  readonly owner: Owner;
  readonly used: readonly UsedMark[];
}

/** Whether the policy has a lease's identity and stage, and takes what it is bound to for a proof. */
export function isKnown(
  identity: Identity | undefined,
  { stage, certificate }: Pick<Lease, 'stage' | 'certificate'>,
): boolean {
  if (identity === undefined) return false;
  if (identity.proof === 'certificate' && certificate === null) return false;
  return stage === null || identity.stages.some(({ name }) => name === stage);
}

/** Stages move forward in the order written. */
export function judgeStage(identity: Identity | undefined, lease: Lease, stage: string): Refusal | null {
  const names = identity?.stages.map(({ name }) => name) ?? [];
  const next = names.indexOf(stage);
  if (next < 0)
    return Refusal.at(
      '/stage',
      `${lease.identity} has no stage ${stage}; it has: ${names.join(', ') || 'none'}`,
    );
  const present = lease.stage === null ? 0 : names.indexOf(lease.stage);
  if (present < 0) return new Refusal('stage-back', `its stage ${lease.stage} is no longer in the policy`);
  return next < present ? new Refusal('stage-back', `${stage} is before ${lease.stage}`) : null;
}

/** The TTL against what the identity allows. */
export function judgeTtl(identity: Identity | undefined, ttl: Seconds | undefined): Refusal | null {
  if (ttl === undefined) return null;
  if (identity === undefined) return Refusal.at('/ttl', 'the policy no longer has its identity');
  const most = identity.maxLease;
  return ttl > most
    ? Refusal.at('/ttl', `leases of ${identity.name} last at most ${secondsToText(most)} (${most} seconds)`)
    : null;
}

/** The identities of a policy by their names. */
export function byName({ identities }: Snapshot): ReadonlyMap<string, Identity> {
  return new Map(identities.map((identity) => [identity.name, identity]));
}
