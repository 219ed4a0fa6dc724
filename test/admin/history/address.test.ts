import t from 'tap';
import { openHistory } from '../../../src/history/history-database.ts';
import { answerHistory, type HistoryQuestion } from '../../../src/history/questions.ts';
import { fillHistory } from '../../cli/learn/filled.ts';
import { house } from '../house.ts';

/** The report of one address: the identity's leases there, whoever ended them, and what the address asked between them. */

const ROWS = [
  { lease: 'le-1', name: 'first.example', audited: false, at: 5_000 },
  { lease: 'le-1', name: 'before.example', audited: false, at: 1_000 },
  { lease: 'le-2', name: 'second.example', audited: false, at: 6_000 },
  { lease: 'le-other', name: 'neighbour.example', audited: false, at: 6_000 },
  { lease: 'le-six', name: 'six.example', audited: false, at: 6_000 },
  { lease: 'le-wide', name: 'wide.example', audited: false, at: 6_000 },
  { lease: 'x-four', name: 'between.example', audited: false, at: 5_500, identity: 'unknown' },
  { lease: 'x-far', name: 'far.example', audited: false, at: 5_500, identity: 'unknown' },
  { lease: 'x-six', name: 'between-six.example', audited: false, at: 5_500, identity: 'unknown' },
] as const;

const ACCOUNTS: readonly (readonly [id: string, set: string])[] = [
  ['le-1', `claim = '{"addresses":["10.1.0.7"],"certificate":null}'`],
  ['le-2', "claim = NULL, client = '10.1.0.7'"],
  ['le-other', `claim = '{"addresses":["10.1.0.8"],"certificate":null}', client = '10.1.0.8'`],
  ['le-six', `claim = '{"addresses":["2001:db8:0:1::7"],"certificate":null}'`],
  ['le-wide', `claim = '{"addresses":["10.1.0.0/24"],"certificate":null}'`],
  ['x-four', "id = NULL, day = 0, client = '10.1.0.7'"],
  ['x-far', "id = NULL, day = 0, client = '10.1.0.9'"],
  ['x-six', "id = NULL, day = 0, client = '2001:db8:0:1::/64'"],
];

/** What is asked; the names of the report, or the status of a refusal. */
const CASES: readonly (readonly [query: string, expected: readonly string[] | number])[] = [
  [
    'identity=job&address=10.1.0.7&since=1970-01-01T00:00:04.000Z',
    ['between.example', 'first.example', 'second.example', 'wide.example'],
  ],
  ['identity=job&address=10.1.0.7&since=1970-01-01T00:00:05.600Z', ['second.example', 'wide.example']],
  [
    'identity=job&address=10.1.0.7',
    ['before.example', 'between.example', 'first.example', 'second.example', 'wide.example'],
  ],
  ['identity=job&address=10.1.0.8', ['neighbour.example', 'wide.example']],
  ['identity=job&address=2001:db8:0:1::7', ['between-six.example', 'six.example']],
  [
    'identity=job&address=10.1.0.8,2001:db8:0:1::7',
    ['between-six.example', 'neighbour.example', 'six.example', 'wide.example'],
  ],
  ['identity=job&address=10.2.0.0/16', 404],
  ['identity=nobody&address=10.1.0.7', ['between.example']],
  ['identity=job&address=here', 400],
  ['job=run_id%3D1&address=10.1.0.7', 400],
  ['address=10.1.0.7', 400],
];

t.test('what belongs to a job at an address', async (t) => {
  const made = await house(t);
  const path = `${made.folder}/history.db`;
  fillHistory(path, ROWS);
  const database = openHistory(path);
  t.teardown(() => database.close());
  for (const [id, set] of ACCOUNTS) database.exec(`UPDATE lease SET ${set} WHERE id = '${id}'`);
  made.historyAnswer = async (question: HistoryQuestion) => ({ told: answerHistory(database, question) });
  for (const [query, expected] of CASES) {
    const { status, body } = await made.ask('GET', `/v1/report?${query}`);
    if (typeof expected === 'number') {
      t.equal(status, expected, query);
      continue;
    }
    const { sections } = body as unknown as { sections: { unapproved: { name: string }[] } };
    t.same(sections.unapproved.map(({ name }) => name).sort(), expected, query);
  }
});
