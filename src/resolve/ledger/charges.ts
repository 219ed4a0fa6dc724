import { Bill } from '../../detect/bill.ts';
import { END, UNITS_A_BIT } from '../../detect/charge.ts';
import { HOLDER, type HolderKind } from '../../detect/holder.ts';
import type { Ledger } from '../../detect/ledger.ts';
import type { Decision } from '../../policy/decide/decision.ts';
import { WildcardsAbove, wildcardsAbove } from '../../policy/decide/wildcards.ts';
import type { BudgetSetting } from '../../settings/settings.ts';
import type { Milliseconds, Seconds } from '../../wire/quantity.ts';
import { SipHash } from '../client/siphash.ts';
import type { InForce } from '../in-force.ts';
import type { Client } from '../ports.ts';
import type { TrustTarget } from '../story/trust-target.ts';
import type { Asker, Turn } from '../story/turn.ts';
import { ClaimedNames } from './claimed-names.ts';
import type { Departures } from './departures.ts';

const OCTET = 8 * UNITS_A_BIT;
/** A rule's `budget` is the lease's; a claim may have as many times more. */
const CLAIM_TIMES = 4;

/** Who pays for a question: the turn says it, or who explains a question beside all queries. */
export interface Purse {
  readonly inForce: InForce;
  readonly now: Milliseconds;
  readonly epoch: Seconds;
  readonly asker: Pick<Asker, 'standing' | 'view' | 'bound'> & {
    /** Null where nobody asks now: then a lease, what it binds, and the identity pay. */
    readonly client: Client | null;
  };
}

/** Charges questions that leave because of a wildcard. It knows who pays; how much, and whether it fits, the ledger says. */
export class Charges {
  readonly ledger: Ledger;
  readonly departures: Departures;
  #hash: SipHash;
  readonly #bill = new Bill();
  readonly #above = new WildcardsAbove();
  readonly #scratch = new Uint8Array(512);
  readonly #claimed = new ClaimedNames();

  /** `key`: 16 octets, the same for as long as the balances are kept. */
  constructor(ledger: Ledger, departures: Departures, key: Uint8Array) {
    this.ledger = ledger;
    this.departures = departures;
    this.#hash = new SipHash(key);
  }

  /** Takes the key of balances that were kept. Nothing may have been charged yet. */
  useKey(key: Uint8Array): void {
    this.#hash = new SipHash(key);
  }

