import { DatabaseSync } from 'node:sqlite';
import { DatabaseRefusal, versionOf } from '../database/database.ts';
import type { AskedRow } from '../policy/learn/asked-row.ts';
import type { EpochMilliseconds } from '../wire/quantity.ts';
import { HISTORY_VERSION } from './history-database.ts';

/** Which questions are wanted: all that is named holds. */
export interface AskedFilter {
  readonly identity?: string;
  /** Those asked at this time or later, in milliseconds since 1970. */
  readonly since?: EpochMilliseconds;
}

/**
 * Reads the questions of a history, beside the server that writes it, one after the other: there may be millions. Throws a
 * DatabaseRefusal where the file is none.
 */
export function* readAskedRows(path: string, filter: AskedFilter): Generator<AskedRow> {
  const database = openHistoryToRead(path);
  try {
    const { from, parameters } = placeOf(filter);
    const leases = leasesOf(database, filter);
    // Joined here, where an array does it: SQLite would look up each of a million rows in its trees.
    const stages: string[] = [];
    for (const { number, stage } of database.prepare('SELECT number, stage FROM view').all())
      stages[number as number] = stage as string;
    const names = namesOf(database, from === WHOLE);
    const statement = database.prepare(`SELECT ${COLUMNS} FROM ${from}`);
    statement.setReturnArrays(true);
    for (const row of statement.iterate(...parameters) as unknown as Iterable<RawRow>) {
      const [account, name, type, flags, view, first, last, count] = row;
      const lease = leases.get(account);
      if (lease === undefined) continue;
      yield {
        account,
        identity: lease.identity,
        stage: stages[view] ?? '',
        job: lease.job,
        name: names(name),
        folded: flags & 3,
        type,
        verdict: VERDICTS[(flags >> 8) & 7]!,
        audited: (flags & 4) !== 0,
        proven: (flags & 8) !== 0,
        ground: GROUNDS[(flags >> 4) & 3]!,
        first,
        last,
        count,
      };
    }
  } finally {
    database.close();
  }
}

const VERDICTS = ['deny', 'allow', 'local', 'empty', 'contain'] as const;
const GROUNDS = ['other', 'rule', 'above'] as const;

/** `CASE COLUMN WHEN 'a' THEN 0 …`: a number is read in a third of the time that a text takes. */
function indexOf(column: string, values: readonly string[]): string {
  return `CASE ${column} ${values.map((value, i) => `WHEN '${value}' THEN ${i}`).join(' ')} ELSE 0 END`;
}

const COLUMNS = `
  asked.lease, asked.name, asked.type,
  asked.folded + asked.audited * 4 + asked.proven * 8 + (${indexOf('asked.ground', GROUNDS)}) * 16
    + (${indexOf('asked.verdict', VERDICTS)}) * 256,
  asked.view, asked.first, asked.last, asked.count`;

/** In the order of COLUMNS. */
type RawRow = readonly [
  lease: number,
  name: number,
  type: number,
  flags: number,
  view: number,
  first: EpochMilliseconds,
  last: EpochMilliseconds,
  count: number,
];

const WHOLE = 'asked ORDER BY number';

/** All in the order of the file; or the leases that are wanted, and of each what it asked: both have an index. */
function placeOf({ identity, since = 0 }: AskedFilter): { from: string; parameters: (string | number)[] } {
  if (identity === undefined && since === 0) return { from: WHOLE, parameters: [] };
  const who = identity === undefined ? '' : 'AND lease.identity = ?';
  return {
    from: `lease CROSS JOIN asked ON asked.lease = lease.number WHERE lease.last >= ? ${who} AND asked.last >= ?`,
    parameters: [since, ...(identity === undefined ? [] : [identity]), since],
  };
}

function leasesOf(
  database: DatabaseSync,
  { identity, since = 0 }: AskedFilter,
): Map<number, Pick<AskedRow, 'identity' | 'job'>> {
  const who = identity === undefined ? '' : 'AND identity = ?';
  const rows = database
    .prepare(`SELECT number, identity, job FROM lease WHERE last >= ? ${who}`)
    .all(since, ...(identity === undefined ? [] : [identity]));
  return new Map(
    rows.map(({ number, identity: name, job }) => [
      number as number,
      {
        identity: name as string,
        job: typeof job === 'string' ? (JSON.parse(job) as AskedRow['job']) : null,
      },
    ]),
  );
}

/** The text of a name's number. `all`: most are needed, so one pass reads them, where a look-up of each would jump about the file. */
function namesOf(database: DatabaseSync, all: boolean): (number: number) => string {
  const texts: (string | undefined)[] = [];
  const one = database.prepare('SELECT text FROM name WHERE number = ?');
  one.setReturnArrays(true);
  if (all) {
    const pass = database.prepare('SELECT number, text FROM name ORDER BY number');
    pass.setReturnArrays(true);
    for (const [number, text] of pass.iterate() as unknown as Iterable<readonly [number, string]>)
      texts[number] = text;
  }
  return (number) => {
    let text = texts[number];
    if (text === undefined) {
      text = (one.get(number) as unknown as readonly [string])[0];
      texts[number] = text;
    }
    return text;
  };
}

export function openHistoryToRead(path: string): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
    const version = versionOf(database);
    if (version === HISTORY_VERSION) return database;
    const known = `${path} has version ${version}, and this namegate reads ${HISTORY_VERSION}`;
    throw version > HISTORY_VERSION
      ? new DatabaseRefusal('newer', `${known}: use the later namegate`)
      : new DatabaseRefusal('system', `${known}: it is no history, or the server has not written it yet`);
  } catch (error) {
    database?.close();
    if (error instanceof DatabaseRefusal) throw error;
    throw new DatabaseRefusal('system', `${path}: ${(error as Error).message}`);
  }
}
