import t from 'tap';
import { identitySamples } from '../../src/assembly/identity-samples.ts';
import { Ledger } from '../../src/detect/ledger.ts';
import { exposition } from '../../src/report/exposition.ts';
import { type Standing, Underway } from '../../src/resolve/client/standing.ts';

/** A thousand identities have samples of their own; the others are one. */

function standing(name: string, id: number, denied = 0): Standing {
  const underway = new Underway(id);
  underway.denied = denied;
  return { identity: { name }, underway } as unknown as Standing;
}

function denied(standings: readonly Standing[]): Map<string, number> {
  const source = { samples: () => identitySamples(standings, new Ledger(), 1) };
  const lines = [...exposition([source])].join('').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, name, value] = /^namegate_identity_denied_total\{identity="(.*)"\} (\d+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}

t.test('beyond 1,000 they are summed up, those that came last', async (t) => {
  const all = [
    standing('unknown', 0),
    ...Array.from({ length: 1200 }, (_, i) => standing(`i${i + 1}`, i + 1, 1)),
  ];
  const shown = denied(all);
  t.equal(shown.size, 1002, 'unknown, a thousand, and other');
  t.equal(shown.get('i1000'), 1);
  t.notOk(shown.has('i1001'));
  t.equal(shown.get('other'), 200);
  t.same(denied(all.toReversed()), shown, 'whatever their order in the policy');
});

t.test('an identity that is called other is part of it', async (t) => {
  const shown = denied([standing('unknown', 0), standing('other', 1, 3), standing('one', 2, 4)]);
  t.same(
    [...shown],
    [
      ['unknown', 0],
      ['one', 4],
      ['other', 3],
    ],
  );
});

t.test('a name cannot end its line', async (t) => {
  const shown = denied([standing('unknown', 0), standing('a"} 9\nb', 1, 5)]);
  t.equal(shown.get('a\\"} 9\\nb'), 5);
});
