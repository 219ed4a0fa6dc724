import { FOREVER } from '../policy/input.ts';
import type { EpochSeconds, Milliseconds, Seconds } from '../wire/quantity.ts';
import { TextFault } from './problems.ts';

/** Regular expressions of the units for JSON Schema; the functions below decide. */
export const FORM = {
  duration: '^(0|[1-9][0-9]*)(ms|s|m|h|d)$',
  size: '^(0|[1-9][0-9]*)(B|KiB|MiB|GiB)$',
  time: '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2}))?$',
} as const;

/** Milliseconds of `300s`, `1d`: an integer and one of ms, s, m, h, d. At most 2^31 - 1 s, as a TTL (RFC 2181 §8). */
export function parseDuration(text: string): Milliseconds | TextFault {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  if (match === null) {
    const loose = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(text);
    const unit = loose === null ? undefined : DURATION_WORDS.get(loose[2]!.toLowerCase());
    const fix =
      unit === undefined
        ? 'write an integer with ms, s, m, h or d, such as 300s'
        : `write ${loose![1]}${unit}`;
    return new TextFault('duration-form', 0, `${quote(text)} is no duration`, fix);
  }
  const zeros = leadingZero(match[1]!, match[2]!, 'duration-form');
  if (zeros !== null) return zeros;
  const value = Number(match[1]) * DURATION.get(match[2]!)!;
  if (value > MAX_DURATION) {
    return new TextFault(
      'value-range',
      0,
      `${text} is longer than ${MAX_SECONDS}s`,
      `write at most ${MAX_SECONDS}s`,
    );
  }
  return value;
}

