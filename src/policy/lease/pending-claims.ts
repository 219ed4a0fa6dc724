import { type LeaseClaim, occupied, outermost } from './lease-claim.ts';
import { PrefixTree } from './prefix-tree.ts';

/**
 * Claims of leases that are not in force yet, none of which stands in the way of another. Each call costs the same however
 * many there are.
 */
export class PendingClaims {
  size = 0;
  readonly #addresses = new PrefixTree<true>();
  /** By certificate: how many claims name it with addresses, and whether one claims it whole. */
  readonly #certificates = new Map<string, { beside: number; alone: boolean }>();

  /** Why a claim cannot be leased beside these, or null. Leases may share a certificate only with disjoint addresses. */
  collision(claim: LeaseClaim): 'address' | 'certificate' | null {
    const { addresses, certificate } = claim;
    for (const prefix of occupied(claim)) if (this.#addresses.overlapping(prefix) !== null) return 'address';
    const claimed = certificate === null ? undefined : this.#certificates.get(certificate);
    return claimed !== undefined && (claimed.alone || addresses.length === 0) ? 'certificate' : null;
  }

  /** Takes a claim that collides with none. It is `delete`d once. */
  add(claim: LeaseClaim): void {
    const { addresses, certificate } = claim;
    this.size++;
    for (const prefix of outermost(occupied(claim))) this.#addresses.set(prefix, true);
    if (certificate === null) return;
    const claimed = this.#certificates.get(certificate) ?? { beside: 0, alone: false };
    if (addresses.length === 0) claimed.alone = true;
    else claimed.beside++;
    this.#certificates.set(certificate, claimed);
  }

  delete(claim: LeaseClaim): void {
    const { addresses, certificate } = claim;
    this.size--;
    for (const prefix of outermost(occupied(claim))) this.#addresses.delete(prefix);
    const claimed = certificate === null ? undefined : this.#certificates.get(certificate);
    if (claimed === undefined) return;
    if (addresses.length === 0) claimed.alone = false;
    else claimed.beside--;
    if (claimed.beside === 0 && !claimed.alone) this.#certificates.delete(certificate!);
  }
}