  /** Whether a question for `turn.wanted` would be charged: a wildcard decided it, or led to it. */
  isCharged(turn: Turn): boolean {
    const { inForce, asker, decision, epoch, course } = turn;
    if (course.trust !== null) return course.trust.base.length > 0;
    wildcardsAbove(inForce.snapshot, asker.view, decision, epoch, this.#above);
    return this.#above.count > 0;
  }

  /**
   * Charges the question that `isCharged` was just asked about. False: it must not leave. An audited one leaves whatever it
   * costs, and then `ledger.refusedBy` says that it would not have.
   */
  charge(turn: Turn): boolean {
    this.#fill(turn);
    const paid = this.ledger.charge(this.#bill, this.departures.tick);
    if (!paid) this.departures.note();
    return paid;
  }

  /**
   * Whether a question of whoever would pay, decided as `decision` says, would be refused. `name`: what would leave. Changes
   * nothing.
   */
  isContained(purse: Purse, name: Uint8Array, decision: Decision): boolean {
    const { inForce, asker, epoch } = purse;
    wildcardsAbove(inForce.snapshot, asker.view, decision, epoch, this.#above);
    if (this.#above.count === 0 || asker.standing.identity.auditUntil > epoch) return false;
    this.#fillFor(purse, name, name.length, decision, decision.subject.name.length, null);
    return !this.ledger.quote(this.#bill, this.departures.tick);
  }

  /** Whether the asker is contained under the wildcard that decided. Changes nothing. */
  isHeld(turn: Turn): boolean {
    if (!this.isCharged(turn)) return false;
    this.#fill(turn);
    return this.ledger.isContained(this.#bill);
  }

  /** Charges one bit: a paid name is asked about in another hour. */
  chargeBit(turn: Turn): boolean {
    if (!this.isCharged(turn)) return true;
    this.#fill(turn);
    const paid = this.ledger.chargeUnits(this.#bill, END, this.departures.tick);
    this.departures.note();
    return paid;
  }

  /** Ends the states of keys whose window has moved on. */
  sweep(): void {
    this.ledger.sweep(this.departures.tick);
  }

  /**
   * Whether a bound stands over what was charged last. Without one its moment need not be hidden in a tick, and its name is
   * not kept fresh: nobody would run out of anything.
   */
  get isBounded(): boolean {
    const { accounts, accountCount } = this.#bill;
    for (let i = 0; i < accountCount; i++) if (accounts[i]!.contain > 0) return true;
    return false;
  }

  /** Where in its tick the last charged question leaves. */
  get order(): number {
    return this.#bill.nameLow;
  }

  /** Who pays first: the lease's or the client's key, as a number for tables that are bounded a client. */
  get payer(): number {
    return this.#bill.accounts[0]!.low;
  }

  #fill(turn: Turn): void {
    const { wanted, decision, query, course } = turn;
    this.#fillFor(turn, wanted.name, wanted.nameLength, decision, query.nameLength, course.trust);
  }

  /** `decision` is that of a name of `decidedLength` octets; `#above` holds its wildcards. */
  #fillFor(
    purse: Purse,
    name: Uint8Array,
    nameLength: number,
    decision: Decision,
    decidedLength: number,
    trust: TrustTarget | null,
  ): void {
    const bill = this.#bill;
    const { asker, inForce } = purse;
    bill.begin();
    bill.name = name;
    bill.nameLength = nameLength;
    this.#hash.run(name, nameLength);
    bill.nameLow = this.#hash.low;
    bill.nameHigh = this.#hash.high;
    bill.identity = asker.standing.identity.name;
    bill.audited = asker.standing.identity.auditUntil > purse.epoch;
    const { rules } = inForce.snapshot;
    const terms = trust === null ? rules.terms[rules.term[decision.rule]!]! : trust.terms;
    bill.trust = trust !== null;
    bill.types = terms?.types?.length ?? DEFAULT_TYPES;
    if (trust !== null) {
      this.#addBase(trust.base, 0, trust.base.length);
      for (const base of trust.wider) this.#addBase(base, 0, base.length);
    } else {
      const { subject } = decision;
      for (let i = 0; i < this.#above.count; i++) {
        const labels = this.#above.labels[i]!;
        const start = labels === 0 ? decidedLength - 1 : subject.labels[subject.labelCount - labels]!;
        this.#addBase(subject.name, start, decidedLength - start);
      }
    }
    this.#addAccounts(purse, terms?.budget ?? null);
  }

  #addBase(name: Uint8Array, start: number, octets: number): void {
    const scratch = this.#scratch;
    for (let i = 0; i < octets; i++) scratch[i] = name[start + i]!;
    this.#hash.run(scratch, octets);
    this.#bill.addBase(scratch, octets, this.#hash.low, this.#hash.high);
  }

  #addAccounts({ asker, now, inForce }: Purse, budget: BudgetSetting | null): void {
    const { client, bound, standing } = asker;
    const { lease_wildcard, claim_wildcard, identity_wildcard, identity } = inForce.budgets;
    const own = budget ?? lease_wildcard;
    const claim =
      budget === null
        ? claim_wildcard
        : { alert: budget.alert * CLAIM_TIMES, contain: budget.contain * CLAIM_TIMES };
    const leased = bound !== null && bound.lease !== '';
    if (leased) this.#add(HOLDER.LEASE, bound.lease, own, false);
    let address = '';
    if (client !== null) {
      const certificate = certificateName(client.credential?.names ?? null);
      // A /64 is many machines, or one that has 2^64 addresses: it alerts, and is denied to nobody.
      const isMany = client.family === 6 && !isMapped(client);
      address = addressText(client);
      const isShared = certificate !== null && this.#claimed.isShared(certificate, address, isMany, now);
      // What several machines show is none of them: each is held to its own address.
      if (!leased) {
        if (certificate !== null && !isShared) this.#add(HOLDER.CLIENT, certificate, own, false);
        else this.#add(HOLDER.CLIENT, address, own, isMany);
      }
      this.#add(HOLDER.CLAIM, address, claim, isMany);
      if (certificate !== null) this.#add(HOLDER.CLAIM, certificate, claim, isShared);
    }
    // A job that has an address of IPv4 and one of IPv6 is one machine, by either.
    const bindings = bound?.claims ?? NO_CLAIMS;
    for (let i = 0; i < bindings.length; i++) {
      if (bindings[i] !== address) this.#add(HOLDER.CLAIM, bindings[i]!, claim, false);
    }
    this.#add(HOLDER.WILDCARD, standing.identity.name, identity_wildcard, false);
    this.#add(HOLDER.IDENTITY, standing.identity.name, identity, false);
  }

  #add(kind: HolderKind, subject: string, { alert, contain }: BudgetSetting, alertOnly: boolean): void {
    const scratch = this.#scratch;
    const length = Math.min(subject.length, scratch.length - 1);
    scratch[0] = kind;
    for (let i = 0; i < length; i++) scratch[i + 1] = subject.charCodeAt(i);
    this.#hash.run(scratch, length + 1);
    const { low, high } = this.#hash;
    this.#bill.addAccount(kind, low, high, subject, alert * OCTET, alertOnly ? 0 : contain * OCTET);
  }
}

const NO_CLAIMS: readonly string[] = [];

/** A, AAAA and CNAME: what a wildcard approves unless its rule says otherwise. */
const DEFAULT_TYPES = 3;

/** The name that policy knows a certificate by, never its fingerprint: that is another with every renewal. */
function certificateName(names: readonly string[] | null): string | null {
  return names?.find((name) => !name.startsWith('sha256:')) ?? null;
}

type Words = Client;

function isMapped({ w0, w1, w2 }: Words): boolean {
  return w0 === 0 && w1 === 0 && w2 === 0xffff;
}

/** `192.0.2.1`, or the /64 of an IPv6 address. */
function addressText(client: Words): string {
  if (client.family === 4 || isMapped(client)) {
    const word = client.family === 4 ? client.w0 : client.w3;
    return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
  }
  const groups = [client.w0 >>> 16, client.w0 & 0xffff, client.w1 >>> 16, client.w1 & 0xffff];
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}
