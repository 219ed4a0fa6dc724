import { TICKS_A_SLICE } from '../../detect/holder.ts';
import type { Ledger } from '../../detect/ledger.ts';
import { restoreRecord } from '../../detect/ledger-state.ts';
import type { LedgerClock, LedgerMoment } from './ledger-clock.ts';

interface Stamp extends LedgerMoment {
  readonly key: string;
}

/**
 * Takes the records of a ledger's journal back into an empty ledger, and sets its clock. `key`: that of its hashes; null
 * where no record holds one, and then no balance can be found again.
 */
export function replayLedger(
  records: readonly object[],
  ledger: Ledger,
  clock: LedgerClock,
): { readonly key: Uint8Array | null; readonly skipped: number } {
  let stamp: Stamp | null = null;
  let least = 0;
  const balances: object[] = [];
  for (const record of records) {
    const line = record as { readonly stamp?: unknown; readonly holders?: unknown };
    if (line.stamp === undefined) balances.push(record);
    else {
      if (isStamp(line.stamp)) stamp = line.stamp;
      if (Array.isArray(line.holders)) for (const one of line.holders) balances.push(one);
    }
  }
  if (stamp === null) return { key: null, skipped: balances.length };
  // A balance lies in its slice: a clock behind it would lose it.
  for (const record of balances) {
    const slice = isObject(record) ? (record as { readonly slice?: unknown }).slice : 0;
    if (Number.isSafeInteger(slice)) least = Math.max(least, (slice as number) * TICKS_A_SLICE);
  }
  clock.resume(stamp, least);
  let skipped = 0;
  for (const record of balances)
    if (!isObject(record) || !restoreRecord(ledger, record, clock.now)) skipped++;
  ledger.recallUntold();
  return { key: Buffer.from(stamp.key, 'hex'), skipped };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isStamp(value: unknown): value is Stamp {
  const { key, boot, uptime, tick } = (value ?? {}) as Partial<Record<keyof Stamp, unknown>>;
  return (
    typeof key === 'string' &&
    /^[0-9a-f]{32}$/.test(key) &&
    typeof boot === 'string' &&
    typeof uptime === 'number' &&
    Number.isSafeInteger(tick) &&
    (tick as number) >= 0
  );
}
