import type { Tick } from '../wire/quantity.ts';
import type { Account } from './account.ts';
import { type Bill, MAX_ACCOUNTS, MAX_BASES } from './bill.ts';
import { END, UNITS_A_BIT } from './charge.ts';
import { CROSSING, type Crossing } from './crossing.ts';
import { HOLDER, Holder } from './holder.ts';
import { HolderTable } from './holder-table.ts';
import { costOf } from './question-cost.ts';
import { Unwritten } from './unwritten.ts';

/** What is written ahead at once: 32 octets. */
export const RESERVATION = 32 * 8 * UNITS_A_BIT;
/** Names that are kept for a finding are so far apart, as a share of the threshold: not every one costs a copy. */
const SAMPLE_STEP = 1 / 16;
const MOST_HOLDERS = 10_000;
const MOST_OCTETS = 20 * 1024 * 1024;

/**
 * The leak ledger: for each key, how many bits its client can have put upstream through a wildcard. A question that would
 * cross a key's bound is refused before it leaves. Time is in ticks since a beginning that is never later than the first
 * charge, and never goes back. Nothing here knows of clocks, files or the policy.
 */
export class Ledger {
  readonly holders: HolderTable;
  /** Holders whose reservation grew, or whose state did: the caller writes them down before the question leaves, and empties the list. */
  readonly unwritten = new Unwritten();
  /** What the caller tells people, and empties. */
  readonly crossings: Crossing[] = [];
  /** Of the last `charge` or `quote`: the key that refuses, or null. */
  refusedBy: Holder | Account | null = null;
  /** Of the last `charge` or `quote`: units of the question for its own wildcard's strictest key. */
  cost = 0;
  /** Of the last `quote`: units that the key with the least had left. */
  left = 0;
  readonly #contained = new Set<Holder>();
  readonly #found: (Holder | null)[] = new Array(MAX_BASES * MAX_ACCOUNTS).fill(null);
  readonly #costs = new Float64Array(MAX_BASES * MAX_ACCOUNTS);
  /** A key of the last `quote` has no holder yet. */
  #isMissing = false;
  /** Where each holder remembers the name, or -1. */
  readonly #places = new Int32Array(MAX_BASES * MAX_ACCOUNTS);

  constructor(mostHolders = MOST_HOLDERS, mostOctets = MOST_OCTETS) {
    this.holders = new HolderTable(mostHolders, mostOctets);
  }

  /**
   * Charges a question to all its keys, or to none and returns false: it must not leave. An audited one is charged whatever
   * it crosses, and then `refusedBy` says so.
   */
  charge(bill: Bill, tick: Tick): boolean {
    const fits = this.quote(bill, tick);
    this.#holdFound(bill);
    if (!fits) this.#tellContained(bill, tick);
    if (!fits && !bill.audited) return false;
    for (let base = 0; base < bill.baseCount; base++) {
      for (let i = 0; i < bill.accountCount; i++) {
        const account = bill.accounts[i]!;
        if (account.kind === HOLDER.IDENTITY && base > 0) continue;
        const at = base * MAX_ACCOUNTS + i;
        this.#pay(this.#holderOf(bill, base, i, tick), account, bill, at, tick);
      }
    }
    return true;
  }

  /** Whoever pays moves to the front before a holder is added: an eviction then takes nobody of this bill. */
  #holdFound(bill: Bill): void {
    if (!this.#isMissing) return;
    for (let base = 0; base < bill.baseCount; base++) {
      for (let i = 0; i < bill.accountCount; i++) {
        const holder = this.#found[base * MAX_ACCOUNTS + i];
        if (holder && (base === 0 || holder.kind !== HOLDER.IDENTITY)) this.holders.toFront(holder);
      }
    }
  }

  /** Charges so many units to all keys of the bill, or to none and returns false. Names do not matter. */
  chargeUnits(bill: Bill, units: number, tick: Tick): boolean {
    this.quote(bill, tick);
    for (let i = 0; i < bill.accountCount; i++) {
      const account = bill.accounts[i]!;
      if (account.contain === 0) continue;
      const spent = this.#spentOf(this.#found[i] ?? null, bill, 0, account, tick);
      if (spent + units + END > account.contain) return false;
    }
    this.#holdFound(bill);
    for (let base = 0; base < bill.baseCount; base++) {
      for (let i = 0; i < bill.accountCount; i++) {
        const account = bill.accounts[i]!;
        if (account.kind === HOLDER.IDENTITY && base > 0) continue;
        const holder = this.#holderOf(bill, base, i, tick);
        this.#spend(holder, units, tick);
        this.holders.touch(holder, holder.octets);
      }
    }
    return true;
  }

