import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TextFault } from '../../config/problems.ts';
import { parseDuration, parseTime } from '../../config/units.ts';
import { HISTORY_FILE } from '../../history/history-database.ts';

export const HISTORY_HELP = 'a history, such as a copy of one (default: that of the state folder)';
export const SINCE_HELP = 'asked then or later: such as 2026-11-28T00:00:00Z, or 14d for the last 14 days';

/** The path of the history to be read, or what is wrong. `state`: the server's state folder; null where none is known. */
export function historyPath(
  option: string | undefined,
  state: string | null,
): { readonly path: string } | string {
  const path = option ?? (state === null ? null : join(state, HISTORY_FILE));
  if (path === null) return 'say which history, with --config FILE or --history FILE';
  if (existsSync(path)) return { path };
  return option === undefined
    ? `there is no ${path}: the server has not written it yet, or \`history: off\` stands in its file`
    : `there is no ${path}`;
}

/** Milliseconds since 1970, or what is wrong. `now`: the same. */
export function sinceTime(text: string | undefined, now: number): number | string {
  if (text === undefined) return 0;
  const duration = parseDuration(text);
  if (!(duration instanceof TextFault)) return now - duration;
  const time = parseTime(text);
  if (!(time instanceof TextFault)) return time * 1000;
  return `--since ${text}: write a time such as 2026-11-28T00:00:00Z, or a duration such as 14d`;
}
