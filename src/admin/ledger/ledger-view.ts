import { TICK_MS, UNITS_A_BIT } from '../../detect/charge.ts';
import { newNames } from '../../detect/estimate.ts';
import type { Holder } from '../../detect/holder.ts';
import type { Ledger } from '../../detect/ledger.ts';
import type { JournalFault } from '../../journal/journal.ts';
import { nameToText } from '../../wire/name.ts';
import type { EpochSeconds, Tick } from '../../wire/quantity.ts';

/** What the admin API sees of the leak ledger. */
export interface LedgerDesk {
  readonly ledger: Ledger;
  readonly tick: Tick;
  /** Writes down all balances; null once they are durable. */
  writeAll(): Promise<JournalFault | null>;
}

/** By `HOLDER`: what a key is a sum over. */
export const KEYS = ['lease', 'client', 'claim', 'wildcard', 'identity'] as const;

/** One key's balance, as the API gives it. Sizes are octets. */
export interface BalanceView {
  readonly key: (typeof KEYS)[number];
  /** A lease's id, an address, a certificate's name, or an identity. */
  readonly subject: string;
  /** Null for a claim: it outlives identities. */
  readonly identity: string | null;
  /** The base; null for all wildcards together. */
  readonly wildcard: string | null;
  readonly spent: number;
  readonly alert: number | null;
  readonly contain: number | null;
  /** Until it is contained, and about how many new names of 20 octets that is. */
  readonly left: number | null;
  readonly names_left: number | null;
  /** Since when, or null. */
  readonly alerted: string | null;
  readonly contained: string | null;
}

const OCTET = 8 * UNITS_A_BIT;

/** `epoch`: seconds since 1970, now. */
export function balanceView(holder: Holder, tick: Tick, epoch: EpochSeconds): BalanceView {
  const { kind, subject, identity, base, alert, contain, alertedAt, containedAt } = holder;
  const units = holder.balance(tick);
  const left = contain === 0 ? null : Math.max(0, Math.floor((contain - units) / OCTET));
  const since = (at: Tick): string | null =>
    at < 0 ? null : isoTime(epoch - ((tick - at) * TICK_MS) / 1000);
  return {
    key: KEYS[kind],
    subject,
    identity: identity === '' ? null : identity,
    wildcard: base.length === 0 ? null : nameToText(base),
    spent: Math.ceil(units / OCTET),
    alert: alert === 0 ? null : alert / OCTET,
    contain: contain === 0 ? null : contain / OCTET,
    left,
    names_left: left === null ? null : newNames(left),
    alerted: since(alertedAt),
    contained: since(containedAt),
  };
}

/** Who is contained first, then who is nearest to it, then who has spent most. */
export function byUrgency(a: BalanceView, b: BalanceView): number {
  const contained = Number(b.contained !== null) - Number(a.contained !== null);
  return contained || shareOf(b) - shareOf(a) || b.spent - a.spent || (a.subject < b.subject ? -1 : 1);
}

function shareOf({ spent, contain, alert }: BalanceView): number {
  return contain !== null ? spent / contain : alert !== null ? spent / (2 * alert) : 0;
}

function isoTime(seconds: EpochSeconds): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}
