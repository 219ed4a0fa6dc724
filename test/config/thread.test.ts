import { join } from 'node:path';
import t from 'tap';
import { isLoaded } from '../../src/config/loaded.ts';
import { loadInThread } from '../../src/config/thread.ts';
import { loadFrom, NOW, POLICY, SERVER, write } from './harness.ts';

const RICH = `destinations:
  d:
    owner: o
    reason: r
    names: [a.example, "n{0..9}.b.example", "**.c.example"]
    names_from: [list.txt]
${POLICY}    allow: [d, { name: x.example, reason: spot }]
records: [{ name: a.example, type: A, data: 192.0.2.1 }]
`;

t.test('a load in a thread gives what a load in place gives', async (t) => {
  const dir = write(t, {
    'namegate.yaml': SERVER,
    'policy.yaml': RICH,
    'list.txt': 'l1.example\nl2.example\n',
  });
  const expected = loadFrom(dir);
  t.ok(isLoaded(expected));
  for (const turn of ['the first load of a process', 'a load beside queries']) {
    const loading = loadInThread(join(dir, 'namegate.yaml'), { env: {}, now: NOW, salt: 7 });
    const { sources: _, ...result } = await loading.result;
    const { sources: __, ...whole } = expected;
    t.same(result, whole, turn);
    const { snapshot, settings } = result;
    t.equal(
      snapshot!.identities[0]!.view,
      snapshot!.views[1],
      'an identity’s view is the one of the snapshot',
    );
    t.ok(Object.isFrozen(settings));
  }
});

t.test('problems cross with the text that they point into, and without a snapshot', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': 'identities: [{ name: me }]\n' });
  const result = await loadInThread(join(dir, 'namegate.yaml'), { env: {}, now: NOW, salt: 7 }).result;
  t.equal(result.snapshot, null);
  t.equal(result.settings, null);
  t.same(
    result.problems.map(({ code }) => code),
    loadFrom(dir).problems.map(({ code }) => code),
  );
  t.ok(result.sources.has(join(dir, 'policy.yaml')));
});

t.test('a load that is stopped rejects', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': POLICY });
  const loading = loadInThread(join(dir, 'namegate.yaml'), { env: {}, now: NOW, salt: 7 });
  loading.stop();
  await t.rejects(loading.result, /the loading thread ended/);
});
