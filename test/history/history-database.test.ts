import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type { DatabaseRefusal } from '../../src/database/database.ts';
import { HISTORY_VERSION, openHistory } from '../../src/history/history-database.ts';
import { fillHistory } from '../cli/learn/filled.ts';

t.test('a new history is readable by its owner alone, and beside the writer', async (t) => {
  const path = join(t.testdir({}), 'history.db');
  const writer = openHistory(path);
  t.teardown(() => writer.close());
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('what cannot be opened says why', async (t) => {
  const folder = t.testdir({});
  const why = (open: () => unknown): string => {
    try {
      open();
      return 'opened';
    } catch (error) {
      return (error as DatabaseRefusal).why;
    }
  };
  const newer = join(folder, 'newer.db');
  openHistory(newer).close();
  const database = new DatabaseSync(newer);
  database.exec(`PRAGMA user_version = ${HISTORY_VERSION + 1}`);
  database.close();
  t.equal(
    why(() => openHistory(newer)),
    'newer',
  );
  const damaged = join(folder, 'damaged.db');
  writeFileSync(damaged, 'this is no database, but it is long enough to be taken for one'.repeat(50));
  t.equal(
    why(() => openHistory(damaged)),
    'damaged',
  );
});

t.test('an account of an older version learns where its questions begin', async (t) => {
  const path = join(t.testdir({}), 'history.db');
  fillHistory(path, [
    { lease: 'a', name: 'one.example' },
    { lease: 'b', name: 'two.example' },
    { lease: 'a', name: 'three.example' },
  ]);
  const old = new DatabaseSync(path);
  old.exec('ALTER TABLE lease DROP COLUMN begin; PRAGMA user_version = 3');
  old.close();
  const database = openHistory(path);
  t.teardown(() => database.close());
  t.strictSame(
    database
      .prepare('SELECT id, begin FROM lease ORDER BY id')
      .all()
      .map(({ id, begin }) => [id, begin]),
    [
      ['a', 1],
      ['b', 2],
    ],
  );
});

t.test('the docs name every table and column', async (t) => {
  const docs = readFileSync(new URL('../../docs/history.md', import.meta.url), 'utf8');
  const database = openHistory(join(t.testdir({}), 'history.db'));
  t.teardown(() => database.close());
  for (const table of ['lease', 'name', 'rule', 'view', 'asked', 'given', 'refused']) {
    const line = docs.split('\n').find((one) => one.startsWith(`| \`${table}\``)) ?? '';
    const columns = database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
    const named = [...line.matchAll(/`([a-z_]+)`/g)].map(([, column]) => column);
    const own = new Set(columns.map(({ name }) => name as string));
    for (const column of named) {
      if (column !== table && column !== 'ended' && column !== 'expired')
        t.ok(own.has(column!), `${table}.${column}`);
    }
  }
});