/** Seconds as `parseDuration` reads them: in the largest unit that holds them whole. */
export function secondsToText(seconds: Seconds): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
  ] as const) {
    if (seconds > 0 && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

const MAX_SECONDS: Seconds = 2 ** 31 - 1;
const MAX_DURATION: Milliseconds = MAX_SECONDS * 1000;
const DURATION = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const DURATION_WORDS = new Map([
  ['', 's'],
  ['ms', 'ms'],
  ['s', 's'],
  ['sec', 's'],
  ['secs', 's'],
  ['second', 's'],
  ['seconds', 's'],
  ['m', 'm'],
  ['min', 'm'],
  ['mins', 'm'],
  ['minute', 'm'],
  ['minutes', 'm'],
  ['h', 'h'],
  ['hour', 'h'],
  ['hours', 'h'],
  ['d', 'd'],
  ['day', 'd'],
  ['days', 'd'],
]);

/** Octets of `64MiB`: an integer and one of B, KiB, MiB, GiB. At most 1,024 GiB. */
export function parseSize(text: string): number | TextFault {
  const match = /^(\d+)(B|KiB|MiB|GiB)$/.exec(text);
  if (match === null) {
    const loose = /^\s*(\d+)\s*([kmg]?)(i?b?)\s*$/i.exec(text);
    const unit = loose === null ? undefined : loose[2] === '' ? 'B' : `${loose[2]!.toUpperCase()}iB`;
    const fix =
      unit === undefined
        ? 'write an integer with B, KiB, MiB or GiB, such as 64MiB'
        : `write ${loose![1]}${unit}`;
    return new TextFault('size-form', 0, `${quote(text)} is no size`, fix);
  }
  const zeros = leadingZero(match[1]!, match[2]!, 'size-form');
  if (zeros !== null) return zeros;
  const value = Number(match[1]) * SIZE.get(match[2]!)!;
  if (value > 2 ** 40) return new TextFault('value-range', 0, `${text} is more than 1024GiB`, 'write less');
  return value;
}

const SIZE = new Map([
  ['B', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
]);

/**
 * Seconds since 1970 of an ISO 8601 time with a zone (`2026-12-24T18:00:00Z`, `…+01:00`; seconds may be left
 * out, fractions are cut off), or of a bare date, which means the start of that day in UTC. From 1970 to
 * 2106-02-07, where FOREVER is.
 */
export function parseTime(text: string): EpochSeconds | TextFault {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?$/.exec(text);
  if (match === null) {
    const fix = meantTime(text) ?? TIME_FIX;
    return new TextFault('time-form', 0, `${quote(text)} is no time`, fix);
  }
  const [, year, month, day, hour, minute, second, zone] = match;
  if (hour !== undefined && zone === undefined) {
    return new TextFault('time-form', text.length - 1, `${text} has no zone`, `write ${text}Z if it is UTC`);
  }
  const parts = [year, month, day, hour ?? '0', minute ?? '0', second ?? '0'].map(Number) as unknown as Parts;
  const [y, mo, d, h, mi, s] = parts;
  const instant = new Date(Date.UTC(y, mo - 1, d, h, mi, s));
  const real =
    instant.getUTCFullYear() === y && instant.getUTCMonth() === mo - 1 && instant.getUTCDate() === d;
  if (!real || h > 23 || mi > 59 || s > 59) {
    return new TextFault('time-form', 0, `there is no ${text} in the calendar`, TIME_FIX);
  }
  const offset = zoneSeconds(zone ?? 'Z');
  if (offset === null)
    return new TextFault('time-form', 0, `${zone} is no zone`, 'write Z or an offset such as +01:00');
  const seconds = instant.getTime() / 1000 - offset;
  if (seconds < 0 || seconds >= FOREVER) {
    return new TextFault(
      'value-range',
      0,
      `${text} is not between 1970 and 2106-02-07`,
      'write a time between these',
    );
  }
  return seconds;
}

type Parts = [number, number, number, number, number, number];
const TIME_FIX = 'write a time such as 2027-03-31T18:00:00Z, or a date such as 2027-03-31';

/** What somebody meant who wrote a time in another common form, as a fix; null where there is more than one reading. */
export function meantTime(text: string): string | null {
  const bare = text.trim();
  if (/^\d{9,10}$/.test(bare) || /^\d{12,13}$/.test(bare)) {
    const seconds = bare.length > 10 ? Math.floor(Number(bare) / 1000) : Number(bare);
    return seconds < FOREVER ? `write ${new Date(seconds * 1000).toISOString().replace('.000', '')}` : null;
  }
  const german = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(bare);
  const date = german
    ? [german[3], german[2], german[1]]
    : (
        /^(\d{4})[-/]?(\d\d)[-/]?(\d\d)$/.exec(bare) ?? /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})$/.exec(bare)
      )?.slice(1);
  const day = date && [date[0]!, date[1]!.padStart(2, '0'), date[2]!.padStart(2, '0')].join('-');
  if (day) return isGood(day) ? `write ${day}` : null;
  const spaced = /^(\d{4}-\d\d-\d\d)[ T]+(\d\d:\d\d(?::\d\d(?:\.\d+)?)?) *(Z|UTC|GMT|[+-]\d\d:?\d\d)?$/i.exec(
    bare,
  );
  if (spaced === null) return null;
  const [, on, at, zone] = spaced as unknown as [string, string, string, string | undefined];
  const whole = `${on}T${at}${zone === undefined || /^[a-z]/i.test(zone) ? 'Z' : zone}`;
  if (!isGood(whole)) return null;
  return zone === undefined
    ? `write ${whole} if it is UTC, else with an offset such as +01:00 in place of Z`
    : `write ${whole}`;
}

function isGood(text: string): boolean {
  return !(parseTime(text) instanceof TextFault);
}

function zoneSeconds(zone: string): Seconds | null {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return null;
  return (zone[0] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

function leadingZero(digits: string, unit: string, code: 'duration-form' | 'size-form'): TextFault | null {
  if (digits === '0' || !digits.startsWith('0')) return null;
  const fix = `write ${digits.replace(/^0+(?=\d)/, '')}${unit}`;
  return new TextFault(code, 0, `${digits}${unit} has a leading zero`, fix);
}

/** A text as it may stand in a message: one line, cut when long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
