import { join } from 'node:path';
import t from 'tap';
import { AccountRows } from '../../src/history/account-rows.ts';
import { openHistory } from '../../src/history/history-database.ts';

t.test('a lease that was told of between two milliseconds is written down', async (t) => {
  const database = openHistory(join(t.testdir({}), 'history.db'));
  t.teardown(() => database.close());
  const rows = new AccountRows(database);
  // The clock of the story has fractions, and a column of whole numbers takes none: nothing behind it would be written either.
  rows.take({ note: 'lease', what: 'opened', id: 'l1', at: 1_000.25, opened: 1_000.25, identity: 'job' });
  rows.take({ note: 'lease', what: 'ended', id: 'l1', at: 2_000.75 });
  t.match(database.prepare('SELECT opened, ended, last FROM lease').all(), [
    { opened: 1_000, ended: 2_001, last: 1_000 },
  ]);
});
