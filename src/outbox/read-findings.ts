import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DatabaseRefusal, versionOf } from '../database/database.ts';
import { type FindingList, type FindingSelection, keptFindings } from './kept-findings.ts';
import { SCHEMA_VERSION } from './outbox-database.ts';

/** The outbox's database in the state folder. */
const FEED_FILE = 'feed.db';

/**
 * The findings that a state folder keeps, read beside the server that writes them; none where no server has written any. Throws
 * a DatabaseRefusal where the file is of another version, and what SQLite throws.
 */
export function readFindings(folder: string, selection: FindingSelection): FindingList {
  const path = join(folder, FEED_FILE);
  if (!existsSync(path)) return { findings: [], more: false };
  const database = new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
  try {
    const version = versionOf(database);
    if (version === SCHEMA_VERSION) return keptFindings(database, selection);
    throw new DatabaseRefusal(
      version > SCHEMA_VERSION ? 'newer' : 'system',
      `${path} has version ${version}, and this namegate reads ${SCHEMA_VERSION}`,
    );
  } finally {
    database.close();
  }
}
