import { join } from 'node:path';
import t, { type Test } from 'tap';
import { POLICY } from '../../admin/house.ts';
import { put } from '../../config/harness.ts';
import { say } from '../command.ts';

function configured(t: Test, policy = POLICY): string[] {
  const folder = t.testdir({});
  put(folder, {
    'namegate.yaml':
      'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy.yaml\n',
    'policy.yaml': policy,
  });
  return ['--config', join(folder, 'namegate.yaml')];
}

t.test('identity list says who owns what, and which reviews are overdue', async (t) => {
  const config = configured(t, POLICY.replace('review_by: 2090-01-01', 'review_by: 2020-01-01'));
  const { code, stdout } = await say(['identity', 'list', ...config]);
  t.equal(code, 0);
  t.match(stdout, /^IDENTITY +OWNER +REVIEW +MODE +STAGES +FROM\n/);
  t.match(
    stdout,
    /^build +team-build +2020-01-01: overdue +enforce +fetch → compile → release +10\.1\.0\.0\/16$/m,
  );
  t.match(stdout, /^proven +team-proven +2090-01-01 +enforce +- +spiffe:\/\/ci\.example\/proven$/m);
  const json = JSON.parse((await say(['identity', 'list', '--json', ...config])).stdout) as {
    identities: object[];
  };
  t.match(json.identities, [
    { name: 'build', review_overdue: true },
    { name: 'steady', review_overdue: false, quarantine: 600 },
    { proof: 'certificate' },
  ]);
});

t.test('identity show says how it is recognised, and what it may resolve at each stage', async (t) => {
  const config = configured(t);
  const { code, stdout } = await say(['identity', 'show', 'build', ...config]);
  t.equal(code, 0);
  t.match(stdout, /owner +team-build\n/);
  t.match(
    stdout,
    /recognised +address 10\.1\.0\.0\/16\nrecognised +by a lease of a job of https:\/\/ci\.example with repository_id=42\n/,
  );
  t.match(stdout, /leases +at most 3600 s\n/);
  t.match(
    stdout,
    /without a lease\n +always\.example\n\nat stage fetch\n +always\.example\n +fetch\.example\n\nat stage compile\n +nothing\n/,
  );
  const json = JSON.parse((await say(['identity', 'show', 'build', '--json', ...config])).stdout) as Record<
    string,
    unknown
  >;
  t.match(json['resolves'], [
    { stage: null, patterns: [{ pattern: 'always.example' }] },
    { stage: 'fetch', patterns: [{}, { pattern: 'fetch.example' }] },
    { stage: 'compile', patterns: [] },
    { stage: 'release' },
  ]);
  t.match(await say(['identity', 'show', 'nobody', ...config]), {
    code: 2,
    stderr: /there are: build, steady, proven/,
  });
});

t.test('identity show and explain say what is expected, and what people do while a name fails', async (t) => {
  const config = configured(
    t,
    `identities:
  - name: one
    owner: team
    review_by: 2090-01-01
    from: { addresses: [10.1.0.0/16] }
    allow:
      - { name: a.example, reason: r, fallback: redirect mirror.example }
      - { name: b.example, reason: r, fallback: "take the \\u2028 cache" }
      - { name: c.example, reason: r }
    expected: [{ name: t.example, until: 2090-01-01, reason: phones home }]
`.replace(' \\u2028', ''),
  );
  const shown = (await say(['identity', 'show', 'one', ...config])).stdout;
  t.match(shown, /^expected +t\.example until 2090-01-01: phones home; owner team$/m);
  t.match(shown, /^ +a\.example +while it fails: redirect mirror\.example$/m);
  t.match(shown, /^ +c\.example$/m);
  const json = JSON.parse((await say(['identity', 'show', 'one', '--json', ...config])).stdout) as unknown;
  t.match(json, {
    expected: [{ name: 't.example', until: '2090-01-01T00:00:00Z', reason: 'phones home', owner: 'team' }],
    resolves: [
      {
        patterns: [
          { fallback: 'redirect mirror.example' },
          { fallback: 'take the cache' },
          { fallback: null },
        ],
      },
    ],
  });
  const asked = ['explain', '--identity', 'one', ...config];
  t.match(
    (await say([...asked, 'a.example'])).stdout,
    /; owner team; while it fails: redirect mirror\.example\n$/,
  );
  t.match((await say([...asked, 'a.example', 'MX'])).stdout, /; owner team; ask team\n$/);
  t.match(JSON.parse((await say([...asked, 'a.example', '--json'])).stdout), {
    rule: { fallback: 'redirect mirror.example' },
  });
});

t.test('a policy with errors is told, not guessed', async (t) => {
  t.match(await say(['identity', 'list', ...configured(t, 'x: 1\n')]), {
    code: 2,
    stdout: '',
    stderr: /key-unknown/,
  });
});
