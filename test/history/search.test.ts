import type { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openHistory } from '../../src/history/history-database.ts';
import { type SearchQuestion, search } from '../../src/history/search.ts';
import { type Filled, fillHistory } from '../cli/learn/filled.ts';

/** Searches give the earliest lines, whether an index finds what matches or much matches. */

const ROWS: readonly Filled[] = Array.from({ length: 600 }, (_, i) => ({
  lease: `le-${Math.floor(i / 3)}`,
  identity: i % 300 < 3 ? 'rare' : 'common',
  name: i % 100 === 7 ? `n${i}.few.example` : `a${(i * 7) % 50}.n${i % 60}.many.example`,
  at: 1_000 + i,
}));

type Ask = readonly [by: SearchQuestion['by'], value: string, is: (row: Filled) => boolean];

const ASKS: readonly Ask[] = [
  ['name', '**.example', () => true],
  ['name', '**.many.example', ({ name }) => name.endsWith('.many.example')],
  ['name', '**.few.example', ({ name }) => name.endsWith('.few.example')],
  ['name', '*.few.example', ({ name }) => name.endsWith('.few.example')],
  ['name', '*.many.example', () => false],
  ['name', '*.n7.many.example', ({ name }) => name.endsWith('.n7.many.example')],
  ['name', 'n107.few.example', ({ name }) => name === 'n107.few.example'],
  ['name', 'w.example', () => false],
  ['lease', 'le-9', ({ lease }) => lease === 'le-9'],
  ['identity', 'common', ({ identity }) => identity === 'common'],
  ['identity', 'rare', ({ identity }) => identity === 'rare'],
  ['identity', 'nobody', () => false],
  ['address', '192.0.2.0', (row) => ROWS.indexOf(row) % 7 === 6],
  ['address', '192.0.2.9', () => false],
];

/** Rows that are looked up one by one: so many that all are, that those of a time are, and that none is. */
const MOST = [100_000, 250, 2] as const;

function filled(t: Test, path: string): DatabaseSync {
  fillHistory(path, ROWS);
  const database = openHistory(path);
  database.exec(`
    INSERT INTO given (asked, address, first, last, current)
    SELECT number, '192.0.2.' || (number % 7), first, last, 1 FROM asked`);
  t.teardown(() => database.close());
  return database;
}

t.test('a search gives the earliest lines in their order, within its times and its limit', async (t) => {
  const path = `${t.testdir()}/history.db`;
  const database = filled(t, path);
  for (const [by, value, is] of ASKS)
    for (const [since, until] of [
      [0, Number.MAX_SAFE_INTEGER],
      [1_100, 1_450],
      [0, 1_200],
    ] as const)
      for (const [limit, most] of [1, 5, 1_000].flatMap((one) => MOST.map((rows) => [one, rows] as const))) {
        const found = search(
          database,
          { what: 'find', by, values: [value], since, until, identities: null, limit },
          most,
        );
        const expected = ROWS.filter((row) => is(row) && row.at! >= since && row.at! < until).slice(0, limit);
        t.strictSame(
          found.map(({ name, lease, first }) => [name, lease, first]),
          expected.map(({ name, lease, at }) => [name, lease, at]),
          `${by} ${value} from ${since} to ${until}, at most ${limit}, looking up ${most}`,
        );
      }
});

t.test('what other identities asked takes no place of the limit', async (t) => {
  const database = filled(t, `${t.testdir()}/history.db`);
  for (const identities of [['rare'], ['rare', 'nobody'], [], null])
    for (const [by, value, is] of ASKS)
      for (const [since, until] of [
        [0, Number.MAX_SAFE_INTEGER],
        [1_000, 1_450],
      ] as const)
        for (const most of MOST) {
          const ask = { what: 'find', by, values: [value], since, until, identities, limit: 3 } as const;
          const mine = ROWS.filter(
            (row) =>
              is(row) &&
              row.at! >= since &&
              row.at! < until &&
              (identities === null || identities.includes(row.identity!)),
          );
          t.strictSame(
            search(database, ask, most).map(({ name, lease }) => [name, lease]),
            mine.slice(0, 3).map(({ name, lease }) => [name, lease]),
            `${by} ${value} of ${identities} from ${since}, looking up ${most}`,
          );
        }
});

t.test(
  'no form of a search scans the questions or sorts them, but where so many match that they are read in order',
  async (t) => {
    const database = filled(t, `${t.testdir()}/history.db`);
    for (const [by, value] of [
      ['name', 'n107.few.example'],
      ['name', '**.many.example'],
      ['address', '192.0.2.0'],
      ['lease', 'le-9'],
      ['identity', 'common'],
    ] as const)
      for (const [since, until] of [
        [0, Number.MAX_SAFE_INTEGER],
        [1_100, 1_450],
      ] as const)
        for (const most of MOST) {
          const told: string[] = [];
          const watched = new Proxy(database, {
            get: (target, key) => (key === 'prepare' ? watch : Reflect.get(target, key)),
          });
          const watch = (sql: string): unknown => {
            const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
            told.push(...plan.map(({ detail }) => detail));
            return database.prepare(sql);
          };
          search(
            watched,
            { what: 'find', by, values: [value], since, until, identities: null, limit: 5 },
            most,
          );
          const scanned = told.filter((step) => /^SCAN (asked|given|name|lease)\b/.test(step));
          // Where much matches at all times, the numbers of questions are read in their order until there are enough.
          const isMany = most < ROWS.length && since === 0 && (by === 'identity' || value.startsWith('**'));
          t.strictSame(
            scanned,
            isMany ? ['SCAN asked'] : [],
            `${by} ${value} from ${since}, looking up ${most}`,
          );
        }
  },
);
