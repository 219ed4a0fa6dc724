import fc from 'fast-check';
import t from 'tap';
import { compile } from '../../../src/policy/compile/compile.ts';
import { Joined, joinView } from '../../../src/policy/decide/view.ts';
import { EMPTY_VIEW, UNKNOWN } from '../../../src/policy/identity.ts';
import type { RuleTerms } from '../../../src/policy/input.ts';
import type { Snapshot } from '../../../src/policy/snapshot.ts';
import {
  ask,
  compiled,
  destination,
  entries,
  identity,
  list,
  NOW,
  policy,
  rule,
  stage,
  stageView,
  types,
} from '../build.ts';

const BASE = {
  destinations: [
    destination('own', ['own.example', 'shared.example']),
    destination('python', ['pypi.example', 'shared.example']),
    destination('artifacts', ['results{0..9}.example']),
  ],
};

function payments(): Snapshot {
  return compiled({
    ...BASE,
    identities: [
      identity('one', {
        allow: entries('=own', 'spot.example'),
        stages: [
          stage('fetch', 'allow', '=python'),
          stage('build', 'only'),
          stage('test', 'only', '=own'),
          stage('release', 'allow', '=artifacts', 'release.example'),
        ],
        exceptions: [rule('exception.example', { until: NOW + 100, approvedBy: 'someone' })],
      }),
    ],
  });
}

t.test(
  "stages: `only` drops the identity's own list, `allow` adds to it; exceptions hold at every stage",
  async (t) => {
    const snapshot = payments();
    const [one] = snapshot.identities;
    const table: [string, string[]][] = [
      ['own.example', ['', 'fetch', 'test', 'release']],
      ['spot.example', ['', 'fetch', 'release']],
      ['pypi.example', ['fetch']],
      ['shared.example', ['', 'fetch', 'test', 'release']],
      ['results7.example', ['release']],
      ['release.example', ['release']],
      ['exception.example', ['', 'fetch', 'build', 'test', 'release']],
    ];
    for (const [name, stages] of table) {
      for (const where of ['', 'fetch', 'build', 'test', 'release']) {
        const view = where === '' ? one!.view : stageView(one!, where);
        const expected = stages.includes(where) ? 'allow' : 'deny';
        t.equal(ask(snapshot, view, name).verdict, expected, `${name} at stage ${where || 'none'}`);
      }
    }
    t.same(
      one!.stages.map(({ name }) => name),
      ['fetch', 'build', 'test', 'release'],
      'in the order written',
    );
  },
);

t.test('an exception ends, at every stage', async (t) => {
  const snapshot = payments();
  const [one] = snapshot.identities;
  for (const view of [one!.view, ...one!.stages.map((each) => each.view)]) {
    t.equal(ask(snapshot, view, 'exception.example', 'A', { now: NOW + 99 }).verdict, 'allow');
    t.equal(ask(snapshot, view, 'exception.example', 'A', { now: NOW + 100 }).verdict, 'deny');
  }
});

t.test('what a stage or an exception approves is dynamic', async (t) => {
  const snapshot = payments();
  const [one] = snapshot.identities;
  const dynamic = (where: string, name: string): boolean =>
    ask(snapshot, where === '' ? one!.view : stageView(one!, where), name).dynamic;
  t.equal(dynamic('', 'own.example'), false);
  t.equal(dynamic('', 'exception.example'), true);
  t.equal(dynamic('fetch', 'own.example'), false);
  t.equal(dynamic('fetch', 'pypi.example'), true);
  t.equal(dynamic('fetch', 'shared.example'), false, 'approved both ways is approved for good');
  t.equal(dynamic('test', 'own.example'), true, '`only` dropped the own list');
  t.equal(dynamic('test', 'shared.example'), true);
  t.equal(dynamic('release', 'results1.example'), true);
  t.equal(dynamic('release', 'release.example'), true);
  t.equal(dynamic('', 'nothing.example'), false);
});

