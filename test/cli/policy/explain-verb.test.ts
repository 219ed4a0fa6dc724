import { relative } from 'node:path';
import t, { type Test } from 'tap';
import { say } from '../command.ts';

const POLICY = `
destinations:
  forge:
    owner: platform
    reason: clone and fetch
    names: [github.com, "*.pages.example", { name: old.example, until: 2026-01-01T00:00:00Z }]
  mirror: { owner: platform, reason: packages, names: [pypi.org] }
identities:
  - name: build
    owner: team-build
    review_by: 2099-01-01
    from: { addresses: [192.0.2.0/24, "2001:db8::/32"] }
    allow: [forge, { name: local.example, reason: on the spot }]
    stages: { fetch: { allow: [mirror] }, test: { only: [] } }
  - name: watched
    owner: team-watch
    review_by: 2099-01-01
    from: { addresses: [198.51.100.7] }
    mode: audit
    audit_until: 2099-01-01
    allow: [forge]
records: [{ name: local.example, type: A, data: 192.0.2.9 }]
`;

/** The folder, relative to the working directory: files are named as they were given. */
function configured(t: Test): string {
  const dir = t.testdir({
    config: {
      'namegate.yaml':
        'listen: ["udp://127.0.0.1:0"]\nupstreams: { default: { servers: ["udp://127.0.0.1:2"] } }\npolicy: policy.yaml\n',
      'policy.yaml': POLICY,
    },
    'broken.yaml': 'listen: 3\n',
  });
  return relative('', dir);
}

t.test('explain --json has exactly its keys, and the exit code is the verdict', async (t) => {
  const dir = configured(t);
  const config = ['--config', `${dir}/config/namegate.yaml`];
  const rule = {
    pattern: 'github.com',
    destination: 'forge',
    file: `${dir}/config/policy.yaml`,
    line: 6,
    owner: 'platform',
    reason: 'clone and fetch',
    until: null,
    fallback: null,
  };
  const build = { mode: 'enforce', identity: 'build', stage: null, type: 'A', ask: 'team-build' };
  const denied = { verdict: 'deny', rule: null };
  const table: readonly [string, number, object][] = [
    ['--from 192.0.2.7 github.com', 0, { verdict: 'allow', ...build, name: 'github.com', rule }],
    ['--from 2001:db8::7 GitHub.com. A', 0, { verdict: 'allow', ...build, name: 'github.com', rule }],
    ['--from ::ffff:192.0.2.7 evil.example', 1, { ...denied, ...build, name: 'evil.example' }],
    [
      '--identity build github.com MX',
      1,
      { verdict: 'empty', ...build, name: 'github.com', type: 'MX', rule, ask: 'platform' },
    ],
    ['--identity build com', 1, { verdict: 'empty', ...build, name: 'com', rule: null }],
    ['--identity build .', 1, { verdict: 'empty', ...build, name: '.', rule: null }],
    [
      '--identity build --stage fetch pypi.org',
      0,
      { verdict: 'allow', stage: 'fetch', rule: { destination: 'mirror', line: 7 } },
    ],
    ['--identity build --stage test github.com', 1, { ...denied, stage: 'test' }],
    [
      '--identity build local.example',
      0,
      { verdict: 'local', rule: { destination: null, owner: 'team-build' } },
    ],
    [
      '--identity build old.example',
      1,
      {
        ...denied,
        ask: 'platform',
        reason: /old\.example of forge .* ended at 2026-01-01T00:00:00Z$/,
        next: 'ask platform',
      },
    ],
    [
      '--identity build --stage test pypi.org',
      1,
      {
        ...denied,
        ground: 'other_stage',
        approved_stage: 'fetch',
        reason: /^approved at stage fetch by rule pypi\.org/,
        next: /does not go back/,
      },
    ],
    [
      '--identity build a.b.pages.example',
      1,
      { ...denied, reason: /\*\.pages\.example of forge .* matches one label in front/ },
    ],
    [
      '--identity build --at 2025-12-31T23:59:59Z old.example',
      0,
      { verdict: 'allow', rule: { until: '2026-01-01T00:00:00Z' } },
    ],
    [
      '--from 198.51.100.7 evil.example',
      1,
      { ...denied, mode: 'audit', identity: 'watched', ask: 'team-watch' },
    ],
    ['--from 203.0.113.1 github.com', 1, { ...denied, identity: 'unknown', ask: '' }],
    ['--identity unknown github.com', 1, { ...denied, identity: 'unknown' }],
  ];
  const all = await Promise.all(
    table.map(async ([args]) => say(['explain', ...config, ...args.split(' '), '--json'])),
  );
  table.forEach(([args, code, expected], i) => {
    const ran = all[i]!;
    t.equal(ran.code, code, args);
    const explained = JSON.parse(ran.stdout) as Record<string, unknown>;
    t.match(explained, expected, args);
    t.same(Object.keys(explained), [
      'verdict',
      'mode',
      'identity',
      'stage',
      'name',
      'type',
      'rule',
      'ground',
      'approved_stage',
      'expected',
      'ask',
      'reason',
      'next',
      'state',
    ]);
    if (explained['rule'] !== null) {
      t.same(Object.keys(explained['rule'] as object), Object.keys(rule));
    }
  });
});

