/**
 * How long people wait for the history: `npm run bench:history [-- ROWS]` fills one of that many rows (ten million unless given;
 * some 200 octets a row), asks each kind of question, and tries a policy on a part of a million. It removes what it made.
 */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { run } from '../src/cli/program.ts';
import { Terminal } from '../src/cli/terminal.ts';
import { openHistory } from '../src/history/history-database.ts';
import { answerHistory, type HistoryQuestion } from '../src/history/questions.ts';
import { judged } from './figures.ts';

const ROWS = Number(process.argv[2] ?? 10_000_000);
/** Rows of one lease, distinct names, identities, and names under one domain. */
const PER_LEASE = 100;
const NAMES = Math.min(1_000_000, ROWS);
const IDENTITIES = 50;
const PER_DOMAIN = 100;
/** Rows that a policy is tried on. */
const TRIED = 1_000_000;
/** 1 January 2026 in milliseconds; a row each 100 ms. */
const BEGIN = 1_767_225_600_000;
const STEP = 100;

const folder = mkdtempSync(join(tmpdir(), 'namegate-bench-history-'));

function fill(path: string, rows: number): void {
  const database = openHistory(path);
  const series = (most: number): string =>
    `WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${most})`;
  database.exec(`
    PRAGMA synchronous = OFF;
    BEGIN;
    DROP INDEX asked_of; DROP INDEX asked_name;
    INSERT INTO view (number, stage, policy) VALUES (1, '', '0');
    ${series(Math.ceil(rows / PER_LEASE))}
      INSERT INTO lease (number, id, identity, owner, client, job, opened, ended, how, policy, last, begin)
      SELECT i + 1, 'le-' || i, 'identity-' || iif(i % 2 = 0, 0, i % ${IDENTITIES}), 'o', '10.0.' || (i / 250 % 250) || '.' || (i % 250),
        '{"run_id":"' || i || '"}', ${BEGIN} + i * ${STEP * PER_LEASE}, ${BEGIN} + (i + 1) * ${STEP * PER_LEASE}, 'ended', '0',
        ${BEGIN} + (i + 1) * ${STEP * PER_LEASE}, i * ${PER_LEASE} + 1
      FROM n;
    ${series(Math.min(NAMES, rows))}
      INSERT INTO name (number, text, reverse)
      SELECT i + 1, 'n' || i || '.d' || (i / ${PER_DOMAIN}) || '.example', '.example.d' || (i / ${PER_DOMAIN}) || '.n' || i FROM n;
    ${series(rows)}
      INSERT INTO asked (number, lease, name, folded, type, verdict, audited, proven, expected, ground, view, first, last, count)
      SELECT i + 1, i / ${PER_LEASE} + 1, iif(i % 20 = 1, 1, (i * 7919) % ${Math.min(NAMES, rows)} + 1), 0, 1, iif(i % 10 = 0, 'deny', 'allow'), 0, 1, 0,
        iif(i % 10 = 0, 'nothing', 'rule'), 1, ${BEGIN} + i * ${STEP}, ${BEGIN} + i * ${STEP}, 1 + i % 5
      FROM n;
    ${series(Math.ceil(rows / 10))}
      INSERT INTO given (asked, address, first, last, current)
      SELECT i * 10 + 2, iif(i % 2 = 0, '192.0.2.1', '192.' || (i / 65536 % 256) || '.' || (i / 256 % 256) || '.' || (i % 256)), ${BEGIN} + i * ${STEP * 10},
        ${BEGIN} + i * ${STEP * 10}, 0
      FROM n;
    CREATE INDEX asked_of ON asked (lease, name, type);
    CREATE INDEX asked_name ON asked (name);
    COMMIT;
    PRAGMA wal_checkpoint(TRUNCATE);
  `);
  database.close();
}

