import { formatProblem } from '../../config/files/excerpt.ts';
import type { LoadResult } from '../../config/loaded.ts';
import { isError, type Problem } from '../../policy/problem.ts';
import { EXIT_USAGE, type Terminal } from '../terminal.ts';

/** Tells every problem with its line and caret on the standard error. */
export function complainProblems(
  terminal: Terminal,
  problems: readonly Problem[],
  sources: ReadonlyMap<string, string>,
): void {
  for (const problem of problems) {
    terminal.complain(formatProblem(problem, sources, { color: terminal.colors.err }));
  }
}

/** Tells the errors of a load that cannot be used. Returns the exit code. */
export function refuseLoad(
  terminal: Terminal,
  { problems, sources }: Pick<LoadResult, 'problems' | 'sources'>,
): number {
  complainProblems(terminal, problems.filter(isError), sources);
  return EXIT_USAGE;
}
