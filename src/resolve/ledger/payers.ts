import { MOST_ADDRESS } from '../../detect/account.ts';
import type { Bill } from '../../detect/bill.ts';
import { HOLDER, type Holder, type HolderKind } from '../../detect/holder.ts';
import { findCertificate, NONE } from '../../policy/certificates.ts';
import type { Bound } from '../../policy/lease/bound.ts';
import type { CertificateTable } from '../../policy/snapshot.ts';
import type { BudgetSetting } from '../../settings/settings.ts';
import { KeyedHash } from '../../wire/half-siphash.ts';
import { isMapped } from '../../wire/ip-address.ts';
import type { Monotonic } from '../../wire/quantity.ts';
import type { Credential } from '../client/credential.ts';
import type { Standing } from '../client/standing.ts';
import type { InForce } from '../in-force.ts';
import type { Client } from '../ports.ts';
import { ClaimedNames } from './claimed-names.ts';
import { writeMachine, writeSix } from './client-address.ts';
import { LeasedAddresses } from './leased-addresses.ts';
import { add, addKey, type PayerKey } from './payer-keys.ts';

/** A rule's `budget` is the lease's; a claim may have as many times more. */
const CLAIM_TIMES = 4;

/** Who asks. */
export interface Payer {
  readonly standing: Standing;
  readonly bound: Bound | null;
  /** Null where nobody asks now: then a lease, what it binds, and the identity pay. */
  readonly client: Client | null;
}

/** The name that a certificate pays by, under the policy that had `table`. */
interface Certificate {
  readonly subject: PayerKey;
  /** The policy has it. */
  readonly isRecognised: boolean;
  readonly table: CertificateTable;
}

interface Leased {
  readonly lease: PayerKey | null;
  /** The name of the certificate that it binds, or null: a fingerprint is none. */
  readonly certificate: PayerKey | null;
  readonly claims: readonly PayerKey[];
}

/**
 * Which keys pay for a question: the lease or the client, its claims, and the identity. What does not change is hashed once,
 * and an address is made no text of, so that nothing is allocated for a question.
 */
export class Payers {
  readonly #hash: KeyedHash;
  readonly #claimed = new ClaimedNames();
  readonly #leased = new LeasedAddresses();
  readonly #identities = new WeakMap<Standing, PayerKey>();
  readonly #leases = new WeakMap<Bound, Leased>();
  readonly #certificates = new WeakMap<Credential, Certificate>();
  /** The last client: it asks again most of the time, and then nothing is hashed. */
  readonly #last = { family: 0, w0: 0, w1: 0, w2: 0, w3: 0 };
  /** Its machine as text, in the first `#length` octets, and the hash of that. */
  readonly #address = new Uint8Array(MOST_ADDRESS);
  #length = 0;
  #low = 0;
  #high = 0;
  /** The hash of its address of IPv6, once it was wanted. */
  #isSixHashed = false;
  #sixLow = 0;
  #sixHigh = 0;
  readonly #scratch = new Uint8Array(512);

  /** `key`: 16 octets, the same for as long as the balances are kept. */
  constructor(key: Uint8Array) {
    this.#hash = new KeyedHash(key);
  }

  /** Takes up from balances that were kept what several machines share, and what a lease had bound. */
  takeUp(holders: Iterable<Holder>, now: Monotonic): void {
    for (const { kind, subject, isShared } of holders) {
      if (kind !== HOLDER.CLAIM) continue;
      if (isShared) this.#claimed.recall(subject, now);
      const { isSix, low, high } = this.#subjectOf(subject);
      if (!isSix) continue;
      this.#leased.note(subject, low, high, now);
    }
  }

