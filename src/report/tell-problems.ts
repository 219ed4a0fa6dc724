import { isError, type Problem } from '../policy/problem.ts';
import type { Log } from './log.ts';

/** Problems of one load that get a line each. */
const MAX_LINES = 20;

/**
 * Tells the log of what a reload found: by then nobody reads the standard error as text. `known` are warnings that were told
 * before: they are counted in one line, and the set then holds the warnings of this load.
 */
export function tellProblems(log: Log, problems: readonly Problem[], known = new Set<string>()): void {
  const fresh = problems.filter((problem) => isError(problem) || !known.has(identityOf(problem)));
  for (const { severity, code, at, message, fix } of fresh.slice(0, MAX_LINES)) {
    log[severity === 'error' ? 'error' : 'warn']('policy-problem', message, { code, ...at, fix });
  }
  const more = fresh.length - MAX_LINES;
  if (more > 0) log.warn('policy-problem', `and ${more} more: namegate check shows all`, { more });
  const before = problems.length - fresh.length;
  if (before > 0) {
    log.info('policy-problem', 'warnings that were told before still stand: namegate check shows them', {
      before,
    });
  }
  known.clear();
  for (const warning of knownWarnings(problems)) known.add(warning);
}

/** What `tellProblems` need not tell again. */
export function knownWarnings(problems: readonly Problem[]): Set<string> {
  return new Set(problems.filter((problem) => !isError(problem)).map(identityOf));
}

/** A warning is the same when only its line has moved. */
function identityOf({ code, at, message }: Problem): string {
  return `${code}\u0000${at.file}\u0000${message}`;
}
