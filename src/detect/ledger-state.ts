import type { Tick } from '../wire/quantity.ts';
import { HOLDER, Holder, type HolderKind, SLICES } from './holder.ts';
import type { Ledger } from './ledger.ts';

/** A holder on disk. A later record of the same key replaces an earlier one, so that reading twice changes nothing. */
export interface HolderRecord {
  readonly kind: HolderKind;
  readonly low: number;
  readonly high: number;
  readonly subject: string;
  readonly identity: string;
  /** The base's wire octets, hexadecimal. */
  readonly base: string;
  readonly fold: string;
  /** Number of the last slice, and units by slice number modulo SLICES; what was reserved counts as spent. */
  readonly slice: number;
  readonly spent: readonly number[];
  readonly alert: number;
  readonly contain: number;
  /** Ticks, or -1. */
  readonly alertedAt: Tick;
  readonly containedAt: Tick;
  /** Crossings that nobody was told of, as bits; left out where there are none. */
  readonly untold?: number;
  /** Several machines have the key; left out where one has. */
  readonly shared?: true;
  /** Of an orderly stop alone: the tick of the last charge, and the names that are paid for, base64 of little-endian words. */
  readonly last?: Tick;
  readonly names?: string;
}

export interface FoldRecord {
  readonly fold: string;
  readonly slice: number;
  readonly spent: readonly number[];
}

/**
 * A holder as it has to be on disk before a question that it paid for leaves. With `exact` what is reserved is given back:
 * only where nothing is charged any more.
 */
export function holderRecord(holder: Holder, tick: Tick, exact: boolean): HolderRecord {
  holder.balance(tick);
  const { spent, slice } = holder.sums;
  const drawn = Array.from(spent);
  if (!exact) drawn[slice % SLICES] = drawn[slice % SLICES]! + holder.reserved;
  const { kind, low, high, subject, identity, base, fold, alert, contain, alertedAt, containedAt, untold } =
    holder;
  const record = {
    kind,
    low,
    high,
    subject,
    identity,
    base: Buffer.from(base).toString('hex'),
    fold,
    slice,
    spent: drawn,
    alert,
    contain,
    alertedAt,
    containedAt,
    ...(untold === 0 ? {} : { untold }),
    ...(holder.isShared ? { shared: true as const } : {}),
  };
  if (!exact) return record;
  const { names } = holder;
  const octets = Buffer.alloc(names.length * 4);
  names.forEach((word, i) => {
    octets.writeInt32LE(word, i * 4);
  });
  return { ...record, last: holder.last, names: octets.toString('base64') };
}

/** All that has to be on disk, the holders that were charged last at the end. */
export function* ledgerRecords(
  ledger: Ledger,
  tick: Tick,
  exact: boolean,
): Generator<HolderRecord | FoldRecord> {
  for (const [fold, slice, spent] of ledger.holders.folds()) yield { fold, slice, spent: Array.from(spent) };
  for (const holder of [...ledger.holders.all()].reverse()) yield holderRecord(holder, tick, exact);
}

/** Takes a record back. Returns false for what is no record of this version, and changes nothing then. */
export function restoreRecord(ledger: Ledger, record: object, tick: Tick): boolean {
  if (isFold(record)) {
    ledger.holders.restoreFold(record.fold, record.slice, Float64Array.from(record.spent), tick);
    return true;
  }
  if (!isHolder(record)) return false;
  const { kind, low, high, subject, identity, base, fold, slice, spent } = record;
  let holder = ledger.holders.find(kind, low, high);
  if (holder === null) {
    holder = new Holder(kind, subject, identity, Buffer.from(base, 'hex'), low, high, fold);
    ledger.holders.add(holder, tick);
  }
  const { octets } = holder;
  holder.reset();
  holder.takeOver(Float64Array.from(spent), slice, tick);
  holder.alert = record.alert;
  holder.contain = record.contain;
  holder.alertedAt = record.alertedAt;
  holder.untold = record.untold ?? 0;
  holder.isShared = record.shared === true;
  holder.last = record.last ?? -1;
  if (record.names !== undefined) {
    const words = Buffer.from(record.names, 'base64');
    for (let at = 0; at + 12 <= words.length; at += 12) {
      holder.restoreName(words.readInt32LE(at), words.readInt32LE(at + 4), words.readInt32LE(at + 8));
    }
  }
  ledger.holders.touch(holder, octets);
  ledger.restoreContainment(holder, record.containedAt);
  return true;
}

function isSums(slice: unknown, spent: unknown): boolean {
  return (
    Number.isSafeInteger(slice) &&
    (slice as number) >= 0 &&
    Array.isArray(spent) &&
    spent.length === SLICES &&
    spent.every((units) => typeof units === 'number' && units >= 0 && Number.isFinite(units))
  );
}

function isFold(record: object): record is FoldRecord {
  const { fold, slice, spent, kind } = record as Partial<HolderRecord>;
  return kind === undefined && typeof fold === 'string' && isSums(slice, spent);
}

function isHolder(record: object): record is HolderRecord {
  const one = record as Partial<Record<keyof HolderRecord, unknown>>;
  const words = [one.low, one.high].every(
    (word) => typeof word === 'number' && word === Math.trunc(word) && Math.abs(word) <= 2 ** 31,
  );
  const texts = [one.subject, one.identity, one.base, one.fold].every((text) => typeof text === 'string');
  const numbers = [one.alert, one.contain, one.alertedAt, one.containedAt].every(Number.isFinite);
  const untold = one.untold === undefined || Number.isSafeInteger(one.untold);
  const kinds: readonly unknown[] = Object.values(HOLDER);
  return kinds.includes(one.kind) && words && texts && numbers && untold && isSums(one.slice, one.spent);
}
