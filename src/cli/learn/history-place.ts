import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HISTORY_FILE } from '../../history/history-database.ts';

export const HISTORY_HELP = 'a history, such as a copy of one (default: that of the state folder)';

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
