import { join } from 'node:path';
import t from 'tap';
import { HOLDER, type HolderKind } from '../../../src/detect/holder.ts';
import { openHistory } from '../../../src/history/history-database.ts';
import { answerHistory, type HistoryQuestion } from '../../../src/history/questions.ts';
import { say } from '../../cli/command.ts';
import { fillHistory } from '../../cli/learn/filled.ts';
import { billOf } from '../../detect/build.ts';
import { type House, house } from '../house.ts';

/** A report names the wildcards of which its job has spent most of the budget: of others, and before and after, none. */

const CONTAIN = 1_024;

/** One lease asks for new names until it has spent so much of its budget, in octets, or is refused. */
async function spend(made: House, lease: string, octets: number): Promise<void> {
  const accounts: [HolderKind, string, number, number][] = [[HOLDER.LEASE, lease, 512, CONTAIN]];
  for (let i = 0; (await spentOf(made, lease)) < octets; i++) {
    const name = `${lease}-${'x'.repeat(20)}${i}.t.example`;
    const bill = billOf({ name, base: 't.example', identity: 'build', accounts });
    if (!made.desk.ledger.charge(bill, ++made.desk.tick)) return;
  }
}

async function spentOf(made: House, lease: string): Promise<number> {
  const { body } = await made.ask('GET', '/v1/ledger');
  const balances = body['balances'] as readonly { readonly subject: string; readonly spent: number }[];
  return balances.find(({ subject }) => subject === lease)?.spent ?? 0;
}

t.test('what is near the end of its budget stands in the report of its job', async (t) => {
  const made = await house(t);
  const path = join(made.folder, 'history.db');
  const leases = ['le-near', 'le-quiet', 'le-contained', 'le-other'];
  fillHistory(
    path,
    leases.map((lease) => ({
      lease,
      identity: 'build',
      name: `a.t.example`,
      verdict: 'allow',
      audited: false,
    })),
  );
  const database = openHistory(path);
  t.teardown(() => database.close());
  made.historyAnswer = async (question) => ({ told: answerHistory(database, question as HistoryQuestion) });
  await spend(made, 'le-near', CONTAIN * 0.85);
  await spend(made, 'le-other', CONTAIN * 0.85);
  await spend(made, 'le-quiet', CONTAIN * 0.5);
  await spend(made, 'le-contained', CONTAIN * 2);
  for (const [lease, isNear] of [
    ['le-near', true],
    ['le-quiet', false],
    ['le-contained', false],
  ] as const) {
    const { body } = await made.ask('GET', `/v1/leases/${lease}/report`);
    const near = body['near_budget'] as {
      subject: string;
      spent: number;
      contain: number;
      wildcard: string;
    }[];
    t.strictSame(
      near.map(({ subject, wildcard, contain }) => [subject, wildcard, contain]),
      isNear ? [[lease, 't.example', CONTAIN]] : [],
      lease,
    );
    for (const format of ['text', 'markdown'] as const) {
      const { stdout, code } = await say([
        'report',
        '--lease',
        lease,
        '--fail-on',
        'deny',
        '--format',
        format,
        '--admin',
        made.admin.urls[0]!,
      ]);
      t.equal(code, 0, 'it fails nothing');
      const said = stdout.replace(/&#(\d+);/g, (_, point) => String.fromCodePoint(Number(point)));
      const line =
        /near the end of its budget: t\.example, (\d+) of 1024 octets \(le-near\); about \d+ new names are left/;
      if (isNear) t.ok(Number(line.exec(said)?.[1]) >= 0.8 * CONTAIN, `${format}: ${said}`);
      else t.notMatch(said, /near the end/, format);
    }
  }
});
