import type { DatabaseSync } from 'node:sqlite';
import type { EpochMilliseconds, Milliseconds } from '../wire/quantity.ts';
import type { Recent } from './recent.ts';

/** What was asked most in the last minutes. */
export interface TopQuestion {
  readonly what: 'top';
  readonly minutes: number;
  /** Null: of all identities. */
  readonly identities: readonly string[] | null;
  /** Rows of each list. */
  readonly limit: number;
}

export interface TopName {
  readonly identity: string;
  readonly name: string;
  /** Names under it, or where it is `.` of many domains, that are not told apart. */
  readonly folded: boolean;
  readonly verdict: string;
  readonly questions: number;
  /** One of those who asked: a lease, or the client without one. */
  readonly lease: string | null;
  readonly client: string;
}

/** The most frequent first. Times are milliseconds since 1970. */
export interface Top {
  /** From which on all was heard. */
  readonly since: EpochMilliseconds;
  readonly questions: number;
  readonly refused: number;
  /** Questions that are in no list: of too many different ones. */
  readonly others: number;
  readonly identities: readonly {
    readonly identity: string;
    readonly questions: number;
    readonly refused: number;
    /** Leases, or clients without one. */
    readonly jobs: number;
  }[];
  readonly names: readonly TopName[];
  readonly denials: readonly TopName[];
}

/** Rows that are looked up for one answer: the most frequent. */
const MOST_ROWS = 10_000;
const MINUTE: Milliseconds = 60_000;

export function topOf(
  database: DatabaseSync,
  recent: Recent,
  { minutes, identities, limit }: TopQuestion,
  now: EpochMilliseconds,
): Top {
  const { rows, others } = recent.within(minutes, now);
  const sorted = [...rows].sort(([, a], [, b]) => b - a);
  const left = sorted.slice(MOST_ROWS).reduce((sum, [, count]) => sum + count, 0);
  const find = database.prepare(`
    SELECT identity, account, lease, client, name, folded, verdict, audited FROM question WHERE number = ?`);
  const names = new Map<string, TopName & { questions: number }>();
  const all = new Map<string, { questions: number; refused: number; accounts: Set<number> }>();
  for (const [number, count] of sorted.slice(0, MOST_ROWS)) {
    const row = find.get(number) as unknown as Row | undefined;
    if (row === undefined || identities?.includes(row.identity) === false) continue;
    const verdict =
      row.audited === 0 ? row.verdict : row.verdict === 'contain' ? 'would_contain' : 'would_deny';
    const whole = all.get(row.identity) ?? { questions: 0, refused: 0, accounts: new Set() };
    all.set(row.identity, whole);
    whole.questions += count;
    whole.accounts.add(row.account);
    if (REFUSED.has(verdict)) whole.refused += count;
    const key = `${row.identity} ${verdict} ${row.folded} ${row.name}`;
    const same = names.get(key);
    if (same !== undefined) same.questions += count;
    else {
      const { identity, name, folded, lease, client } = row;
      names.set(key, { identity, name, folded: folded !== 0, verdict, questions: count, lease, client });
    }
  }
  const most = [...names.values()].sort((a, b) => b.questions - a.questions);
  const whole = [...all].map(([identity, { questions, refused, accounts }]) => ({
    identity,
    questions,
    refused,
    jobs: accounts.size,
  }));
  return {
    since: Math.max(recent.since, (Math.floor(now / MINUTE) - minutes + 1) * MINUTE),
    questions: whole.reduce((sum, { questions }) => sum + questions, 0),
    refused: whole.reduce((sum, { refused }) => sum + refused, 0),
    // Whose they are is not known: nobody is told who may not see all.
    others: identities === null ? others + left : 0,
    identities: whole.sort((a, b) => b.questions - a.questions).slice(0, limit),
    names: most.slice(0, limit),
    denials: most.filter(({ verdict }) => !APPROVED.has(verdict)).slice(0, limit),
  };
}

interface Row {
  readonly identity: string;
  readonly account: number;
  readonly lease: string | null;
  readonly client: string;
  readonly name: string;
  readonly folded: number;
  readonly verdict: string;
  readonly audited: number;
}

const REFUSED: ReadonlySet<string> = new Set(['deny', 'contain']);
const APPROVED: ReadonlySet<string> = new Set(['allow', 'local', 'empty']);