t.test('a destination that an identity has and a stage adds is not dynamic', async (t) => {
  const snapshot = compiled({
    ...BASE,
    identities: [
      identity('one', {
        allow: entries('=own', '=python', '=artifacts'),
        stages: [stage('a', 'allow', '=own')],
      }),
    ],
  });
  const [one] = snapshot.identities;
  t.equal(ask(snapshot, stageView(one!, 'a'), 'own.example').dynamic, false);
  t.equal(stageView(one!, 'a'), one!.view, 'it is the same view');
});

t.test('the later expiry decides whether an answer is dynamic', async (t) => {
  const snapshot = compiled({
    identities: [
      identity('one', {
        allow: entries(rule('a.example', { until: NOW + 10 })),
        exceptions: [rule('a.example', { until: NOW + 20 })],
      }),
    ],
  });
  const { view } = snapshot.identities[0]!;
  t.match(ask(snapshot, view, 'a.example'), { dynamic: true, until: NOW + 20 });
});

t.test('a list that many identities share is stored once', async (t) => {
  const lines = Array.from({ length: 500 }, (_, i) => `h${i}.example`).join('\n');
  const size = (identities: number): { rules: number; nodes: number; postings: number; views: number } => {
    const snapshot = compiled({
      destinations: [destination('shared', [], [list(lines)])],
      identities: Array.from({ length: identities }, (_, i) =>
        identity(`one${'x'.repeat(i)}`, { allow: entries('=shared') }),
      ),
    });
    return {
      rules: snapshot.rules.count,
      nodes: snapshot.tree.parents.length,
      postings: snapshot.postings.set.length,
      views: snapshot.views.length,
    };
  };
  const one = size(1);
  t.equal(one.rules, 500);
  t.equal(one.views, 2);
  t.same(size(100), one);
});

t.test('what is written on the spot belongs to its identity alone', async (t) => {
  const snapshot = compiled({
    identities: [
      identity('one', { allow: entries('a.example') }),
      identity('other', { allow: entries('b.example') }),
    ],
  });
  const [one, other] = snapshot.identities;
  t.equal(ask(snapshot, one!.view, 'a.example').verdict, 'allow');
  t.equal(ask(snapshot, one!.view, 'b.example').verdict, 'deny');
  t.equal(ask(snapshot, other!.view, 'b.example').verdict, 'allow');
  t.equal(ask(snapshot, other!.view, 'a.example').verdict, 'deny');
});

t.test('equal rules give an equal view id, whoever has them and wherever they are written', async (t) => {
  const snapshot = compiled({
    destinations: [
      destination('d', [rule('a.example', {}, 3), rule('b.example', { until: NOW + 5 }, 4)]),
      destination('e', [rule('c.example', {}, 5)]),
    ],
    identities: [
      identity('one', {
        allow: entries(rule('a.example'), rule('b.example', { until: NOW + 5 }), 'c.example'),
      }),
      identity('two', {
        allow: entries(
          rule('c.example', {}, 9),
          rule('b.example', { until: NOW + 5 }, 7),
          rule('a.example', {}, 8),
        ),
      }),
      identity('three', { allow: entries('=d', '=e') }),
      identity('four', { allow: entries('=e', '=d', '=d') }),
    ],
  });
  const ids = snapshot.identities.map(({ view }) => view.id);
  t.match(ids[0], /^[0-9a-f]{16}$/);
  t.equal(ids[1], ids[0], 'the order and the lines are no content');
  t.equal(ids[3], ids[2]);
  t.equal(snapshot.identities[3]!.view, snapshot.identities[2]!.view);
});

