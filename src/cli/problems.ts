import { formatProblem } from '../config/excerpt.ts';
import type { Problem } from '../policy/problem.ts';
import { complain, useColor } from './terminal.ts';

/** Prints every problem with its line and caret on the standard error. */
export function complainProblems(problems: readonly Problem[], sources: ReadonlyMap<string, string>): void {
  for (const problem of problems) {
    complain(formatProblem(problem, sources, { color: useColor(process.stderr) }));
  }
}
