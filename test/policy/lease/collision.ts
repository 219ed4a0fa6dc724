import { type LeaseClaim, overlaps } from '../../../src/policy/lease/lease-claim.ts';

/** Why two claims cannot be leased at once, or null. Leases may share a certificate only with disjoint addresses. */
export function collision(one: LeaseClaim, other: LeaseClaim): 'address' | 'certificate' | null {
  if (one.addresses.some((prefix) => other.addresses.some((next) => overlaps(prefix, next))))
    return 'address';
  const shared = one.certificate !== null && one.certificate === other.certificate;
  return shared && (one.addresses.length === 0 || other.addresses.length === 0) ? 'certificate' : null;
}
