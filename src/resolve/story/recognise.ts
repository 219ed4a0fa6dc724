import { findCertificate, TWO } from '../../policy/certificates.ts';
import { findAddress } from '../../policy/identity.ts';
import type { Bound, LeaseTable } from '../../policy/lease/lease.ts';
import type { Cookies } from '../client/cookies.ts';
import type { Credential } from '../client/credential.ts';
import type { Turn } from './turn.ts';

/**
 * Says who asks, anew for every query, by the strongest proof there is: a lease on certificate and address, a lease on the
 * certificate, the certificate, a lease on the address, the longest static prefix. The weaker never overrides: a
 * certificate that maps to nobody is `unknown`, wherever it is shown from. Writes `turn.asker`.
 */
export class Recogniser {
  readonly #leases: LeaseTable;
  readonly #cookies: Cookies;

  constructor(leases: LeaseTable, cookies: Cookies) {
    this.#leases = leases;
    this.#cookies = cookies;
  }

  /** Needs the client alone. */
  recognise(turn: Turn): void {
    const { asker } = turn;
    const { client } = asker;
    const { credential } = client;
    if (credential === null) this.#byAddress(turn);
    else this.#byCertificate(credential, turn);
    // It stays when the lease is over: a stream whose lease has ended is ended by its mark, even if it goes on asking.
    const bound = asker.bound as Bound | null;
    if (bound !== null && bound.lease !== '') client.lease = bound.lease;
  }

  /** Says whether the client has its address. Needs who asks, and the query, which may show a server cookie. */
  prove(turn: Turn): void {
    const { asker } = turn;
    const shown = this.#cookies.judge(turn.query, asker.client, turn.epoch, turn.reply.cookie);
    const enforced = asker.bound?.sourceEnforced === true;
    asker.proven = shown || enforced || !asker.client.spoofable;
  }

  /** What there was to tell of the certificate is told with its next query, since this one waits again untold. */
  doubtLater(turn: Turn): void {
    const { doubt, client } = turn.asker;
    if (doubt === null || client.credential === null) return;
    client.credential.foundIn = null;
    client.credential.toldIn = null;
  }

  #byCertificate(credential: Credential, turn: Turn): void {
    if (credential.fault !== null) {
      this.#take(-1, turn);
      return;
    }
    const index = this.#indexOf(credential, turn);
    const { client } = turn.asker;
    const bound =
      this.#leases.size === 0 ? null : this.#leases.byCertificate(credential.names, client, turn.now);
    if (bound !== null) {
      this.#bind(bound, turn);
      return;
    }
    this.#take(index, turn);
    const { snapshot } = turn.inForce;
    if (index < 0 && credential.toldIn !== snapshot) {
      credential.toldIn = snapshot;
      turn.asker.doubt = index === TWO ? 'certificate-of-two' : 'certificate-of-nobody';
    }
  }

  /** The certificate's identity, found once for each policy; then it is told whose address it is shown from. */
  #indexOf(credential: Credential, turn: Turn): number {
    const { snapshot } = turn.inForce;
    if (credential.foundIn !== snapshot) {
      credential.foundIn = snapshot;
      credential.index = findCertificate(snapshot.certificates, credential.names);
      const other = findAddress(snapshot.addresses, turn.asker.client);
      if (other >= 0 && other !== credential.index) {
        turn.asker.disagrees = snapshot.identities[other]!.name;
        turn.asker.doubt = 'identity-disagreement';
      }
    }
    return credential.index;
  }

  #byAddress(turn: Turn): void {
    const { asker } = turn;
    const { client } = asker;
    const bound = this.#leases.size === 0 ? null : this.#leases.byAddress(client, turn.now);
    if (bound === null) this.#take(findAddress(turn.inForce.snapshot.addresses, client), turn);
    else this.#bind(bound, turn);
    // No address speaks for an identity that wants a certificate.
    if (asker.standing.identity.proof === 'certificate') {
      asker.bound = null;
      asker.stage = null;
      this.#take(-1, turn);
    }
  }

  #take(index: number, turn: Turn): void {
    const { asker } = turn;
    asker.standing = turn.inForce.standings.at(index);
    asker.view = asker.standing.identity.view;
  }

  /** What a reload has removed, an identity or its stage, is nobody: the lease binds to `unknown`. */
  #bind(bound: Bound, turn: Turn): void {
    const standing = turn.inForce.standings.named(bound.identity);
    const { stages } = standing.identity;
    const stage = bound.stage === null ? stages[0] : stages.find(({ name }) => name === bound.stage);
    if (stage === undefined && (bound.stage !== null || stages.length > 0)) {
      this.#take(-1, turn);
      return;
    }
    const { asker } = turn;
    asker.bound = bound;
    asker.standing = standing;
    asker.stage = stage ?? null;
    asker.view = (stage ?? standing.identity).view;
  }
}
