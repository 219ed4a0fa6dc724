import t from 'tap';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import { Standings } from '../../src/resolve/client/standing.ts';

function policyOf(...names: string[]): Snapshot {
  const identities = names.map((name, index) => ({
    name,
    index,
    auditUntil: 0,
    limits: { inFlight: 0 },
    view: { id: 'v' },
    stages: [{ name: 's', view: { id: `${name} at s` } }],
  }));
  return { identities } as unknown as Snapshot;
}

const first = policyOf('a', 'b', 'c');

t.test('what an identity has underway goes over by its name, whatever place it has', async (t) => {
  for (const names of [['a', 'b', 'c'], ['c', 'b', 'a'], ['b'], ['x', 'a', 'b', 'c'], ['a', 'x', 'c']]) {
    const before = new Standings(first, 80, null);
    const trusts = new Map(first.identities.map(({ name, view }) => [name, before.named(name).trust(view)]));
    const next = policyOf(...names);
    const after = new Standings(next, 80, before);
    t.equal(after.size, names.length);
    names.forEach((name, index) => {
      const standing = after.at(index);
      t.equal(after.named(name), standing);
      t.equal(standing.identity, next.identities[index]);
      const known = trusts.has(name);
      t.equal(standing.underway === before.named(name).underway, known, `${name} of ${names}`);
      t.equal(standing.trust(next.identities[index]!.view) === trusts.get(name), known);
    });
    t.equal(after.named('gone'), after.unknown);
    t.equal(after.unknown, before.unknown);
  }
});

t.test('what may be resolved with a view is forgotten with the view, and with the audit', async (t) => {
  const before = new Standings(first, 80, null);
  const [a] = first.identities;
  const { view } = a!.stages[0]!;
  const trust = before.at(0).trust(view);
  t.equal(new Standings(policyOf('a', 'b', 'c'), 80, before).at(0).trust(view), trust, 'the stage has it');
  const other = { identities: [{ ...a, stages: [] }] } as unknown as Snapshot;
  t.not(new Standings(other, 80, before).at(0).trust(view), trust);
  const audited = { identities: [{ ...a, auditUntil: 5 }] } as unknown as Snapshot;
  t.not(new Standings(audited, 80, before).at(0).trust(view), trust);
});
