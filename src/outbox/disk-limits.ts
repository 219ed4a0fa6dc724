import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Octets of the disk that events leave alone: SQLite's log needs 4 MiB, and others write there too. */
const LEFT = 6 * 2 ** 20;
/** Octets that each table may have, however little there is: less would drop what a batch holds. */
const LEAST = 2 ** 20;

/** How much of a disk that is smaller than the quotas events may take: what fills it stops the feed, and others with it. */
export class DiskLimits {
  readonly #folder: string;
  readonly #free: StatementSync;

  /** `path`: of the database. */
  constructor(database: DatabaseSync, path: string) {
    this.#folder = dirname(path);
    this.#free = database.prepare(
      'SELECT f.freelist_count * p.page_size AS octets FROM pragma_freelist_count AS f, pragma_page_size AS p',
    );
  }

  /** Octets that decisions and findings may have, who have so many. Decisions give way first. */
  of(decisions: number, findings: number): { readonly decisions: number; readonly findings: number } {
    const room = this.#octets() - LEFT;
    return {
      decisions: Math.max(LEAST, decisions + room),
      findings: Math.max(LEAST, findings + Math.max(0, decisions - LEAST) + room),
    };
  }

  /** What is free on the disk and in the database. */
  #octets(): number {
    try {
      const { bavail, bsize } = statfsSync(this.#folder);
      return bavail * bsize + (this.#free.get() as { octets: number }).octets;
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }
}
