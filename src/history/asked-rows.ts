import { DatabaseSync } from 'node:sqlite';
import { DatabaseRefusal, versionOf } from '../database/database.ts';
import type { AskedRow } from '../policy/learn/asked-row.ts';
import { HISTORY_VERSION } from './history-database.ts';

/** Which questions are wanted: all that is named holds. */
export interface AskedFilter {
  readonly identity?: string;
  /** Those asked at this time or later, in milliseconds since 1970. */
  readonly since?: number;
}

/**
 * Reads the questions of a history, beside the server that writes it, one after the other: there may be millions. Throws a
 * DatabaseRefusal where the file is none.
 */
export function* readAskedRows(path: string, { identity, since = 0 }: AskedFilter): Generator<AskedRow> {
  const database = openHistoryToRead(path);
  try {
    const jobs = new Map<number, AskedRow['job']>();
    const leases = database
      .prepare(
        `SELECT number, identity, job FROM lease WHERE last >= ? ${identity === undefined ? '' : 'AND identity = ?'}`,
      )
      .all(since, ...(identity === undefined ? [] : [identity]));
    const who = new Map<number, string>();
    for (const { number, identity: name, job } of leases) {
      who.set(number as number, name as string);
      jobs.set(number as number, typeof job === 'string' ? (JSON.parse(job) as AskedRow['job']) : null);
    }
    // Joined here where a map does it: SQLite would look up each of a million rows in its trees.
    const stages = new Map(
      database
        .prepare('SELECT number, stage FROM view')
        .all()
        .map(({ number, stage }) => [number, stage as string]),
    );
    const textOf = database.prepare('SELECT text FROM name WHERE number = ?');
    textOf.setReturnArrays(true);
    const names = new Map<number, string>();
    // Whoever reads all needs most names: one pass in their order, where a look-up of each would jump about the file.
    if (identity === undefined && since === 0) {
      const all = database.prepare('SELECT number, text FROM name ORDER BY number');
      all.setReturnArrays(true);
      for (const [number, text] of all.iterate() as unknown as Iterable<[number, string]>)
        names.set(number, text);
    }
    const statement = database.prepare(`
      SELECT lease, name, folded, type, verdict, audited, proven, ground, view, first, last, count
      FROM asked WHERE last >= ? ORDER BY number`);
    statement.setReturnArrays(true);
    for (const row of statement.iterate(since) as unknown as Iterable<RawRow>) {
      const [lease, number, folded, type, verdict, audited, proven, ground, view, first, last, count] = row;
      const owner = who.get(lease);
      if (owner === undefined) continue;
      let name = names.get(number);
      if (name === undefined) {
        name = (textOf.get(number) as unknown as readonly [string])[0];
        names.set(number, name);
      }
      yield {
        account: lease,
        identity: owner,
        stage: stages.get(view) ?? '',
        job: jobs.get(lease) ?? null,
        name,
        folded,
        type,
        verdict,
        audited: audited === 1,
        proven: proven === 1,
        ground,
        first,
        last,
        count,
      };
    }
  } finally {
    database.close();
  }
}

/** In the order of the columns. */
type RawRow = readonly [
  lease: number,
  name: number,
  folded: number,
  type: number,
  verdict: AskedRow['verdict'],
  audited: number,
  proven: number,
  ground: string,
  view: number,
  first: number,
  last: number,
  count: number,
];

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
