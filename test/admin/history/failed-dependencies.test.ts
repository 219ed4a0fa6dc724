import t from 'tap';
import { failedDependencies } from '../../../src/admin/history/failed-dependencies.ts';
import type { AccountFacts } from '../../../src/history/questions.ts';
import type { KeptFinding } from '../../../src/outbox/kept-findings.ts';

const HOUR = 3_600_000;
const OPENED = Date.UTC(2026, 10, 29, 10);

const account = (ended: number | null): AccountFacts =>
  ({ identity: 'build', opened: OPENED, ended }) as AccountFacts;

/** An outage, in hours from the job's beginning. */
const outage = (key: string, first: number, last: number, state: 'open' | 'closed'): KeptFinding =>
  ({
    uid: key,
    key,
    first: new Date(OPENED + first * HOUR).toISOString(),
    last: new Date(OPENED + last * HOUR).toISOString(),
    state,
    next: 'ask sec',
  }) as KeptFinding;

t.test('a report has the outages in the time of its job', async (t) => {
  const findings = [
    outage('before.example', -2, -1, 'closed'),
    outage('across.example', -2, 0.5, 'closed'),
    outage('within.example', 0.2, 0.4, 'closed'),
    outage('open.example', -100, -50, 'open'),
    outage('after.example', 2, 3, 'closed'),
  ];
  const asked: object[] = [];
  const desk = {
    request: async (request: object) => {
      asked.push(request);
      return { findings, more: false };
    },
  };
  const names = async (ended: number | null) =>
    (await failedDependencies(desk, [account(ended)])).map(({ name }) => name);
  t.strictSame(await names(OPENED + HOUR), ['across.example', 'within.example', 'open.example']);
  t.strictSame(await names(null), ['across.example', 'within.example', 'open.example', 'after.example']);
  t.match(asked[0], { ask: 'findings', identity: 'build', kind: 'dependency' });
  const silent = { request: async () => 'there is no alert feed' };
  t.strictSame(await failedDependencies(silent, [account(null)]), []);
});
