import { join } from 'node:path';
import t from 'tap';
import { openHistory } from '../../../src/history/history-database.ts';
import { answerHistory, type HistoryQuestion } from '../../../src/history/questions.ts';
import { house } from '../../admin/house.ts';
import { say } from '../command.ts';
import { type Filled, fillHistory } from '../learn/filled.ts';

/** What a hook sees of a job that two servers answered: the exit, and which server did not tell all. */

const GOOD: Filled = { lease: 'le-1', name: 'good.example', verdict: 'allow', audited: false };
const BAD: Filled = { lease: 'le-1', name: 'evil.example', audited: false };
const FORGED: Filled = { ...BAD, proven: false };

interface Case {
  readonly what: string;
  /** What the history of each server has; null for one that is down. */
  readonly servers: readonly (readonly Filled[] | null)[];
  readonly code: number;
  readonly says: readonly RegExp[];
}

const CASES: readonly Case[] = [
  { what: 'all is good', servers: [[GOOD], [GOOD]], code: 0, says: [/complete: 2 of 2 servers/] },
  { what: 'one is down', servers: [[GOOD], null], code: 3, says: [/complete: no, 1 of 2/, /no answer from/] },
  {
    what: 'one is down, and the other denied',
    servers: [null, [BAD]],
    code: 1,
    says: [/evil\.example/, /complete: no, 1 of 2/],
  },
  { what: 'one was asked nothing', servers: [[BAD], []], code: 1, says: [/complete: 2 of 2 servers/] },
  { what: 'both are down', servers: [null, null], code: 3, says: [] },
  { what: 'nobody knows the lease', servers: [[], []], code: 3, says: [] },
  {
    what: 'a client without TCP',
    servers: [[FORGED]],
    code: 3,
    says: [/evil\.example/, /without TCP: 10\.0\.0\.1/, /give it one that has TCP/],
  },
  { what: 'it came over TCP after all', servers: [[FORGED, BAD]], code: 1, says: [/evil\.example/] },
  { what: 'and it denied another', servers: [[FORGED], [{ ...BAD, name: 'b.example' }]], code: 1, says: [] },
];

t.test('the exit of a report by what its servers have', async (t) => {
  const folder = t.testdir({});
  for (const [index, { what, servers, code, says }] of CASES.entries()) {
    const urls: string[] = [];
    for (const [i, rows] of servers.entries()) {
      const made = await house(t, { folder: join(folder, `${index}-${i}`) });
      urls.push(made.admin.urls[0]!);
      if (rows === null) {
        await made.close();
        continue;
      }
      const path = join(made.folder, 'history.db');
      fillHistory(path, rows);
      const database = openHistory(path);
      t.teardown(() => database.close());
      made.historyAnswer = async (question) => ({
        told: answerHistory(database, question as HistoryQuestion),
      });
    }
    const admins = urls.flatMap((url) => ['--admin', url]);
    const ran = await say(['report', '--lease', 'le-1', '--fail-on', 'deny', ...admins]);
    t.equal(ran.code, code, `${what}: ${ran.stdout}${ran.stderr}`);
    for (const text of says) t.match(ran.stdout, text, what);
    if (says.length === 0 && code === 3) t.not(ran.stderr, '', `${what}: it says why`);
  }
});
