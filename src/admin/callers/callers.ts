import { createHash, timingSafeEqual } from 'node:crypto';
import { covers, occupied } from '../../policy/lease/lease-claim.ts';
import type { Identity } from '../../policy/snapshot.ts';
import type { Right, TokenRights } from '../../settings/settings.ts';
import type { Prefix } from '../../wire/prefix.ts';
import { type EpochSeconds, unreachable } from '../../wire/quantity.ts';
import { Refusal } from '../http/refusal.ts';
import type { Job } from './jobs.ts';
import { isSameOwner, type JobOwner, type Owner, tokenName } from './owner.ts';

/** Who asks. */
export type Caller =
  /** Whoever reaches the unix socket. */
  | { readonly kind: 'socket' }
  /** The holder of a token of the token file. */
  | { readonly kind: 'token'; readonly token: TokenRights; readonly from: Prefix | null }
  /** A job, by a token of its issuer. */
  | {
      readonly kind: 'job';
      readonly job: Job;
      readonly owner: JobOwner;
      readonly from: Prefix | null;
    }
  /** The holder of a good token of an issuer that names no job: it opens, sees and ends nothing. */
  | { readonly kind: 'no-job'; readonly label: string };

/** The name that stands in logs and under exceptions. */
export function callerName(caller: Caller): string {
  switch (caller.kind) {
    case 'socket':
      return 'admin-socket';
    case 'token':
      return tokenName(caller.token.name);
    case 'job':
      return `job:${caller.job.label}`;
    case 'no-job':
      return `no job:${caller.label}`;
    default:
      unreachable(caller);
  }
}

/** What a token may, or null. The time that it takes does not depend on the token. `now`: seconds since 1970. */
export function findRights(
  token: string,
  tokens: readonly TokenRights[],
  now: EpochSeconds,
): TokenRights | null {
  const wanted = createHash('sha256').update(token).digest();
  let found: TokenRights | null = null;
  for (const each of tokens) {
    if (timingSafeEqual(wanted, Buffer.from(each.sha256, 'hex'))) found = each;
  }
  return found !== null && found.until > now ? found : null;
}

export function administers(caller: Caller, identity: string | null): boolean {
  return caller.kind === 'socket' || (caller.kind === 'token' && has(caller.token, 'administer', identity));
}

/** Whether the caller may know what clients of an identity asked, past their own leases; null: of all identities. */
export function mayRead(caller: Caller, identity: string | null): boolean {
  return administers(caller, identity) || (caller.kind === 'token' && has(caller.token, 'read', identity));
}

/** The identities of which the caller may know what their clients asked; null: all of them. */
export function readable(caller: Caller): readonly string[] | null {
  if (mayRead(caller, null)) return null;
  if (caller.kind !== 'token' || caller.token.identities === 'all') return [];
  return caller.token.identities.filter((identity) => mayRead(caller, identity));
}

/** Whether a token has a right on an identity; null: on all of them. */
function has({ rights, identities }: TokenRights, right: Right, identity: string | null): boolean {
  if (!rights.includes(right)) return false;
  return identities === 'all' || (identity !== null && identities.includes(identity));
}

export interface OpenRequest {
  readonly stage: string | null;
  readonly addresses: readonly Prefix[];
  readonly certificate: string | null;
  /** The address that the firewall judges in place of `addresses`, or null. */
  readonly client: Prefix | null;
  readonly sourceEnforced: boolean;
}