  /** Whether a question would be paid for. Changes nothing. */
  quote(bill: Bill, tick: Tick): boolean {
    this.refusedBy = null;
    this.cost = 0;
    this.left = Number.POSITIVE_INFINITY;
    this.#isMissing = false;
    for (let base = 0; base < bill.baseCount; base++) {
      for (let i = 0; i < bill.accountCount; i++) {
        const account = bill.accounts[i]!;
        if (account.kind === HOLDER.IDENTITY && base > 0) continue;
        const at = base * MAX_ACCOUNTS + i;
        const holder = this.#find(bill, base, account);
        this.#found[at] = holder;
        if (holder === null) this.#isMissing = true;
        const place = holder === null ? -1 : holder.placeOf(bill.nameLow, bill.nameHigh, tick);
        const cost = costOf(bill, base, account.kind, place, holder?.last ?? -1, tick);
        this.#costs[at] = cost;
        this.#places[at] = place;
        // A wider wildcard refuses only what its own rules decide.
        if (base > 0) continue;
        this.cost = Math.max(this.cost, cost);
        if (account.contain === 0) continue;
        const left = account.contain - END - this.#spentOf(holder, bill, base, account, tick);
        if (left < this.left) this.left = left;
        if (cost > left) this.refusedBy ??= holder ?? account;
      }
    }
    return this.refusedBy === null;
  }

  /** Keys that are contained. */
  get contained(): number {
    return this.#contained.size;
  }

  /** Whether a key of the bill's own wildcard is contained. */
  isContained(bill: Bill): boolean {
    for (let i = 0; i < bill.accountCount; i++) {
      const account = bill.accounts[i]!;
      if (account.contain > 0 && (this.#find(bill, 0, account)?.containedAt ?? -1) >= 0) return true;
    }
    return false;
  }

  /** Ends the states of keys whose window has moved on: called now and then. */
  sweep(tick: Tick): void {
    for (const holder of this.#contained) {
      // Room for a name or two: a single short one may fit all the time.
      const free = holder.contain === 0 || holder.balance(tick) + RESERVATION <= holder.contain;
      if (holder.containedAt >= 0 && !free) continue;
      this.#contained.delete(holder);
      if (holder.containedAt < 0) continue;
      holder.containedAt = -1;
      this.#cross(CROSSING.END, holder);
    }
  }

  /** Forgets the balance of the holders that `which` names; returns how many there were. Their folds go too. */
  reset(which: (holder: Holder) => boolean): Holder[] {
    const gone: Holder[] = [];
    // A copy: whoever is touched moves to the front.
    for (const holder of [...this.holders.all()]) {
      if (!which(holder)) continue;
      this.#contained.delete(holder);
      const { octets, containedAt } = holder;
      holder.reset();
      if (containedAt >= 0) this.#cross(CROSSING.END, holder);
      this.holders.touch(holder, octets);
      this.holders.forgetFold(holder.fold);
      holder.reserved = 0;
      this.unwritten.add(holder);
      gone.push(holder);
    }
    return gone;
  }

  /** For what comes back from disk: `since` is a tick, or -1. */
  restoreContainment(holder: Holder, since: Tick): void {
    holder.containedAt = since;
    if (since >= 0) this.#contained.add(holder);
    else this.#contained.delete(holder);
  }

  /** Says that a crossing was told: after a crash it is not told again. */
  told({ what, holder }: Crossing): void {
    holder.untold &= ~(1 << what);
    this.#note(holder);
  }

  /** After everything came back from disk: what was not told before the crash is told now. */
  recallUntold(): void {
    for (const holder of this.holders.all()) {
      for (const what of Object.values(CROSSING))
        if ((holder.untold & (1 << what)) !== 0) this.crossings.push({ what, holder });
    }
  }

  #cross(what: Crossing['what'], holder: Holder): void {
    holder.untold |= 1 << what;
    this.crossings.push({ what, holder });
    this.#note(holder);
  }

  /** One that was evicted has left its sums elsewhere: its record would stand for whoever came after it. */
  #note(holder: Holder): void {
    if (this.holders.find(holder.kind, holder.low, holder.high) === holder) this.unwritten.add(holder);
  }

