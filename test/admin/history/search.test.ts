import { createHash } from 'node:crypto';
import t from 'tap';
import { openHistory } from '../../../src/history/history-database.ts';
import { answerHistory, type HistoryQuestion } from '../../../src/history/questions.ts';
import type { TokenRights } from '../../../src/settings/settings.ts';
import { fillHistory } from '../../cli/learn/filled.ts';
import { house } from '../house.ts';

/** Whoever may not read an identity learns nothing of what it asked: not even that it asked. */

const ROWS = [
  { lease: 'le-1', identity: 'beta', name: 'shared.example', at: 1_000 },
  { lease: 'le-1', identity: 'beta', name: 'secret.example', at: 2_000 },
  { lease: 'le-2', identity: 'alpha', name: 'shared.example', at: 3_000 },
];

function grant(
  name: string,
  rights: TokenRights['rights'],
  identities: TokenRights['identities'],
): TokenRights {
  const sha256 = createHash('sha256').update(name).digest('hex');
  return { name, sha256, rights, identities, addresses: [], certificates: [], until: 0xffff_ffff };
}

t.test('a search tells of what its caller may read', async (t) => {
  const tokens = [
    grant('all', ['read'], 'all'),
    grant('alpha', ['read'], ['alpha']),
    grant('opens', ['open', 'advance'], 'all'),
  ];
  const setting = { kind: 'http' as const, host: '127.0.0.1', port: 0, tokens, oidc: [] };
  const made = await house(t, { setting });
  const path = `${made.folder}/history.db`;
  fillHistory(path, ROWS);
  const database = openHistory(path);
  t.teardown(() => database.close());
  made.historyAnswer = async (question) => ({ told: answerHistory(database, question as HistoryQuestion) });
  const find = async (token: string, name: string): Promise<unknown> => {
    const body = { by: 'name', values: [name], limit: 1 };
    const answer = await made.ask('POST', '/v1/history', body, { authorization: `Bearer ${token}` });
    if (answer.status !== 200) return answer.status;
    const { found, more } = answer.body as unknown as { found: { identity: string }[]; more: boolean };
    return [found.map(({ identity }) => identity), more];
  };
  t.same(await find('all', 'shared.example'), [['beta'], true]);
  t.same(await find('alpha', 'shared.example'), [['alpha'], false]);
  t.same(await find('alpha', 'secret.example'), [[], false]);
  t.same(await find('alpha', 'unasked.example'), [[], false], 'as if nobody had asked');
  for (const name of ['secret.example', 'unasked.example']) t.equal(await find('opens', name), 403);
});