  /** Adds who pays to a bill. `budget`: the rule's own, or null. */
  add(
    bill: Bill,
    { client, bound, standing }: Payer,
    { budgets, snapshot }: Pick<InForce, 'budgets' | 'snapshot'>,
    budget: BudgetSetting | null,
    now: Monotonic,
  ): void {
    const own = budget ?? budgets.lease_wildcard;
    const claim = budget ?? budgets.claim_wildcard;
    const times = budget === null ? 1 : CLAIM_TIMES;
    const leased = bound === null ? NO_LEASE : this.#leasedBy(bound);
    if (leased.lease !== null) add(bill, HOLDER.LEASE, leased.lease, own, 1, false);
    if (client !== null) {
      const { credential } = client;
      const table = snapshot.certificates;
      const certificate =
        credential === null ? null : this.#certificateOf(credential, table, leased.certificate !== null);
      this.#addClient(bill, client, certificate, leased.lease === null ? own : null, claim, times, now);
    }
    if (leased.certificate !== null)
      this.#addCertificate(bill, client, leased.certificate, claim, times, now);
    // A job that has an address of IPv4 and one of IPv6 is one machine, by either.
    for (let i = 0; i < leased.claims.length; i++) {
      const subject = leased.claims[i]!;
      const { text, isSix, low, high } = subject;
      if (client !== null && low === this.#low && high === this.#high) continue;
      add(bill, HOLDER.CLAIM, subject, claim, times, false);
      if (isSix) this.#leased.note(text, low, high, now);
    }
    if (client?.family === 6 && !this.#leased.isEmpty)
      this.#addLeased(bill, client, claim, times, leased.claims, now);
    const identity = this.#identityOf(standing);
    add(bill, HOLDER.WILDCARD, identity, budgets.identity_wildcard, 1, false);
    add(bill, HOLDER.IDENTITY, identity, budgets.identity, 1, false);
  }

  /** What the client is by itself: its address and its certificate. `own`: null under a lease. */
  #addClient(
    bill: Bill,
    client: Client,
    certificate: PayerKey | null,
    own: BudgetSetting | null,
    claim: BudgetSetting,
    times: number,
    now: Monotonic,
  ): void {
    this.#meet(client);
    // A /64 is many machines, or one that has 2^64 addresses: it alerts, and is denied to nobody unless the policy says so.
    const isMany = client.family === 6 && !isMapped(client);
    const isShared =
      certificate !== null && this.#claimed.isShared(certificate.text, this.#low, this.#high, isMany, now);
    // What several machines show is none of them: each is held to its own address.
    if (own !== null) {
      if (certificate !== null && !isShared) add(bill, HOLDER.CLIENT, certificate, own, 1, false);
      else this.#addAddress(bill, HOLDER.CLIENT, own, 1, isMany);
    }
    this.#addAddress(bill, HOLDER.CLAIM, claim, times, isMany);
    if (certificate === null) return;
    add(bill, HOLDER.CLAIM, certificate, claim, times, isShared).isShared = isShared;
  }

  /** What a lease binds pays beside the name that the policy knows: either may be what it goes on by after the lease. */
  #addCertificate(
    bill: Bill,
    client: Client | null,
    subject: PayerKey,
    claim: BudgetSetting,
    times: number,
    now: Monotonic,
  ): void {
    for (let i = 0; i < bill.accountCount; i++) {
      const { kind, low, high } = bill.accounts[i]!;
      if (kind === HOLDER.CLAIM && low === subject.low && high === subject.high) return;
    }
    const isMany = client !== null && client.family === 6 && !isMapped(client);
    const isShared =
      client === null
        ? this.#claimed.isKnownShared(subject.text, now)
        : this.#claimed.isShared(subject.text, this.#low, this.#high, isMany, now);
    add(bill, HOLDER.CLAIM, subject, claim, times, isShared).isShared = isShared;
  }

