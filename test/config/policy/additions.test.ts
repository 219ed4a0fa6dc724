import t, { type Test } from 'tap';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import { explain } from '../../../src/policy/explain/explain.ts';
import { nameFromText } from '../../../src/wire/name.ts';

/** One file of a policy adds destinations to identities of another. */

const BASE = `
identities:
  - name: job
    owner: o
    review_by: 2099-01-01
    from: { addresses: [10.0.0.0/8] }
    allow: [{ name: own.example, reason: r }]
    stages: { fetch: { allow: [] }, build: { only: [] } }
`;
const MORE = `
destinations:
  more: { owner: o, reason: r, names: [more.example] }
additions:
`;

function load(t: Test, additions: string) {
  const folder = t.testdir({ 'a.yaml': BASE, 'b.yaml': `${MORE}${additions}` });
  const { snapshot, problems } = loadPolicyOnly(folder, {
    env: {},
    now: Date.UTC(2026, 10, 20) / 1000,
    salt: 1,
  });
  const told = problems.map(
    ({ code, at }) => `${at.file.slice(folder.length + 1)}:${at.line}:${at.column} ${code}`,
  );
  return { snapshot, told };
}

const GOOD: readonly (readonly [string, readonly string[]])[] = [
  // Where more.example is approved: without a stage, at fetch, at build.
  ['  - { identity: job, allow: [more] }', ['allow', 'allow', 'deny']],
  ['  - { identity: job, stage: fetch, allow: [more] }', ['deny', 'allow', 'deny']],
  ['  - { identity: job, stage: build, allow: [more] }', ['deny', 'deny', 'allow']],
  [
    '  - { identity: job, stage: build, allow: [more] }\n  - { identity: job, allow: [more] }',
    ['allow', 'allow', 'allow'],
  ],
];

t.test('what is added holds as if it stood in the identity', async (t) => {
  for (const [text, verdicts] of GOOD) {
    const { snapshot, told } = load(t, text);
    t.same(told, [], text);
    const [job] = snapshot!.identities;
    const asked = [null, ...job!.stages].map(
      (stage) => explain(snapshot!, job!, stage, nameFromText('more.example') as Uint8Array, 1, 0).verdict,
    );
    t.same(asked, verdicts, text);
  }
});

const BAD: readonly (readonly [string, readonly string[]])[] = [
  ['  - { identity: jib, allow: [more] }', ['b.yaml:3:3 destination-unused', 'b.yaml:5:17 addition-unknown']],
  [
    '  - { identity: job, stage: later, allow: [more] }',
    ['b.yaml:3:3 destination-unused', 'b.yaml:5:29 addition-unknown'],
  ],
  [
    '  - { identity: job, allow: [nosuch] }',
    ['b.yaml:3:3 destination-unused', 'b.yaml:5:30 destination-unknown'],
  ],
  ['  - { identity: job, allow: [more.example] }', ['b.yaml:5:30 allow-pattern']],
  ['  - { identity: job, allow: [] }', ['b.yaml:5:29 value-empty']],
  ['  - { identity: job }', ['b.yaml:5:5 key-missing']],
  ['  - { allow: [more] }', ['b.yaml:5:5 key-missing']],
];

t.test('each mistake, where it stands', async (t) => {
  for (const [text, expected] of BAD) t.same(load(t, text).told, expected, text);
});
