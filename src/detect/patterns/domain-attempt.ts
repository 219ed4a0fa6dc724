import type { EpochMilliseconds, EpochTick } from '../../wire/quantity.ts';
import { TICK_MS, UNITS_A_BIT } from '../charge.ts';
import { SLICES, TICKS_A_SLICE } from '../holder.ts';
import { MOST_LONG_NAMES, type Thresholds } from './kinds.ts';

export const OCTET = 8 * UNITS_A_BIT;
export const DAY_TICKS = 86_400_000 / TICK_MS;
/** Names under one domain of which a repeat is known. */
const NAMES = 32;
/** Octets of most registered domains. */
const DOMAIN = 32;

/** What an identity's denied questions under one registered domain add up to. It is used again for another. */
export interface DomainAttempt {
  identity: string;
  /** The registered domain, in so many octets of its wire form; none for a fold. */
  domain: Uint8Array;
  domainLength: number;
  /** Units of each slice of the day, then hashes of names that were charged as new. */
  readonly sums: Int32Array;
  slice: number;
  /** Tick of the last charge, or -1. */
  last: EpochTick;
  names: number;
  /** Hash and second of each long name, as a ring. */
  long: Int32Array | null;
  longs: number;
  told: 0 | 1 | 2;
  /** When it was told. */
  toldAt: EpochTick;
  /** Units of others of its identity, with which it began. */
  base: number;
  /** It was told for these, and not for its own: all such are one finding. */
  isTogether: boolean;
  /** Questions that no sight counts yet, sights up to FIRST_SIGHTS, and the second of the last one. */
  pending: number;
  sights: number;
  sightedIn: number;
  /** The number under which it is kept, 0 for not yet, the units that were kept last, and whether they are written. */
  number: number;
  kept: number;
  isWritten: boolean;
}

/** An attempt for the next run; of a fold the domain is empty. Names are not kept: one that comes again is charged as new once more. */
export interface KeptAttempt {
  readonly identity: string;
  readonly domain: string;
  /** Null for one that is told. */
  readonly sums: readonly number[] | null;
  readonly slice: number;
  readonly last: EpochTick;
  readonly told: 0 | 1 | 2;
  readonly toldAt: EpochTick;
  readonly isTogether?: boolean;
}

export function newAttempt(): DomainAttempt {
  return emptied({ domain: new Uint8Array(DOMAIN), sums: new Int32Array(SLICES + NAMES), long: null });
}

/** The same object as a new one is. */
export function emptied(
  of: Pick<DomainAttempt, 'domain' | 'sums' | 'long'> & Partial<DomainAttempt>,
): DomainAttempt {
  of.sums.fill(0, 0, SLICES);
  const attempt = of as DomainAttempt;
  attempt.identity = '';
  attempt.domainLength = 0;
  attempt.slice = 0;
  attempt.last = -1;
  // What is beyond these counts is never read.
  attempt.names = 0;
  attempt.longs = 0;
  attempt.told = 0;
  attempt.toldAt = 0;
  attempt.base = 0;
  attempt.isTogether = false;
  attempt.pending = 0;
  attempt.sights = 0;
  attempt.sightedIn = -1;
  attempt.number = 0;
  attempt.kept = 0;
  attempt.isWritten = false;
  return attempt;
}

export function setDomain(attempt: DomainAttempt, name: Uint8Array, from: number): void {
  const length = name.length - from;
  if (attempt.domain.length < length) attempt.domain = new Uint8Array(length);
  for (let i = 0; i < length; i++) attempt.domain[i] = name[from + i]!;
  attempt.domainLength = length;
}

export function domainOf({ domain, domainLength }: DomainAttempt): Uint8Array {
  return domain.subarray(0, domainLength);
}

export function keptOf(of: DomainAttempt): KeptAttempt {
  const { identity, sums, slice, last, told, toldAt, isTogether } = of;
  return {
    identity,
    domain: Buffer.from(domainOf(of)).toString('latin1'),
    sums: told > 0 ? null : [...sums.subarray(0, SLICES)],
    slice,
    last,
    told,
    toldAt,
    ...(isTogether ? { isTogether } : {}),
  };
}

