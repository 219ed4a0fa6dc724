import type { Problem } from '../policy/problem.ts';
import type { Log } from './log.ts';

/** Problems of one load that get a line each. */
const MAX_LINES = 20;

/** Tells the log of what a reload found: by then nobody reads the standard error as text. */
export function tellProblems(log: Log, problems: readonly Problem[]): void {
  for (const { severity, code, at, message, fix } of problems.slice(0, MAX_LINES)) {
    log[severity === 'error' ? 'error' : 'warn']('policy-problem', message, { code, ...at, fix });
  }
  const more = problems.length - MAX_LINES;
  if (more > 0) log.warn('policy-problem', `and ${more} more: namegate check shows all`, { more });
}
