import type { EpochMilliseconds } from '../wire/quantity.ts';
import { openHistoryToRead } from './asked-rows.ts';

/** How a pattern was used by an identity at a stage. Times are milliseconds since 1970. */
export interface PatternUse {
  readonly identity: string;
  /** Empty for none. */
  readonly stage: string;
  readonly pattern: string;
  readonly last: EpochMilliseconds;
  readonly questions: number;
}

/** Reads beside the server that writes. Throws a DatabaseRefusal where the file is no history. */
export function readPatternUse(path: string): PatternUse[] {
  const database = openHistoryToRead(path);
  try {
    // Summed up before it is joined: there may be millions of questions, and of rules and stages there are few.
    return database
      .prepare(`
        WITH used AS (
          SELECT rule, view, max(last) AS last, sum(count) AS questions FROM asked WHERE rule IS NOT NULL GROUP BY rule, view)
        SELECT rule.identity AS identity, view.stage AS stage, rule.pattern AS pattern,
          max(used.last) AS last, sum(used.questions) AS questions
        FROM used JOIN rule ON rule.number = used.rule JOIN view ON view.number = used.view
        GROUP BY rule.identity, view.stage, rule.pattern`)
      .all() as unknown as PatternUse[];
  } finally {
    database.close();
  }
}