t.test('one term that differs gives another view id', async (t) => {
  const idOf = (text: string, some: Partial<RuleTerms> = {}, dynamic = false): string => {
    const snapshot = compiled({
      identities: [
        identity('one', dynamic ? { exceptions: [rule(text, some)] } : { allow: entries(rule(text, some)) }),
      ],
    });
    return snapshot.identities[0]!.view.id;
  };
  const ids = [
    idOf('a.example'),
    idOf('b.example'),
    idOf('a.b.example'),
    idOf('*.a.example'),
    idOf('**.a.example'),
    idOf('n{0..9}.a.example'),
    idOf('n{0..8}.a.example'),
    idOf('n{1..9}.a.example'),
    idOf('n{00..09}.a.example'),
    idOf('n{0..9}x.a.example'),
    idOf('{0..9}n.a.example'),
    idOf('n.{0..9}.a.example'),
    idOf('a.example', { types: types('A') }),
    idOf('a.example', { types: types('A', 'TXT') }),
    idOf('a.example', { until: NOW + 1 }),
    idOf('a.example', { until: NOW + 2 }),
    idOf('a.example', { private: true }),
    idOf('a.example', { private: [{ family: 4, words: [0x0a00_0000], length: 8 }] }),
    idOf('a.example', { private: [{ family: 4, words: [0x0a00_0000], length: 9 }] }),
    idOf('a.example', { maxLabels: 2 }),
    idOf('a.example', { maxLabelLength: 2 }),
    idOf('a.example', { owner: 'other' }),
    idOf('a.example', { reason: 'other' }),
    idOf('a.example', { destination: 'd' }),
    idOf('a.example', {}, true),
  ];
  // Both halves are hashes of their own.
  t.equal(new Set(ids.map((id) => id.slice(0, 8))).size, ids.length);
  t.equal(new Set(ids.map((id) => id.slice(8))).size, ids.length);
  t.equal(idOf('a.example'), ids[0], 'and the same again is the same again');
});

t.test('a view id does not depend on the salt, nor on what else the policy holds', async (t) => {
  const one = identity('one', { allow: entries('a.example') });
  const ids = [1, 2, 0xffff_ffff].map((salt) => {
    const { snapshot } = compile(
      policy({
        destinations: [destination('d', [`x${salt}.example`])],
        identities: [identity('zero', { allow: entries('=d') }), one],
      }),
      new Map(),
      { now: NOW, salt },
    );
    return snapshot.identities[1]!.view.id;
  });
  t.equal(new Set(ids).size, 1);
});

t.test('the view of `unknown` is empty', async (t) => {
  const snapshot = compiled({
    ...BASE,
    identities: [identity('one', { allow: entries('=own', '=python', '=artifacts') }), identity('none')],
  });
  t.equal(snapshot.views[0], EMPTY_VIEW);
  t.equal(UNKNOWN.view, EMPTY_VIEW);
  t.equal(snapshot.identities[1]!.view, EMPTY_VIEW, 'an identity without rules has it too');
  for (const name of ['own.example', 'pypi.example', 'results1.example', 'example', 'com']) {
    t.equal(ask(snapshot, EMPTY_VIEW, name).verdict, 'deny', name);
  }
  t.equal(ask(snapshot, EMPTY_VIEW, '.').verdict, 'empty');
  t.match(UNKNOWN, { index: -1, name: 'unknown', owner: '', auditUntil: 0 });
});

t.test('property: joinView finds the sets that both have, in order', async () => {
  const joined = new Joined();
  const ascending = fc
    .uniqueArray(fc.nat(60), { maxLength: 30 })
    .map((values) => Uint32Array.from(values).sort());
  fc.assert(
    fc.property(ascending, ascending, fc.nat(3), fc.nat(3), (sets, mine, before, after) => {
      // Postings of other nodes stand before and behind.
      const all = Uint32Array.from([...Array(before).fill(1), ...sets, ...Array(after).fill(2)]);
      const empty = new Uint32Array(0);
      const postings = { start: empty, set: all, rule: empty, below: empty };
      const view = { id: '', sets: mine, dynamic: new Uint8Array(mine.length) };
      const end = before + sets.length;
      const found: number[] = [];
      for (
        let at = joinView(postings, view, before, end, joined);
        at < end;
        at = joinView(postings, view, at + 1, end, joined)
      ) {
        if (mine[joined.position] !== all[at]) return false;
        found.push(all[at]!);
      }
      return found.join() === [...sets].filter((set) => mine.includes(set)).join();
    }),
    { seed: 50, numRuns: 2000 },
  );
});
