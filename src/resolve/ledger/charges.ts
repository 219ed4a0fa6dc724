import { type Account, MOST_ADDRESS } from '../../detect/account.ts';
import { Bill } from '../../detect/bill.ts';
import { END, UNITS_A_BIT } from '../../detect/charge.ts';
import { HOLDER, type HolderKind } from '../../detect/holder.ts';
import type { Ledger } from '../../detect/ledger.ts';
import type { Decision } from '../../policy/decide/decision.ts';
import { wildcardTypes } from '../../policy/decide/wildcard-types.ts';
import { WildcardsAbove, wildcardsAbove } from '../../policy/decide/wildcards.ts';
import type { BudgetSetting } from '../../settings/settings.ts';
import type { Milliseconds, Seconds } from '../../wire/quantity.ts';
import { SipHash } from '../client/siphash.ts';
import type { InForce } from '../in-force.ts';
import type { Client } from '../ports.ts';
import type { TrustTarget } from '../story/trust-target.ts';
import type { Asker, Turn } from '../story/turn.ts';
import { ClaimedNames } from './claimed-names.ts';
import { type ClientWords, isMapped, writeMachine, writeSix } from './client-address.ts';
import type { Departures } from './departures.ts';
import { LeasedAddresses } from './leased-addresses.ts';

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
  /** The client's address as text. */
  readonly #address = new Uint8Array(MOST_ADDRESS);
  readonly #claimed = new ClaimedNames();
  readonly #leased = new LeasedAddresses();

  /** `key`: 16 octets, the same for as long as the balances are kept. */
  constructor(ledger: Ledger, departures: Departures, key: Uint8Array) {
    this.ledger = ledger;
    this.departures = departures;
    this.#hash = new SipHash(key);
  }

  /**
   * Takes up the balances that were kept, and their key. Nothing may have been charged yet; `now` is monotonic milliseconds.
   * What several machines share, and what a lease had bound, is known from them.
   */
  takeUp(key: Uint8Array, now: Milliseconds): void {
    this.#hash = new SipHash(key);
    for (const { kind, subject, isShared } of this.ledger.holders.all()) {
      if (kind !== HOLDER.CLAIM) continue;
      if (isShared) this.#claimed.recall(subject, now);
      if (!isSingleSix(subject)) continue;
      this.#hashText(kind, subject);
      this.#leased.note(subject, this.#hash.low, this.#hash.high, now);
    }
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
    if (trust !== null) {
      bill.types = terms?.types?.length ?? DEFAULT_TYPES;
      this.#addBase(trust.base, 0, trust.base.length);
      for (const base of trust.wider) this.#addBase(base, 0, base.length);
    } else {
      bill.types = wildcardTypes(inForce.snapshot, asker.standing.identity, decision);
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
    const claim = budget ?? claim_wildcard;
    const times = budget === null ? 1 : CLAIM_TIMES;
    const leased = bound !== null && bound.lease !== '';
    if (leased) this.#add(HOLDER.LEASE, bound.lease, own, 1, false);
    const length = client === null ? 0 : writeMachine(client, this.#address, 0);
    if (client !== null) this.#addClient(client, length, leased ? null : own, claim, times, now);
    // A job that has an address of IPv4 and one of IPv6 is one machine, by either.
    const bindings = bound?.claims ?? NO_CLAIMS;
    for (let i = 0; i < bindings.length; i++) {
      const text = bindings[i]!;
      if (this.#isAddress(text, length)) continue;
      const { low, high } = this.#add(HOLDER.CLAIM, text, claim, times, false);
      if (isSingleSix(text)) this.#leased.note(text, low, high, now);
    }
    if (client?.family === 6 && !this.#leased.isEmpty) this.#addLeased(client, claim, times, bindings, now);
    this.#add(HOLDER.WILDCARD, standing.identity.name, identity_wildcard, 1, false);
    this.#add(HOLDER.IDENTITY, standing.identity.name, identity, 1, false);
  }

  /** What the client is by itself: its address, in the first `length` octets of `#address`, and its certificate. `own`: null under a lease. */
  #addClient(
    client: Client,
    length: number,
    own: BudgetSetting | null,
    claim: BudgetSetting,
    times: number,
    now: Milliseconds,
  ): void {
    const certificate = certificateName(client.credential?.names ?? null);
    // A /64 is many machines, or one that has 2^64 addresses: it alerts, and is denied to nobody unless the policy says so.
    const isMany = client.family === 6 && !isMapped(client);
    this.#hash.run(this.#address, length);
    const { low, high } = this.#hash;
    const isShared = certificate !== null && this.#claimed.isShared(certificate, low, high, isMany, now);
    // What several machines show is none of them: each is held to its own address.
    if (own !== null) {
      if (certificate !== null && !isShared) this.#add(HOLDER.CLIENT, certificate, own, 1, false);
      else this.#addAddress(HOLDER.CLIENT, length, own, 1, isMany);
    }
    this.#addAddress(HOLDER.CLAIM, length, claim, times, isMany);
    if (certificate === null) return;
    this.#add(HOLDER.CLAIM, certificate, claim, times, isShared).isShared = isShared;
  }

  /** An address that a lease has bound by itself goes on in its claim, whatever it asks as now. */
  #addLeased(
    client: ClientWords,
    budget: BudgetSetting,
    times: number,
    bindings: readonly string[],
    now: Milliseconds,
  ): void {
    const scratch = this.#scratch;
    scratch[0] = HOLDER.CLAIM;
    this.#hash.run(scratch, 1 + writeSix(client, scratch, 1));
    const text = this.#leased.find(this.#hash.low, this.#hash.high, now);
    if (text !== null && !bindings.includes(text)) this.#add(HOLDER.CLAIM, text, budget, times, false);
  }

  /** Whether the client's address, in the first `length` octets of `#address`, is this text. */
  #isAddress(text: string, length: number): boolean {
    if (text.length !== length) return false;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== this.#address[i]) return false;
    return true;
  }

  #hashText(kind: HolderKind, text: string): void {
    const scratch = this.#scratch;
    const length = Math.min(text.length, scratch.length - 1);
    scratch[0] = kind;
    for (let i = 0; i < length; i++) scratch[i + 1] = text.charCodeAt(i);
    this.#hash.run(scratch, length + 1);
  }

  #add(kind: HolderKind, subject: string, budget: BudgetSetting, times: number, isShared: boolean): Account {
    this.#hashText(kind, subject);
    const account = this.#addHashed(kind, budget, times, isShared);
    account.name(subject);
    return account;
  }

  /** The client's address, in the first `length` octets of `#address`: no text is made of it. */
  #addAddress(
    kind: HolderKind,
    length: number,
    budget: BudgetSetting,
    times: number,
    isShared: boolean,
  ): void {
    const scratch = this.#scratch;
    scratch[0] = kind;
    for (let i = 0; i < length; i++) scratch[i + 1] = this.#address[i]!;
    this.#hash.run(scratch, length + 1);
    this.#addHashed(kind, budget, times, isShared).nameOctets(this.#address, 0, length);
  }

  /** `isShared`: other machines have the key too, so that it refuses only where the policy writes so. */
  #addHashed(
    kind: HolderKind,
    { alert, contain, containsShared = false }: BudgetSetting,
    times: number,
    isShared: boolean,
  ): Account {
    const { low, high } = this.#hash;
    const bound = isShared && !containsShared ? 0 : contain * times * OCTET;
    return this.#bill.addAccount(kind, low, high, alert * times * OCTET, bound);
  }
}

const NO_CLAIMS: readonly string[] = [];

/** A, AAAA and CNAME: what a wildcard approves unless its rule says otherwise. */
const DEFAULT_TYPES = 3;

/** The name that policy knows a certificate by, never its fingerprint: that is another with every renewal. */
function certificateName(names: readonly string[] | null): string | null {
  return names?.find((name) => !name.startsWith('sha256:')) ?? null;
}

/** Whether a claim is one address of IPv6: names of certificates and addresses of other forms are not written so. */
function isSingleSix(subject: string): boolean {
  return subject.includes(':') && SINGLE_SIX.test(subject);
}

const SINGLE_SIX = /^[0-9a-f:]{2,39}$/;
