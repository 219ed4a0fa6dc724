import type { Account } from '../../detect/account.ts';
import type { Bill } from '../../detect/bill.ts';
import { UNITS_A_BIT } from '../../detect/charge.ts';
import type { HolderKind } from '../../detect/holder.ts';
import type { BudgetSetting } from '../../settings/settings.ts';

const OCTET = 8 * UNITS_A_BIT;

/** What a key is, with 64 bits of a keyed hash of it, signed words. */
export interface PayerKey {
  readonly text: string;
  /** It is one address of IPv6. */
  readonly isSix: boolean;
  readonly low: number;
  readonly high: number;
}

/** Adds a key with its name to a bill. */
export function add(
  bill: Bill,
  kind: HolderKind,
  { text, low, high }: PayerKey,
  budget: BudgetSetting,
  times: number,
  isShared: boolean,
): Account {
  const account = addKey(bill, kind, low, high, budget, times, isShared);
  account.name(text);
  return account;
}

/** `isShared`: other machines have the key too, so that it refuses only where the policy writes so. */
export function addKey(
  bill: Bill,
  kind: HolderKind,
  low: number,
  high: number,
  { alert, contain, containsShared = false }: BudgetSetting,
  times: number,
  isShared: boolean,
): Account {
  const bound = isShared && !containsShared ? 0 : contain * times * OCTET;
  return bill.addAccount(kind, low, high, alert * times * OCTET, bound);
}
