import { Account } from './account.ts';
import type { HolderKind } from './holder.ts';

/** Wildcards that one question is charged to at most: its rule's base, and wider ones. */
export const MAX_BASES = 8;
/** Keys for each wildcard, and the identity's own. */
export const MAX_ACCOUNTS = 10;

/** One question that wants to leave because of a wildcard, and who pays. One object is filled again and again. */
export class Bill {
  /** Wire name in lower case. */
  name: Uint8Array = new Uint8Array(1);
  nameLength = 1;
  /** 64 bits of a keyed hash of the name, signed words. */
  nameLow = 0;
  nameHigh = 0;
  /** A validator's question, whose name an upstream chose. */
  trust = false;
  /** Types that a client can ask of the name: of all wildcards that it lies under. */
  types = 0;
  /** It leaves whatever it costs: the identity is audited. */
  audited = false;
  identity = '';
  /** The rule's own wildcard first: octets of the base in wire form, and 64 bits of a keyed hash of it. */
  baseCount = 0;
  readonly baseOctets = new Int32Array(MAX_BASES);
  /** Octets of the name in front of each base; of a name that does not lie under it, which a redirect leads to, all but the root. */
  readonly frontOctets = new Int32Array(MAX_BASES);
  readonly baseLow = new Int32Array(MAX_BASES);
  readonly baseHigh = new Int32Array(MAX_BASES);
  readonly #bases = Array.from({ length: MAX_BASES }, () => new Uint8Array(255));
  /** Who pays for each wildcard. HOLDER.IDENTITY pays once. */
  accountCount = 0;
  readonly accounts: readonly Account[] = Array.from({ length: MAX_ACCOUNTS }, () => new Account());

  begin(): void {
    this.baseCount = 0;
    this.accountCount = 0;
    this.trust = false;
    this.audited = false;
  }

  /**
   * Adds a wildcard, whose base is the first `octets` octets of `name`; those beyond MAX_BASES are left out. The widest come
   * last. The bill has its name by then.
   */
  addBase(name: Uint8Array, octets: number, low: number, high: number): void {
    if (this.baseCount === MAX_BASES) return;
    const base = this.#bases[this.baseCount]!;
    for (let i = 0; i < octets; i++) base[i] = name[i]!;
    this.baseOctets[this.baseCount] = octets;
    this.frontOctets[this.baseCount] = this.#octetsInFrontOf(base, octets);
    this.baseLow[this.baseCount] = low;
    this.baseHigh[this.baseCount++] = high;
  }

  /** Whether the wildcard that is added next was the same in the bill before: then its hash still stands there. */
  hadNext(name: Uint8Array, start: number, octets: number): boolean {
    const { baseCount } = this;
    if (baseCount === MAX_BASES || this.baseOctets[baseCount] !== octets) return false;
    const base = this.#bases[baseCount]!;
    for (let i = 0; i < octets; i++) if (base[i] !== name[start + i]) return false;
    return true;
  }

  #octetsInFrontOf(base: Uint8Array, octets: number): number {
    const { name, nameLength } = this;
    const start = nameLength - octets;
    let at = 0;
    while (at < start) at += 1 + name[at]!;
    for (let i = 0; at === start && i < octets; i++) if (name[start + i] !== base[i]) at = -1;
    return at === start ? start : nameLength - 1;
  }

  /** A copy of a wildcard's base in wire form. */
  base(index: number): Uint8Array {
    return this.#bases[index]!.slice(0, this.baseOctets[index]!);
  }

  /** Adds a key, whose subject the caller names in what this returns. */
  addAccount(kind: HolderKind, low: number, high: number, alert: number, contain: number): Account {
    const account = this.accounts[this.accountCount];
    if (account === undefined) throw new RangeError('too many accounts');
    this.accountCount++;
    account.kind = kind;
    account.low = low;
    account.high = high;
    account.alert = alert;
    account.contain = contain;
    account.isShared = false;
    return account;
  }
}
