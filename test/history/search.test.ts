import t from 'tap';
import { openHistory } from '../../src/history/history-database.ts';
import { answerHistory, type FoundFacts } from '../../src/history/questions.ts';
import { type Filled, fillHistory } from '../cli/learn/filled.ts';

/** Searches give the earliest lines, whether an index finds what matches or much matches. */

const ROWS: readonly Filled[] = Array.from({ length: 600 }, (_, i) => ({
  lease: `le-${Math.floor(i / 3)}`,
  identity: i % 300 < 3 ? 'rare' : 'common',
  name: i % 100 === 7 ? `n${i}.few.example` : `a${(i * 7) % 50}.n${i % 60}.many.example`,
  at: 1_000 + i,
}));

type Ask = readonly [by: 'name' | 'lease' | 'identity', value: string, is: (row: Filled) => boolean];

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
];

t.test('a search gives the earliest lines in their order, within its times and its limit', async (t) => {
  const path = `${t.testdir()}/history.db`;
  fillHistory(path, ROWS);
  const database = openHistory(path);
  t.teardown(() => database.close());
  for (const [by, value, is] of ASKS)
    for (const [since, until] of [
      [0, Number.MAX_SAFE_INTEGER],
      [1_100, 1_450],
      [0, 1_200],
    ] as const)
      for (const limit of [1, 5, 1_000]) {
        const found = answerHistory(database, { what: 'find', by, values: [value], since, until, limit });
        const expected = ROWS.filter((row) => is(row) && row.at! >= since && row.at! < until).slice(0, limit);
        t.strictSame(
          (found as FoundFacts[]).map(({ name, lease, first }) => [name, lease, first]),
          expected.map(({ name, lease, at }) => [name, lease, at]),
          `${by} ${value} from ${since} to ${until}, at most ${limit}`,
        );
      }
});
