import { TextFault } from '../config/problems.ts';
import { parseDuration } from '../config/units.ts';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';

/** What `--since` and `--until` take, as people and flow logs write it. */
const TIME_HELP =
  'such as 2026-11-28 (UTC), 2026-11-28T09:30+01:00, seconds since 1970, or 14d for the last 14 days';

export const SINCE_HELP = `asked then or later: ${TIME_HELP}`;

const DAY: Milliseconds = 86_400_000;
const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)? ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?$/i;

/** Times of one search, in milliseconds since 1970. */
export interface TimeSpan {
  readonly since: EpochMilliseconds;
  /** Before it; the largest safe integer for no end. */
  readonly until: EpochMilliseconds;
}

/** What two options say, or what is wrong with them. `now`: milliseconds since 1970. */
export function timeSpan(
  { since, until }: { readonly since?: string | undefined; readonly until?: string | undefined },
  now: EpochMilliseconds,
): TimeSpan | string {
  const from = since === undefined ? 0 : momentOf(since, now);
  const to = until === undefined ? Number.MAX_SAFE_INTEGER : momentOf(until, now);
  if (from === null) return `--since ${since}: write a time ${TIME_HELP}`;
  if (to === null) return `--until ${until}: write a time ${TIME_HELP}`;
  // Of a day, all of it.
  const end = until !== undefined && DATE.test(until) ? to + DAY : to;
  return from < end ? { since: from, until: end } : `--until ${until} is not after --since ${since}`;
}

/** Milliseconds since 1970, or null for what is no time. Without a zone it is UTC. */
export function momentOf(text: string, now: EpochMilliseconds): EpochMilliseconds | null {
  if (/^\d{10}$/.test(text)) return Number(text) * 1_000;
  if (/^\d{13}$/.test(text)) return Number(text);
  const duration = parseDuration(text);
  if (!(duration instanceof TextFault)) return now - duration;
  if (DATE.test(text)) return calendar(text, '00:00', ':00', 'Z');
  const [, date, minutes, seconds = ':00', zone = 'Z'] = TIME.exec(text) ?? [];
  return date === undefined ? null : calendar(date, minutes!, seconds, zone);
}

function calendar(date: string, minutes: string, seconds: string, zone: string): EpochMilliseconds | null {
  const offset = /^[+-]/.test(zone) ? zone.replace(/^(...):?/, '$1:') : 'Z';
  const at = Date.parse(`${date}T${minutes}${seconds}${offset}`);
  const day = Date.parse(`${date}T00:00Z`);
  // V8 takes 30 February for a day of March.
  if (Number.isNaN(at) || new Date(day).toISOString().slice(0, 10) !== date) return null;
  return at;
}