const ALWAYS = [0, Number.MAX_SAFE_INTEGER] as const;
/** Of the time that the rows take, which is eleven days of ten million. */
const SPAN = ROWS * STEP;
const EARLY = [BEGIN + SPAN * 0.1, BEGIN + SPAN * 0.1 + 3_600_000] as const;
const LATE = [BEGIN + SPAN * 0.9, BEGIN + SPAN * 0.9 + 3_600_000] as const;
const HALF = [BEGIN + SPAN / 2, Number.MAX_SAFE_INTEGER] as const;
const LIMIT = 10_001;
/** The longest list that is taken. */
const listed = (text: (i: number) => string): string[] =>
  Array.from({ length: 10_000 }, (_, i) => text((i * 991) % NAMES));
const name = (i: number): string => `n${i}.d${Math.floor(i / PER_DOMAIN)}.example`;
const address = (i: number): string => `192.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

type Search = Extract<HistoryQuestion, { what: 'find' }>;

const SEARCHES: readonly (readonly [what: string, by: Search['by'], values: readonly string[]])[] = [
  ['a name', 'name', [name(4711)]],
  ['a name that every job asks', 'name', [name(0)]],
  ['names one label below', 'name', ['*.d47.example']],
  ['all names below a domain', 'name', ['**.d47.example']],
  ['all names below a suffix of all', 'name', ['**.example']],
  ['an address', 'address', [address(1799)]],
  ['an address that every job is given', 'address', ['192.0.2.1']],
  ['a lease', 'lease', ['le-77']],
  ['an identity', 'identity', ['identity-7']],
  ['an identity with half of all', 'identity', ['identity-0']],
  ['10,000 names', 'name', listed(name)],
  ['10,000 names that nobody asked', 'name', listed((i) => `no${i}.example`)],
  ['10,000 addresses', 'address', listed(address)],
  ['10,000 that nobody was given', 'address', listed((i) => address(i).replace('192', '198'))],
];
const TIMES = [
  ['always', ALWAYS],
  ['early hour', EARLY],
  ['late hour', LATE],
  ['second half', HALF],
] as const;

/** Milliseconds of each search at each time, and the lines that were found. */
function measure(database: DatabaseSync): void {
  console.log(`${'ms (lines)'.padEnd(34)}${TIMES.map(([when]) => when.padStart(16)).join('')}`);
  let longest = 0;
  for (const [what, by, values] of SEARCHES) {
    const cells = TIMES.map(([, [since, until]]) => {
      const began = performance.now();
      const found = answerHistory(database, {
        what: 'find',
        by,
        values,
        since,
        until,
        identities: null,
        limit: LIMIT,
      });
      const took = performance.now() - began;
      longest = Math.max(longest, took);
      return `${took.toFixed(0)} (${(found as unknown[]).length})`.padStart(16);
    });
    console.log(`${what.padEnd(34)}${cells.join('')}`);
  }
  console.log(`longest: ${longest.toFixed(0)} ms: ${judged(longest, 1_000)}`);
}

async function main(): Promise<void> {
  const path = join(folder, 'history.db');
  let began = performance.now();
  fill(path, ROWS);
  const size = statSync(path).size;
  console.log(
    `${ROWS.toLocaleString('en-US')} rows: ${Math.round(size / 2 ** 20)} MiB, filled in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  const database = openHistory(path);
  measure(database);
  database.close();
  rmSync(path);

  const tried = join(folder, 'tried.db');
  fill(tried, Math.min(ROWS, TRIED));
  writeFileSync(
    join(folder, 'policy.yaml'),
    `identities:\n${Array.from({ length: IDENTITIES }, (_, i) => `  - { name: identity-${i}, owner: o, review_by: 2099-01-01, from: { addresses: [10.1.${i}.0/24] }, allow: [{ name: "**.d47.example", owner: o, reason: r }] }`).join('\n')}\n`,
  );
  began = performance.now();
  let printed = 0;
  const out = {
    write: (text: string) => {
      printed += text.length;
    },
  };
  const code = await run(
    ['try', join(folder, 'policy.yaml'), '--history', tried],
    new Terminal(out, out, {}),
  );
  console.log(
    `try on ${Math.min(ROWS, TRIED).toLocaleString('en-US')} rows: ${((performance.now() - began) / 1000).toFixed(1)} s (exit ${code}, ${printed} characters)`,
  );
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
