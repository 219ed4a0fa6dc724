import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { put } from '../../config/harness.ts';
import { say } from '../command.ts';
import { fillHistory } from '../learn/filled.ts';

/** What a review says of each rule and exception, by what the history has. */

const DAY = 86_400_000;
const NOW = Date.now();

const FILES = {
  'namegate.yaml':
    'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\nstate: state/\n',
  'policy.yaml': `identities:
  - name: build
    owner: team-build
    review_by: 2090-01-01
    from: { addresses: [10.1.0.0/16] }
    allow:
      - { name: today.example, reason: r }
      - { name: old.example, reason: r }
      - { name: never.example, reason: r }
    stages:
      fetch: { allow: [{ name: fetch.example, reason: r }] }
      compile: { only: [] }
    exceptions:
      - { name: used.example, until: 2090-01-01T00:00:00Z, reason: CHG-1, approved_by: sec }
      - { name: idle.example, until: 2090-01-01T00:00:00Z, reason: CHG-2, approved_by: sec }
      - { name: past.example, until: 2090-01-01T00:00:00Z, reason: CHG-3, approved_by: sec }
  - { name: other, owner: o, review_by: 2090-01-01, from: { addresses: [10.2.0.0/16] }, allow: [{ name: never.example, reason: r }] }
`,
};

interface Rule {
  readonly pattern: string;
  readonly exception: boolean;
  readonly unused: boolean;
  readonly last_used: string | null;
  readonly jobs: number;
}

t.test('rules, exceptions and refusals of an identity', async (t) => {
  const folder = t.testdir({});
  put(folder, FILES);
  const path = join(folder, 'history.db');
  fillHistory(path, [
    { lease: 'a', identity: 'build', name: 'evil.example', stage: 'fetch', audited: false, count: 3 },
    { lease: 'b', identity: 'build', name: 'evil.example', stage: 'fetch', audited: false },
    {
      lease: 'b',
      identity: 'build',
      name: 'bad.example',
      stage: 'compile',
      verdict: 'contain',
      audited: false,
    },
    { lease: 'b', identity: 'build', name: 'today.example', verdict: 'allow', audited: false },
    { lease: 'c', identity: 'other', name: 'evil.example', audited: false },
  ]);
  const database = new DatabaseSync(path);
  const add = database.prepare(
    "INSERT INTO rule (place, pattern, identity, first, last, jobs, hash) VALUES ('policy.yaml:1', ?, ?, ?, ?, ?, '')",
  );
  for (const [pattern, identity, days, jobs] of [
    ['today.example', 'build', 0, 7],
    ['old.example', 'build', 31, 2],
    ['used.example', 'build', 1, 4],
    ['past.example', 'build', 40, 1],
    ['never.example', 'other', 0, 9],
  ] as const)
    add.run(pattern, identity, NOW - 90 * DAY, NOW - days * DAY, jobs);
  database.close();
  const common = ['--config', join(folder, 'namegate.yaml'), '--history', path, '--identity', 'build'];
  const { stdout, code } = await say(['review', '--json', ...common]);
  t.equal(code, 0);
  const [build] = JSON.parse(stdout).identities;
  t.match(build, { identity: 'build', owner: 'team-build', jobs: 2, review_by: '2090-01-01T00:00:00Z' });
  t.strictSame(build.refused, [
    { stage: 'compile', names: 1, questions: 1 },
    { stage: 'fetch', names: 1, questions: 4 },
  ]);
  const rules = build.rules as readonly Rule[];
  t.strictSame(
    rules.map(({ pattern, exception, unused, jobs }) => [pattern, exception, unused, jobs]).sort(),
    [
      ['fetch.example', false, true, 0],
      ['idle.example', true, true, 0],
      ['never.example', false, true, 0],
      ['old.example', false, true, 2],
      ['past.example', true, true, 1],
      ['today.example', false, false, 7],
      ['used.example', true, false, 4],
    ],
    "another identity's use is not this one's, and each rule stands once",
  );
  const text = await say(['review', ...common]);
  t.match(text.stdout, /^exceptions that were never used: idle\.example$/m);
  const [, candidates = ''] = /^unused for 30 days, candidates to revoke: (.*)$/m.exec(text.stdout) ?? [];
  t.strictSame(candidates.split(', ').sort(), ['fetch.example', 'never.example', 'old.example']);
  t.match(text.stdout, /^refused at stage fetch: 1 name, 4 questions$/m);
  t.notMatch(text.stdout, /^other$/m);
});
