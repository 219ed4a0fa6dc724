/**
 * How long people wait for the history: `npm run bench:history [-- ROWS]` fills one of that many rows (ten million unless given;
 * some 200 octets a row), asks each kind of question, and tries a policy on a part of a million. It removes what it made.
 */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../src/cli/program.ts';
import { Terminal } from '../src/cli/terminal.ts';
import { openHistory } from '../src/history/history-database.ts';
import { answerHistory, type HistoryQuestion } from '../src/history/questions.ts';

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
      INSERT INTO lease (number, id, identity, owner, client, job, opened, ended, how, policy, last)
      SELECT i + 1, 'le-' || i, 'identity-' || (i % ${IDENTITIES}), 'o', '10.0.' || (i / 250 % 250) || '.' || (i % 250),
        '{"run_id":"' || i || '"}', ${BEGIN} + i * ${STEP * PER_LEASE}, ${BEGIN} + (i + 1) * ${STEP * PER_LEASE}, 'ended', '0',
        ${BEGIN} + (i + 1) * ${STEP * PER_LEASE}
      FROM n;
    ${series(Math.min(NAMES, rows))}
      INSERT INTO name (number, text, reverse)
      SELECT i + 1, 'n' || i || '.d' || (i / ${PER_DOMAIN}) || '.example', '.example.d' || (i / ${PER_DOMAIN}) || '.n' || i FROM n;
    ${series(rows)}
      INSERT INTO asked (number, lease, name, folded, type, verdict, audited, proven, expected, ground, view, first, last, count)
      SELECT i + 1, i / ${PER_LEASE} + 1, (i * 7919) % ${Math.min(NAMES, rows)} + 1, 0, 1, iif(i % 10 = 0, 'deny', 'allow'), 0, 1, 0,
        iif(i % 10 = 0, 'nothing', 'rule'), 1, ${BEGIN} + i * ${STEP}, ${BEGIN} + i * ${STEP}, 1 + i % 5
      FROM n;
    ${series(Math.ceil(rows / 10))}
      INSERT INTO given (asked, address, first, last, current)
      SELECT i * 10 + 2, '192.' || (i / 65536 % 256) || '.' || (i / 256 % 256) || '.' || (i % 256), ${BEGIN} + i * ${STEP * 10},
        ${BEGIN} + i * ${STEP * 10}, 0
      FROM n;
    CREATE INDEX asked_of ON asked (lease, name, type);
    CREATE INDEX asked_name ON asked (name);
    COMMIT;
    PRAGMA wal_checkpoint(TRUNCATE);
  `);
  database.close();
}

const ALWAYS = { since: 0, until: Number.MAX_SAFE_INTEGER, limit: 10_001 } as const;
const HOUR = { since: BEGIN + 3_600_000, until: BEGIN + 7_200_000, limit: 10_001 } as const;
const listed = (text: (i: number) => string): string[] =>
  Array.from({ length: 100 }, (_, i) => text(i * 991));

const QUESTIONS: readonly (readonly [what: string, question: HistoryQuestion])[] = [
  ['a name', { what: 'find', by: 'name', values: ['n4711.d47.example'], ...ALWAYS }],
  ['names one label below', { what: 'find', by: 'name', values: ['*.d47.example'], ...ALWAYS }],
  ['all names below a domain', { what: 'find', by: 'name', values: ['**.d47.example'], ...ALWAYS }],
  ['all names below a suffix of all', { what: 'find', by: 'name', values: ['**.example'], ...ALWAYS }],
  ['the same in an hour', { what: 'find', by: 'name', values: ['**.example'], ...HOUR }],
  ['an address', { what: 'find', by: 'address', values: ['192.0.7.7'], ...ALWAYS }],
  ['a lease', { what: 'find', by: 'lease', values: ['le-77'], ...ALWAYS }],
  ['an identity', { what: 'find', by: 'identity', values: ['identity-7'], ...ALWAYS }],
  ['the same in an hour', { what: 'find', by: 'identity', values: ['identity-7'], ...HOUR }],
  [
    '100 names of a list',
    { what: 'find', by: 'name', values: listed((i) => `n${i}.d${Math.floor(i / 100)}.example`), ...ALWAYS },
  ],
  [
    '100 addresses of a list',
    { what: 'find', by: 'address', values: listed((i) => `192.0.${i >> 8}.${i & 255}`), ...ALWAYS },
  ],
  [
    '100 names that nobody asked',
    { what: 'find', by: 'name', values: listed((i) => `no${i}.example`), ...ALWAYS },
  ],
];

async function main(): Promise<void> {
  const path = join(folder, 'history.db');
  let began = performance.now();
  fill(path, ROWS);
  const size = statSync(path).size;
  console.log(
    `${ROWS.toLocaleString('en-US')} rows: ${Math.round(size / 2 ** 20)} MiB, filled in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  const database = openHistory(path);
  for (const [what, question] of QUESTIONS) {
    began = performance.now();
    const found = answerHistory(database, question) as unknown[];
    console.log(
      `${what.padEnd(34)} ${(performance.now() - began).toFixed(0).padStart(7)} ms  ${found.length} lines`,
    );
  }
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
