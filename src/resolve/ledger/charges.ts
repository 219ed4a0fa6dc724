import { Bill } from '../../detect/bill.ts';
import { END } from '../../detect/charge.ts';
import type { Ledger } from '../../detect/ledger.ts';
import type { Decision } from '../../policy/decide/decision.ts';
import { wildcardTypes } from '../../policy/decide/wildcard-types.ts';
import { WildcardsAbove, wildcardsAbove } from '../../policy/decide/wildcards.ts';
import { KeyedHash } from '../../wire/half-siphash.ts';
import type { EpochSeconds, Monotonic, RrType } from '../../wire/quantity.ts';
import type { InForce } from '../in-force.ts';
import type { TrustTarget } from '../story/trust-target.ts';
import type { Asker, Turn } from '../story/turn.ts';
import type { Departures } from './departures.ts';
import type { PaidBy, PaidNames } from './paid-names.ts';
import { type Payer, Payers } from './payers.ts';

/** Who pays for a question: the turn says it, or who explains a question beside all queries. */
export interface Purse {
  readonly inForce: InForce;
  readonly now: Monotonic;
  readonly epoch: EpochSeconds;
  readonly asker: Payer & Pick<Asker, 'view'>;
}

/** Charges questions that leave because of a wildcard. It knows who pays; how much, and whether it fits, the ledger says. */
export class Charges {
  readonly ledger: Ledger;
  readonly departures: Departures;
  #hash: KeyedHash;
  #bill = new Bill();
  readonly #above = new WildcardsAbove();
  readonly #scratch = new Uint8Array(512);
  #payers: Payers;

  /** `key`: 16 octets, the same for as long as the balances are kept. */
  constructor(ledger: Ledger, departures: Departures, key: Uint8Array) {
    this.ledger = ledger;
    this.departures = departures;
    this.#hash = new KeyedHash(key);
    this.#payers = new Payers(key);
  }

  /**
   * Takes up the balances that were kept, and their key. Nothing may have been charged yet; `now` is monotonic milliseconds.
   * What several machines share, and what a lease had bound, is known from them.
   */
  takeUp(key: Uint8Array, now: Monotonic): void {
    this.#hash = new KeyedHash(key);
    this.#payers = new Payers(key);
    // What the bill holds is hashed with the key before.
    this.#bill = new Bill();
    this.#payers.takeUp(this.ledger.holders.all(), now);
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

  /**
   * Charges that a name which is kept fresh is asked for in a further hour: a bit for whoever paid for it, which keeps it for
   * another hour. For anybody else that is a choice among all that are kept, and costs as a question that leaves; from then
   * on the name is his. False where nobody may keep it longer.
   */
  chargeHour(turn: Turn, paid: PaidNames): boolean {
    if (!this.isCharged(turn)) return true;
    const key = turn.wanted.key!;
    this.#fill(turn);
    const { by } = this;
    const isOwn = paid.isPaidBy(key, by.payers);
    if (!isOwn && !paid.mayTakeOver(key, by)) return false;
    const { ledger, departures } = this;
    const { tick } = departures;
    const isCharged = isOwn ? ledger.chargeUnits(this.#bill, END, tick) : ledger.charge(this.#bill, tick);
    departures.note();
    if (isCharged && !isOwn) paid.takeOver(key, by);
    return isCharged;
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

  /** Where in its tick the last charged question leaves. Types of one name have orders of their own. */
  orderOf(type: RrType): number {
    return this.#bill.nameLow ^ Math.imul(type, 0x9e37_79b1);
  }

  /** Who pays for what was charged last. */
  get by(): PaidBy {
    const { accounts, accountCount, identity } = this.#bill;
    let payers = 0;
    for (let i = 0; i < accountCount; i++) payers ^= Math.imul(accounts[i]!.low, 2 * i + 1);
    return { client: accounts[0]!.low, payers, identity };
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
    this.#payers.add(bill, asker, inForce, terms?.budget ?? null, purse.now);
  }

  #addBase(name: Uint8Array, start: number, octets: number): void {
    const bill = this.#bill;
    const scratch = this.#scratch;
    for (let i = 0; i < octets; i++) scratch[i] = name[start + i]!;
    const { baseCount } = bill;
    if (bill.hadNext(name, start, octets)) {
      bill.addBase(scratch, octets, bill.baseLow[baseCount]!, bill.baseHigh[baseCount]!);
      return;
    }
    this.#hash.run(scratch, octets);
    bill.addBase(scratch, octets, this.#hash.low, this.#hash.high);
  }
}

/** A, AAAA and CNAME: what a wildcard approves unless its rule says otherwise. */
const DEFAULT_TYPES = 3;