/** Null where the caller may open such a lease. Who does not administer opens at the first stage, and for what is its own. */
export function judgeOpening(caller: Caller, identity: Identity, wanted: OpenRequest): Refusal | null {
  if (administers(caller, identity.name)) return null;
  if (wanted.sourceEnforced) return forbidden('who does not administer cannot say that a source is enforced');
  if (caller.kind === 'socket') return null;
  if (caller.kind === 'no-job') return forbidden(NO_JOB);
  if (caller.kind === 'token' && !has(caller.token, 'open', identity.name)) {
    return forbidden(`${callerName(caller)} may not open leases of ${identity.name}`);
  }
  if (caller.kind === 'job' && !caller.job.isOf(identity)) {
    return forbidden(`the claims of the token are not those of ${identity.name}`);
  }
  const first = identity.stages[0]?.name ?? null;
  if (wanted.stage !== first) return forbidden(`who does not administer opens at the first stage, ${first}`);
  const held = caller.kind === 'token' ? caller.token : NOTHING;
  const own = [...held.addresses, ...(caller.from === null ? [] : [caller.from])];
  // What is granted to an address is as good as a lease on it.
  if (!occupied(wanted).every((prefix) => own.some((one) => covers(one, prefix)))) {
    return forbidden(
      caller.kind === 'job'
        ? 'a job opens a lease for the address that it calls from, and no other'
        : `${callerName(caller)} may not bind these addresses`,
    );
  }
  if (wanted.certificate !== null && !held.certificates.includes(wanted.certificate)) {
    return forbidden(`${callerName(caller)} may not bind this certificate`);
  }
  return null;
}

const NOTHING: Pick<TokenRights, 'addresses' | 'certificates'> = { addresses: [], certificates: [] };

const NO_JOB = 'the token names no job: run_id with run_attempt and check_run_id, or job_id';

/** As whom the caller opens leases; what names no job is nobody. */
export function openerOf(caller: Caller): Owner | Refusal {
  switch (caller.kind) {
    case 'socket':
      return { kind: 'socket' };
    case 'token':
      return { kind: 'token', name: caller.token.name };
    case 'job':
      return caller.owner;
    case 'no-job':
      return forbidden(NO_JOB);
    default:
      unreachable(caller);
  }
}

/** A lease, as far as rights on it go. */
export interface HeldLease {
  readonly identity: string;
  readonly owner: Owner;
}

/** Whether the caller may see the lease: a token those of its identities, a job its own. */
export function maySee(caller: Caller, { identity, owner }: HeldLease): boolean {
  switch (caller.kind) {
    case 'socket':
      return true;
    case 'token':
      return isListed(caller.token, identity);
    case 'job':
      return isSameOwner(caller.owner, owner);
    case 'no-job':
      return false;
    default:
      unreachable(caller);
  }
}

/** Whether the caller may know all of an identity: its exceptions, and that there is none of this name. */
export function mayInspect(caller: Caller, identity: string): boolean {
  switch (caller.kind) {
    case 'socket':
      return true;
    case 'token':
      return isListed(caller.token, identity);
    case 'job':
    case 'no-job':
      return false;
    default:
      unreachable(caller);
  }
}

/** Whether the caller may know of every identity, and of the server itself. */
export function mayInspectAll(caller: Caller): boolean {
  return caller.kind === 'socket' || (caller.kind === 'token' && caller.token.identities === 'all');
}

/** Whether the caller may see what the policy says of an identity: a job that of its own. */
export function maySeeIdentity(caller: Caller, identity: Identity): boolean {
  return caller.kind === 'job' ? caller.job.isOf(identity) : mayInspect(caller, identity.name);
}

function isListed({ identities }: TokenRights, identity: string): boolean {
  return identities === 'all' || identities.includes(identity);
}

/** Whether the caller may end the lease or give it more time: a job its own. */
export function mayEnd(caller: Caller, lease: HeldLease): boolean {
  switch (caller.kind) {
    case 'socket':
      return true;
    case 'token':
      return administers(caller, lease.identity) || has(caller.token, 'advance', lease.identity);
    case 'job':
      return isSameOwner(caller.owner, lease.owner);
    case 'no-job':
      return false;
    default:
      unreachable(caller);
  }
}

/** Whether the caller may move the lease to another stage: a job its own, where the identity says so. */
export function mayAdvance(caller: Caller, lease: HeldLease, identity: Identity | null): boolean {
  if (!mayEnd(caller, lease)) return false;
  return caller.kind !== 'job' || (identity?.selfAdvance === true && caller.job.isOf(identity));
}

export function forbidden(detail: string): Refusal {
  return new Refusal('forbidden', detail);
}
