import type { Position, Problem } from '../policy/problem.ts';
import type { ProblemCode } from './codes.ts';

/** Problems kept for one file; the rest is counted. A list of a million bad lines is one mistake. */
export const MAX_PROBLEMS = 1_000;

/**
 * Why a text inside a value is refused. `offset` counts UTF-16 units from the text's start.
 * A `PatternFault` is one too.
 */
export interface Fault {
  readonly code: string;
  readonly offset: number;
  readonly message: string;
  readonly fix: string;
}

/** A Fault of this room. */
export class TextFault implements Fault {
  readonly code: ProblemCode;
  readonly offset: number;
  readonly message: string;
  readonly fix: string;

  constructor(code: ProblemCode, offset: number, message: string, fix: string) {
    this.code = code;
    this.offset = offset;
    this.message = message;
    this.fix = fix;
  }
}

/** What is wrong with the form of what was read, in the order in which it was noticed. */
export class Problems {
  readonly #list: Problem[] = [];
  readonly #perFile = new Map<string, number>();
  #lost = false;

  error(code: ProblemCode, at: Position, message: string, fix: string): void {
    this.#add({ code, severity: 'error', at, message, fix });
  }

  warn(code: ProblemCode, at: Position, message: string, fix: string): void {
    this.#add({ code, severity: 'warning', at, message, fix });
  }

  /** A fault of a text whose character `fault.offset` stands at `at`. */
  fault(fault: Fault, at: Position): void {
    this.#add({ code: fault.code, severity: 'error', at, message: fault.message, fix: fault.fix });
  }

  /** Names or rules could not be read, so that what seems to be missing elsewhere may stand there. */
  lose(): void {
    this.#lost = true;
  }

  get lost(): boolean {
    return this.#lost;
  }

  get list(): readonly Problem[] {
    return this.#list;
  }

  #add(problem: Problem): void {
    const count = (this.#perFile.get(problem.at.file) ?? 0) + 1;
    this.#perFile.set(problem.at.file, count);
    if (count <= MAX_PROBLEMS) this.#list.push(problem);
    else if (count === MAX_PROBLEMS + 1) {
      const message = `more than ${MAX_PROBLEMS} problems in this file; the rest is not shown`;
      this.#list.push({
        code: 'problems-more',
        severity: 'error',
        at: problem.at,
        message,
        fix: 'mend the first ones',
      });
    }
  }
}

/** By file, line and column; of two at one place the error comes first. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      compare(a.at.file, b.at.file) ||
      a.at.line - b.at.line ||
      a.at.column - b.at.column ||
      compare(a.severity, b.severity) ||
      compare(a.code, b.code),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
