import { join } from 'node:path';
import t from 'tap';
import { say } from '../cli/command.ts';
import { type Filled, fillHistory } from '../cli/learn/filled.ts';
import { put } from '../config/harness.ts';

/** A million rows are decided anew within ten seconds of processor time, whoever else is at work on the machine. */

const ROWS = 1_000_000;
const MOST_SECONDS = 10;

function* rows(): Generator<Filled> {
  for (let i = 0; i < ROWS; i++) {
    const audited = i % 3 === 0;
    yield {
      lease: `l${i % 5_000}`,
      name: `n${i % 4_000}.x${i % 7}.example.net`,
      verdict: audited ? 'deny' : 'allow',
      audited,
      ground: audited ? 'nothing' : 'rule',
      job: { repository: `acme/app${i % 50}` },
    };
  }
}

t.test('try on a million rows', async (t) => {
  const folder = t.testdir({});
  fillHistory(join(folder, 'history.db'), rows());
  put(folder, {
    'policy.yaml':
      'identities: [{ name: job, owner: o, review_by: 2099-01-01, search: [corp.example], from: { addresses: [10.0.0.0/8] }, allow: [{ name: "**.x1.example.net", reason: r }] }]\n',
  });
  const before = process.cpuUsage();
  const tried = await say(['try', join(folder, 'policy.yaml'), '--history', join(folder, 'history.db')]);
  const { user, system } = process.cpuUsage(before);
  t.equal(tried.code, 0);
  t.match(tried.stdout, new RegExp(`of ${ROWS} would be answered otherwise`));
  const seconds = (user + system) / 1e6;
  t.ok(seconds <= MOST_SECONDS, `${seconds.toFixed(1)} s`);
});
