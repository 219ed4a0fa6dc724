/** Where something was written. Lines and columns count from 1, as editors do; columns count UTF-16 units. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Something wrong with what an operator wrote. Problems are values: they are collected, sorted by
 * position and printed all at once. `code` is stable (docs/problems.md lists them; a test holds both together),
 * `message` says what is wrong, `fix` says what to write instead.
 */
export interface Problem {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly at: Position;
  readonly message: string;
  readonly fix: string;
}

export function isError(problem: Problem): boolean {
  return problem.severity === 'error';
}

export function error(code: string, at: Position, message: string, fix: string): Problem {
  return { code, severity: 'error', at, message, fix };
}

export function warning(code: string, at: Position, message: string, fix: string): Problem {
  return { code, severity: 'warning', at, message, fix };
}