/** What `keptOf` gave, in a new object. */
export function restored({ domain, sums, ...rest }: KeptAttempt, number: number): DomainAttempt {
  const attempt = Object.assign(newAttempt(), rest, { number, isWritten: true });
  setDomain(attempt, Buffer.from(domain, 'latin1'), 0);
  if (sums !== null) attempt.sums.set(sums.slice(0, SLICES));
  attempt.kept = totalOf(attempt);
  return attempt;
}

export function totalOf({ sums }: DomainAttempt): number {
  let total = 0;
  for (let i = 0; i < SLICES; i++) total += sums[i]!;
  return total;
}

/** Adds to the units of the slice under way. */
export function add(attempt: DomainAttempt, units: number, most: number): void {
  const at = attempt.slice % SLICES;
  attempt.sums[at] = Math.min(most, attempt.sums[at]! + units);
}

/** What is told needs no sums any more. */
export function tell(attempt: DomainAttempt, told: 1 | 2, tick: EpochTick): void {
  if (attempt.told === 0) attempt.toldAt = tick;
  attempt.told = told;
  attempt.last = tick;
}

/** Takes over the sums of a fold, and none of its names. Where these are told, it is told with all others of its identity. */
export function beginWith(attempt: DomainAttempt, fold: DomainAttempt, tick: EpochTick, most: number): void {
  slide(fold, tick);
  attempt.base = totalOf(fold);
  // What the fold has is kept with it.
  attempt.kept = attempt.base;
  if (attempt.base >= most) {
    tell(attempt, 1, tick);
    attempt.isTogether = true;
    return;
  }
  attempt.slice = fold.slice;
  attempt.sums.set(fold.sums.subarray(0, SLICES));
}

/** Takes, slice by slice, the larger of two sums. */
export function foldInto(fold: DomainAttempt, evicted: DomainAttempt, tick: EpochTick): void {
  slide(evicted, tick);
  slide(fold, tick);
  fold.last = tick;
  for (let i = 0; i < SLICES; i++) fold.sums[i] = Math.max(fold.sums[i]!, evicted.sums[i]!);
}

/** Slices that are no longer in the window count nothing. Time that goes back changes nothing. */
export function slide(attempt: DomainAttempt, tick: EpochTick): void {
  const slice = Math.floor(tick / TICKS_A_SLICE);
  if (slice <= attempt.slice) return;
  const gone = Math.min(SLICES, slice - attempt.slice);
  for (let i = 1; i <= gone; i++) attempt.sums[(attempt.slice + i) % SLICES] = 0;
  attempt.slice = slice;
}

/** Whether a name was charged before; remembers it, in place of the oldest. */
export function remembers(attempt: DomainAttempt, hash: number): boolean {
  const { sums } = attempt;
  const count = Math.min(NAMES, attempt.names);
  for (let i = 0; i < count; i++) if (sums[SLICES + i] === hash) return true;
  sums[SLICES + (attempt.names++ % NAMES)] = hash;
  return false;
}

/** Whether so many different long names came within the time. */
export function isManifold(
  attempt: DomainAttempt,
  hash: number,
  at: EpochMilliseconds,
  { names, within }: NonNullable<Thresholds['attempt']>,
): boolean {
  attempt.long ??= new Int32Array(2 * MOST_LONG_NAMES);
  const { long } = attempt;
  const second = Math.floor(at / 1000);
  const count = Math.min(MOST_LONG_NAMES, attempt.longs);
  let place = -1;
  for (let i = 0; i < count; i++) if (long[2 * i] === hash) place = i;
  if (place < 0) place = attempt.longs++ % MOST_LONG_NAMES;
  long[2 * place] = hash;
  long[2 * place + 1] = second;
  const oldest = second - Math.floor(within / 1000);
  let recent = 0;
  for (let i = 0; i < Math.min(MOST_LONG_NAMES, attempt.longs); i++) if (long[2 * i + 1]! >= oldest) recent++;
  return recent >= names;
}
