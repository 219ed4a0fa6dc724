import type { EpochMilliseconds } from '../wire/quantity.ts';
import { openHistoryToRead } from './asked-rows.ts';

/** What the history says of an identity. Times are milliseconds since 1970. */
export interface IdentityUse {
  readonly identity: string;
  readonly last: EpochMilliseconds;
  /** Leases, or clients and days. */
  readonly jobs: number;
  /** What was refused, by stage: different names and questions. */
  readonly refused: readonly { readonly stage: string; readonly names: number; readonly questions: number }[];
}

/** What the history says of a pattern that decided for an identity. */
export interface RuleUse {
  readonly identity: string;
  readonly pattern: string;
  readonly first: EpochMilliseconds;
  readonly last: EpochMilliseconds;
  readonly jobs: number;
}

/** Reads beside the server that writes. Throws a DatabaseRefusal where the file is no history. */
export function readUse(path: string): { readonly identities: IdentityUse[]; readonly rules: RuleUse[] } {
  const database = openHistoryToRead(path);
  try {
    const rules = database
      .prepare(`
        SELECT identity, pattern, min(first) AS first, max(last) AS last, max(jobs) AS jobs FROM rule
        GROUP BY identity, pattern`)
      .all() as unknown as RuleUse[];
    const refused = database
      .prepare(`
        SELECT lease.identity AS identity, view.stage AS stage, count(DISTINCT asked.name) AS names, sum(asked.count) AS questions
        FROM asked JOIN lease ON lease.number = asked.lease JOIN view ON view.number = asked.view
        WHERE asked.verdict IN ('deny', 'contain') GROUP BY lease.identity, view.stage ORDER BY view.stage`)
      .all() as unknown as ({ readonly identity: string } & IdentityUse['refused'][number])[];
    const all = database
      .prepare('SELECT identity, max(last) AS last, count(*) AS jobs FROM lease GROUP BY identity')
      .all() as unknown as Omit<IdentityUse, 'refused'>[];
    const identities = all.map((use) => ({
      ...use,
      refused: refused
        .filter(({ identity }) => identity === use.identity)
        .map(({ stage, names, questions }) => ({ stage, names, questions })),
    }));
    return { identities, rules };
  } finally {
    database.close();
  }
}
