import { createHash, timingSafeEqual } from 'node:crypto';
import { covers } from '../policy/lease.ts';
import type { Identity } from '../policy/snapshot.ts';
import type { Right, TokenGrant } from '../settings/settings.ts';
import type { Prefix } from '../wire/prefix.ts';
import type { Job } from './jobs.ts';
import { Refusal } from './refusal.ts';

/** Who asks. */
export type Caller =
  /** Whoever reaches the unix socket. */
  | { readonly kind: 'socket' }
  /** The holder of a token of the token file. */
  | { readonly kind: 'token'; readonly grant: TokenGrant; readonly from: Prefix | null }
  /** A job, by a token of its issuer. */
  | { readonly kind: 'job'; readonly job: Job; readonly from: Prefix | null };

/** The name that stands in logs and under exceptions. */
export function callerName(caller: Caller): string {
  switch (caller.kind) {
    case 'socket':
      return 'admin-socket';
    case 'token':
      return `token:${caller.grant.name}`;
    case 'job':
      return `job:${caller.job.label}`;
  }
}

/** The grant of a token, or null. The time that it takes does not depend on the token. `now`: seconds since 1970. */
export function findGrant(token: string, grants: readonly TokenGrant[], now: number): TokenGrant | null {
  const wanted = createHash('sha256').update(token).digest();
  let found: TokenGrant | null = null;
  for (const grant of grants) {
    if (timingSafeEqual(wanted, Buffer.from(grant.sha256, 'hex'))) found = grant;
  }
  return found !== null && found.until > now ? found : null;
}

export function administers(caller: Caller, identity: string | null): boolean {
  return caller.kind === 'socket' || (caller.kind === 'token' && has(caller.grant, 'administer', identity));
}

/** Whether a token has a right on an identity; null: on all of them. */
function has({ rights, identities }: TokenGrant, right: Right, identity: string | null): boolean {
  if (!rights.includes(right)) return false;
  return identities === 'all' || (identity !== null && identities.includes(identity));
}

export interface OpenRequest {
  readonly stage: string | null;
  readonly addresses: readonly Prefix[];
  readonly certificate: string | null;
}

/** Null where the caller may open such a lease. Who does not administer opens at the first stage, and for what is its own. */
export function judgeOpening(caller: Caller, identity: Identity, wanted: OpenRequest): Refusal | null {
  if (administers(caller, identity.name)) return null;
  if (caller.kind === 'socket') return null;
  if (caller.kind === 'token' && !has(caller.grant, 'open', identity.name)) {
    return forbidden(`${callerName(caller)} may not open leases of ${identity.name}`);
  }
  if (caller.kind === 'job' && !caller.job.isOf(identity)) {
    return forbidden(`the claims of the token are not those of ${identity.name}`);
  }
  const first = identity.stages[0]?.name ?? null;
  if (wanted.stage !== first) return forbidden(`who does not administer opens at the first stage, ${first}`);
  const granted = caller.kind === 'token' ? caller.grant : NOTHING;
  const own = [...granted.addresses, ...(caller.from === null ? [] : [caller.from])];
  if (!wanted.addresses.every((prefix) => own.some((one) => covers(one, prefix)))) {
    return forbidden(
      caller.kind === 'job'
        ? 'a job opens a lease for the address that it calls from, and no other'
        : `${callerName(caller)} may not bind these addresses`,
    );
  }
  if (wanted.certificate !== null && !granted.certificates.includes(wanted.certificate)) {
    return forbidden(`${callerName(caller)} may not bind this certificate`);
  }
  return null;
}

const NOTHING: Pick<TokenGrant, 'addresses' | 'certificates'> = { addresses: [], certificates: [] };

/** A lease, as far as rights on it go. */
export interface HeldLease {
  readonly identity: string;
  /** The job that opened it by its own token, or null. */
  readonly holder: string | null;
}

/** Null where the caller may see the lease. */
export function maySee(caller: Caller, { identity, holder }: HeldLease): boolean {
  switch (caller.kind) {
    case 'socket':
      return true;
    case 'token':
      return caller.grant.identities === 'all' || caller.grant.identities.includes(identity);
    case 'job':
      return caller.job.holder === holder;
  }
}

/** Whether the caller may end the lease or give it more time: a job its own. */
export function mayEnd(caller: Caller, lease: HeldLease): boolean {
  if (administers(caller, lease.identity)) return true;
  if (caller.kind === 'token') return has(caller.grant, 'advance', lease.identity);
  return maySee(caller, lease);
}

/** Whether the caller may move the lease to another stage: a job its own, where the identity says so. */
export function mayAdvance(caller: Caller, lease: HeldLease, identity: Identity | null): boolean {
  if (!mayEnd(caller, lease)) return false;
  return caller.kind !== 'job' || (identity?.selfAdvance === true && caller.job.isOf(identity));
}

export function forbidden(detail: string): Refusal {
  return new Refusal('forbidden', detail);
}
