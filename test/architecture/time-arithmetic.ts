/** What becomes of kinds of time in a sum, a difference or a product. The kinds are the names of types in `src/wire/quantity.ts`. */

/** Kinds that are moments, and the kind of what lies between two of them. */
const BETWEEN: Readonly<Record<string, string>> = {
  Monotonic: 'Milliseconds',
  SinceBoot: 'Milliseconds',
  EpochMilliseconds: 'Milliseconds',
  EpochSeconds: 'Seconds',
};
const DURATIONS = new Set(['Seconds', 'Milliseconds']);
export const KINDS = new Set([...Object.keys(BETWEEN), ...DURATIONS, 'ClockOffset', 'Tick', 'EpochTick']);

/** 1,000 times the one is the other. */
const THOUSAND: Readonly<Record<string, string>> = {
  Seconds: 'Milliseconds',
  EpochSeconds: 'EpochMilliseconds',
};

/** A number as it stands: 0, -1 and infinity are of every kind. */
export const ANY = 'any';

/** The kind of `a - b`; null where that is nothing. */
export function difference(a: string, b: string): string | null {
  if (b === ANY) return a;
  if (a === ANY) return DURATIONS.has(b) || b === 'Tick' || b === 'EpochTick' ? b : ANY;
  if (a === 'EpochMilliseconds' && b === 'Monotonic') return 'ClockOffset';
  if (a === 'EpochMilliseconds' && b === 'ClockOffset') return 'Monotonic';
  if (a === 'ClockOffset' && b === 'ClockOffset') return 'Milliseconds';
  if (a === b) return BETWEEN[a] ?? (DURATIONS.has(a) ? a : ANY);
  return BETWEEN[a] === b ? a : null;
}

/** The kind of `a + b`; null where that is nothing. */
export function sum(a: string, b: string): string | null {
  if (a === ANY || b === ANY) return a === ANY ? b : a;
  if ([a, b].includes('ClockOffset')) return [a, b].includes('Monotonic') ? 'EpochMilliseconds' : null;
  if (a === b) return DURATIONS.has(a) ? a : null;
  if (BETWEEN[a] === b) return a;
  return BETWEEN[b] === a ? b : null;
}

export function either(a: string | null, b: string | null): string | null {
  if (a === ANY || b === ANY) return a === ANY ? b : a;
  return a === b ? a : null;
}

export function timesThousand(kind: string | null): string | null {
  return kind === null ? null : (THOUSAND[kind] ?? null);
}

export function byThousand(kind: string | null): string | null {
  return Object.keys(THOUSAND).find((each) => THOUSAND[each] === kind) ?? null;
}