  /** Of a key that has no holder, what it would begin with. */
  #spentOf(holder: Holder | null, bill: Bill, base: number, account: Account, tick: Tick): number {
    return holder?.balance(tick) ?? this.holders.foldedBalance(foldOf(bill, base, account), tick);
  }

  #find(bill: Bill, base: number, { kind, low, high }: Account): Holder | null {
    if (kind === HOLDER.IDENTITY) return this.holders.find(kind, low, high);
    return this.holders.find(kind, low ^ bill.baseLow[base]!, high ^ bill.baseHigh[base]!);
  }

  /**
   * The holder of a key that `quote` looked for, made where there is none. Its thresholds are those of the wildcard that decides
   * under it: a narrower one's say nothing of a wider key, but where nothing else has been said of it.
   */
  #holderOf(bill: Bill, base: number, index: number, tick: Tick): Holder {
    const account = bill.accounts[index]!;
    const found = this.#found[base * MAX_ACCOUNTS + index] ?? null;
    const holder = found ?? this.#add(bill, base, account, tick);
    if (base > 0 && found !== null) return holder;
    holder.alert = account.alert;
    holder.contain = account.contain;
    return holder;
  }

  #add(bill: Bill, base: number, account: Account, tick: Tick): Holder {
    const all = account.kind === HOLDER.IDENTITY;
    const name = bill.base(base);
    const holder = new Holder(
      account.kind,
      account.subject,
      account.kind === HOLDER.CLAIM ? '' : bill.identity,
      all ? name.subarray(0, 0) : name,
      all ? account.low : account.low ^ bill.baseLow[base]!,
      all ? account.high : account.high ^ bill.baseHigh[base]!,
      foldOf(bill, base, account),
    );
    this.holders.add(holder, tick);
    return holder;
  }

  #pay(holder: Holder, account: Account, bill: Bill, at: number, tick: Tick): void {
    const place = this.#places[at]!;
    holder.isShared = account.isShared;
    const { octets } = holder;
    if (place < 0) holder.remember(bill.nameLow, bill.nameHigh, tick);
    else holder.refresh(place, tick);
    const balance = this.#spend(holder, this.#costs[at]!, tick);
    // From half way to what it is told for the last few new names are kept.
    const first = holder.alert === 0 ? holder.contain : holder.alert;
    if (place < 0 && first > 0 && balance * 2 >= first && holder.wantsSample(first * SAMPLE_STEP))
      holder.addSample(bill.name, bill.nameLength);
    this.holders.touch(holder, octets);
    holder.last = tick;
  }

  #spend(holder: Holder, cost: number, tick: Tick): number {
    const balance = holder.spend(cost, tick);
    holder.reserved -= cost;
    if (holder.reserved < 0) {
      holder.reserved += Math.ceil(-holder.reserved / RESERVATION) * RESERVATION;
      this.unwritten.add(holder);
    }
    if (holder.alert === 0 || balance + END < holder.alert) holder.alertedAt = -1;
    else if (holder.alertedAt < 0) {
      holder.alertedAt = tick;
      this.#cross(CROSSING.ALERT, holder);
    }
    return balance;
  }

  /** Notes every key of the question's own wildcard that refuses it. */
  #tellContained(bill: Bill, tick: Tick): void {
    for (let i = 0; i < bill.accountCount; i++) {
      const account = bill.accounts[i]!;
      if (account.contain === 0) continue;
      const holder = this.#holderOf(bill, 0, i, tick);
      this.#found[i] = holder;
      if (holder.balance(tick) + END + this.#costs[i]! <= account.contain) continue;
      if (holder.containedAt >= 0) continue;
      holder.containedAt = tick;
      holder.addSample(bill.name, bill.nameLength);
      this.#contained.add(holder);
      this.#cross(CROSSING.CONTAIN, holder);
    }
  }
}

/** Evicted holders of one identity and wildcard share a fold by kind; claims belong to no identity. */
function foldOf(bill: Bill, base: number, { kind }: Account): string {
  const whose = kind === HOLDER.CLAIM ? '' : bill.identity;
  return `${kind} ${bill.baseLow[base]} ${bill.baseHigh[base]} ${whose}`;
}
