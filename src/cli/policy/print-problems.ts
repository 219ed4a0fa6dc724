import { formatProblem } from '../../config/files/excerpt.ts';
import type { Problem } from '../../policy/problem.ts';
import type { Terminal } from '../terminal.ts';

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
