import { findCertificate, TWO } from '../../policy/certificates.ts';
import { findAddress } from '../../policy/identity.ts';
import type { Bound, LeaseTable } from '../../policy/lease.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { Credential } from '../client/credential.ts';
import type { Standings } from '../client/standing.ts';
import type { Client } from '../ports.ts';
import type { Turn } from './turn.ts';

const NO_LEASE = { lease: '' };

/**
 * Says who asks, anew for every query, by the strongest proof there is (DESIGN §3): a lease on certificate and address, a
 * lease on the certificate, the certificate, a lease on the address, the longest static prefix. The weaker never
 * overrides: a certificate that maps to nobody is `unknown`, wherever it is shown from.
 */
export class Recogniser {
  readonly #standings: Standings;
  readonly #leases: LeaseTable;
  #snapshot: Snapshot;

  constructor(snapshot: Snapshot, standings: Standings, leases: LeaseTable) {
    this.#snapshot = snapshot;
    this.#standings = standings;
    this.#leases = leases;
  }

  swap(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** Fills the turn's `standing`, `view`, `stage` and `bound`. */
  recognise(client: Client, turn: Turn): void {
    turn.bound = null;
    turn.stage = null;
    turn.doubt = null;
    turn.disagrees = null;
    const { credential } = client;
    if (credential === null) this.#byAddress(client, turn);
    else this.#byCertificate(credential, client, turn);
    // It stays when the lease is over: a stream that asks on until somebody looks ends all the same.
    const { lease } = (turn.bound as Bound | null) ?? NO_LEASE;
    if (lease !== '') client.lease = lease;
  }

  #byCertificate(credential: Credential, client: Client, turn: Turn): void {
    if (credential.fault !== null) {
      this.#take(-1, turn);
      return;
    }
    const index = this.#indexOf(credential, client, turn);
    const { family, w0, w1, w2, w3 } = client;
    const bound =
      this.#leases.size === 0
        ? null
        : this.#leases.byCertificate(credential.names, family, w0, w1, w2, w3, turn.now);
    if (bound !== null) this.#bind(bound, turn);
    else {
      this.#take(index, turn);
      if (index < 0 && credential.toldIn !== this.#snapshot) {
        credential.toldIn = this.#snapshot;
        turn.doubt = index === TWO ? 'certificate-of-two' : 'certificate-of-nobody';
      }
    }
  }

  /** The certificate's identity, found once for each policy; then it is told whose address it is shown from. */
  #indexOf(credential: Credential, client: Client, turn: Turn): number {
    const snapshot = this.#snapshot;
    if (credential.foundIn !== snapshot) {
      credential.foundIn = snapshot;
      credential.index = findCertificate(snapshot.certificates, credential.names);
      const { family, w0, w1, w2, w3 } = client;
      const other = findAddress(snapshot.addresses, family, w0, w1, w2, w3);
      if (other >= 0 && other !== credential.index) {
        turn.disagrees = snapshot.identities[other]!.name;
        turn.doubt = 'identity-disagreement';
      }
    }
    return credential.index;
  }

  #byAddress({ family, w0, w1, w2, w3 }: Client, turn: Turn): void {
    const bound = this.#leases.size === 0 ? null : this.#leases.byAddress(family, w0, w1, w2, w3, turn.now);
    if (bound === null) this.#take(findAddress(this.#snapshot.addresses, family, w0, w1, w2, w3), turn);
    else this.#bind(bound, turn);
    // No address speaks for an identity that wants a certificate.
    if (turn.standing.identity.proof === 'certificate') {
      turn.bound = null;
      turn.stage = null;
      this.#take(-1, turn);
    }
  }

  #take(index: number, turn: Turn): void {
    turn.standing = this.#standings.at(index);
    turn.view = turn.standing.identity.view;
  }

  /** What a reload has removed, an identity or its stage, is nobody: the lease binds to `unknown`. */
  #bind(bound: Bound, turn: Turn): void {
    const standing = this.#standings.named(bound.identity);
    const { stages } = standing.identity;
    const stage = bound.stage === null ? stages[0] : stages.find(({ name }) => name === bound.stage);
    if (stage === undefined && (bound.stage !== null || stages.length > 0)) {
      this.#take(-1, turn);
      return;
    }
    turn.bound = bound;
    turn.standing = standing;
    turn.stage = stage ?? null;
    turn.view = (stage ?? standing.identity).view;
  }
}