  #meet(client: Client): void {
    const { family, w0, w1, w2, w3 } = client;
    const last = this.#last;
    // Of IPv4 the first word is the whole address, whatever the others hold.
    const isFour = family === 4;
    const isSame =
      family === last.family &&
      w0 === last.w0 &&
      (isFour || (w1 === last.w1 && w2 === last.w2 && w3 === last.w3));
    if (isSame) return;
    last.family = family;
    last.w0 = w0;
    last.w1 = w1;
    last.w2 = w2;
    last.w3 = w3;
    this.#length = writeMachine(client, this.#address, 0);
    this.#hash.run(this.#address, this.#length);
    this.#low = this.#hash.low;
    this.#high = this.#hash.high;
    this.#isSixHashed = false;
  }

  /** An address that a lease has bound by itself goes on in its claim, whatever it asks as now. */
  #addLeased(
    bill: Bill,
    client: Client,
    budget: BudgetSetting,
    times: number,
    claims: readonly PayerKey[],
    now: Monotonic,
  ): void {
    if (!this.#isSixHashed) {
      this.#hash.run(this.#scratch, writeSix(client, this.#scratch, 0));
      this.#isSixHashed = true;
      this.#sixLow = this.#hash.low;
      this.#sixHigh = this.#hash.high;
    }
    const low = this.#sixLow;
    const high = this.#sixHigh;
    const text = this.#leased.find(low, high, now);
    if (text === null) return;
    for (let i = 0; i < claims.length; i++) if (claims[i]!.low === low && claims[i]!.high === high) return;
    addKey(bill, HOLDER.CLAIM, low, high, budget, times, false).name(text);
  }

  #addAddress(bill: Bill, kind: HolderKind, budget: BudgetSetting, times: number, isShared: boolean): void {
    const account = addKey(bill, kind, this.#low, this.#high, budget, times, isShared);
    account.nameOctets(this.#address, 0, this.#length);
  }

  #identityOf(standing: Standing): PayerKey {
    let subject = this.#identities.get(standing);
    if (subject === undefined) {
      subject = this.#subjectOf(standing.identity.name);
      this.#identities.set(standing, subject);
    }
    return subject;
  }

  #leasedBy(bound: Bound): Leased {
    let leased = this.#leases.get(bound);
    if (leased === undefined) {
      leased = this.#readLease(bound);
      this.#leases.set(bound, leased);
    }
    return leased;
  }

  /** By itself: a function with a closure in it allocates at each call, made or not. */
  #readLease({ lease, certificate, claims }: Bound): Leased {
    const name = certificate ?? '';
    return {
      lease: lease === '' ? null : this.#subjectOf(lease),
      certificate: name === '' || isFingerprint(name) ? null : this.#subjectOf(name),
      claims: (claims ?? []).map((text) => this.#subjectOf(text)),
    };
  }

  /**
   * The name that the policy recognises a certificate by, never its fingerprint: that is another with every renewal, and so may
   * be its other names. Where the policy has none of them, the first, unless a lease names another. Null for none.
   */
  #certificateOf(credential: Credential, table: CertificateTable, isLeased: boolean): PayerKey | null {
    let known = this.#certificates.get(credential);
    if (known?.table !== table) {
      known = this.#readCertificate(credential, table);
      this.#certificates.set(credential, known);
    }
    if (known.subject.text === '' || (isLeased && !known.isRecognised)) return null;
    return known.subject;
  }

  #readCertificate(credential: Credential, table: CertificateTable): Certificate {
    const names = credential.names.filter((name) => !isFingerprint(name));
    const name = names.find((one) => findCertificate(table, [one]) !== NONE);
    return { subject: this.#subjectOf(name ?? names[0] ?? ''), isRecognised: name !== undefined, table };
  }

  #subjectOf(text: string): PayerKey {
    const scratch = this.#scratch;
    const length = Math.min(text.length, scratch.length);
    for (let i = 0; i < length; i++) scratch[i] = text.charCodeAt(i);
    this.#hash.run(scratch, length);
    return { text, isSix: SINGLE_SIX.test(text), low: this.#hash.low, high: this.#hash.high };
  }
}

const NO_LEASE: Leased = { lease: null, certificate: null, claims: [] };

function isFingerprint(name: string): boolean {
  return name.startsWith('sha256:');
}

/** One address of IPv6: names of certificates and addresses of other forms are not written so. */
const SINGLE_SIX = /^(?=.*:)[0-9a-f:]{2,39}$/;