t.test('explain for people', async (t) => {
  const dir = configured(t);
  const config = ['--config', `${dir}/config/namegate.yaml`];
  const [allowed, denied, spot] = await Promise.all([
    say(['explain', ...config, '--from', '192.0.2.7', 'x.pages.example']),
    say(['explain', ...config, '--from', '192.0.2.7', 'evil.example']),
    say(['explain', ...config, '--from', '192.0.2.7', 'local.example']),
  ]);
  t.same(allowed, {
    code: 0,
    stdout: `x.pages.example A: allow for build; rule *.pages.example of forge (${dir}/config/policy.yaml:6): clone and fetch; owner platform\n`,
    stderr: '',
  });
  t.equal(denied.stdout, 'evil.example A: deny for build; name not approved; ask team-build\n');
  t.match(
    spot.stdout,
    /^local\.example A: local for build; answered from local records; rule local\.example \(/,
  );
});

t.test('mistakes in the command line, and a config that cannot be used, exit 2', async (t) => {
  const dir = configured(t);
  const config = ['--config', `${dir}/config/namegate.yaml`];
  const table: readonly [string, RegExp][] = [
    ['github.com', /say who asks/],
    ['github.com --from 192.0.2.7 --identity build', /say who asks/],
    ['github.com --from nobody', /--from nobody: .*no IP address/],
    ['github.com --identity nobody', /there is no identity nobody; there are: build, watched/],
    ['github.com --identity build --stage deploy', /build has no stage deploy; it has: fetch, test/],
    ['github.com --identity watched --stage fetch', /it has: none/],
    ['github.com --identity build --at noon', /--at noon: "noon" is no time; write/],
    ['github.com QQ --identity build', /QQ is no RR type/],
    ['a..b --identity build', /"a\.\.b" is no name/],
    ['github.com --identity build --config gone.yaml', /there is no gone\.yaml/],
    [`github.com --identity build --config ${dir}/broken.yaml`, /broken\.yaml:1:9: value-kind: /],
  ];
  for (const [ran, args, said] of await Promise.all(
    table.map(
      async ([args, said]) => [await say(['explain', ...config, ...args.split(' ')]), args, said] as const,
    ),
  )) {
    t.equal(ran.code, 2, args);
    t.equal(ran.stdout, '', args);
    t.match(ran.stderr, said, args);
  }
});

t.test('an address where a name belongs is told so', async (t) => {
  const dir = configured(t);
  for (const address of ['192.0.2.1', '2001:db8::1', '[2001:db8::1]', '::ffff:192.0.2.1']) {
    const { code, stderr } = await say([
      ...['explain', '--config', `${dir}/config/namegate.yaml`, '--identity', 'build', address],
    ]);
    t.equal(code, 2);
    t.match(stderr, `${address} is an address, and a question asks for a name`);
    t.match(stderr, 'behind --from');
    t.match(
      (await say(['query', address])).stderr,
      `${address} is an address, and a question asks for a name`,
    );
  }
  const { code } = await say([
    ...[
      'explain',
      '--config',
      `${dir}/config/namegate.yaml`,
      '--identity',
      'build',
      '1.2.0.192.in-addr.arpa',
      'PTR',
    ],
  ]);
  t.equal(code, 1, 'a reverse name is a name');
});
