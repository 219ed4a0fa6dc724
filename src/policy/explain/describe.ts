import type { EpochSeconds, Seconds } from '../../wire/quantity.ts';
import type { IdentityTerms } from '../input.ts';
import type { Identity } from '../snapshot.ts';

/** An identity as interfaces show it: dates in ISO 8601, times in seconds. */
export interface DescribedIdentity {
  readonly name: string;
  readonly owner: string;
  readonly workload: string | null;
  readonly review_by: string | null;
  /** Also where no review is written. */
  readonly review_overdue: boolean;
  readonly mode: 'enforce' | 'audit';
  readonly proof: 'any' | 'certificate';
  readonly addresses: readonly string[];
  readonly certificates: readonly string[];
  /** Each with its issuer among the claims. */
  readonly claims: readonly Readonly<Record<string, string>>[];
  /** In the order in which a lease enters them. */
  readonly stages: readonly string[];
  readonly max_lease: Seconds;
  readonly self_advance: boolean;
  readonly quarantine: Seconds;
  readonly undetected: IdentityTerms['undetected'];
  /** What it expects to be denied. */
  readonly expected: readonly {
    readonly name: string;
    readonly reason: string;
    readonly until: string;
    readonly owner: string;
  }[];
}

/** `now`: seconds since 1970. */
export function describeIdentity(identity: Identity, now: EpochSeconds): DescribedIdentity {
  const { name, owner, workload, reviewBy, auditUntil, proof, addresses, certificates, claims } = identity;
  return {
    name,
    owner,
    workload,
    review_by: reviewBy === null ? null : isoSeconds(reviewBy),
    review_overdue: reviewBy === null || reviewBy <= now,
    mode: auditUntil > now ? 'audit' : 'enforce',
    proof,
    addresses,
    certificates,
    claims: claims.map(({ issuer, values }) => ({ ...values, issuer })),
    stages: identity.stages.map((stage) => stage.name),
    max_lease: identity.maxLease,
    self_advance: identity.selfAdvance,
    quarantine: identity.quarantine,
    undetected: identity.undetected,
    expected: identity.expected.map((each) => ({ ...each, until: isoSeconds(each.until) })),
  };
}

function isoSeconds(seconds: EpochSeconds): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
