import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { unifiedDiff } from '../../../src/cli/learn/line-diff.ts';
import { put } from '../../config/harness.ts';
import { say } from '../command.ts';
import { type Filled, fillHistory } from './filled.ts';

/** From the history of an audit to a policy that is in force, by the verbs that people type. */

const POLICY = `
destinations:
  forge: { owner: o, reason: r, names: [github.com] }
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [10.0.0.0/8] }
    mode: audit
    audit_until: 2099-01-01
    search: [corp.example]
    allow: [forge]
    stages: { fetch: { allow: [] }, build: { only: [] } }
`;

const ROWS: readonly Filled[] = [
  ...['l1', 'l2'].flatMap((lease): Filled[] => [
    {
      lease,
      name: 'github.com',
      verdict: 'allow',
      audited: false,
      ground: 'rule',
      job: { repository: 'acme/app' },
    },
    { lease, name: 'github.com.corp.example' },
    { lease, name: 'pypi.org' },
    { lease, name: 'mirror.example', stage: 'build', type: 16, count: 5 },
  ]),
  ...[1, 8, 3].map((n): Filled => ({ lease: `s${n}`, name: `r${n}.store.example.net` })),
  { lease: 'l1', name: 'once.example' },
  { lease: 'l1', name: 'old.example', at: Date.now() - 40 * 86_400_000 },
  { lease: 'l2', name: 'old.example', at: Date.now() - 40 * 86_400_000 },
  { lease: 'o1', identity: 'gone', name: 'a.example', verdict: 'allow', audited: false, ground: 'rule' },
];

function house(t: Test, rows = ROWS): { folder: string; config: string[] } {
  const folder = t.testdir({ state: {}, policy: {} });
  put(folder, {
    'namegate.yaml':
      'listen: [udp://127.0.0.1:5300]\nupstreams: { default: { servers: [udp://192.0.2.53] } }\npolicy: policy/\nstate: state/\n',
    'policy/job.yaml': POLICY,
  });
  fillHistory(join(folder, 'state/history.db'), rows);
  return { folder, config: ['--config', join(folder, 'namegate.yaml')] };
}

t.test('audit, suggest, check, try, enforce', async (t) => {
  const { folder, config } = house(t);
  const policy = join(folder, 'policy');
  const enforce = (): void =>
    writeFileSync(join(policy, 'job.yaml'), POLICY.replace(/ {4}mode: audit\n {4}audit_until: .*\n/, ''));
  const gate = ['try', policy, '--since', '30d', '--fail-on', 'newly-denied', ...config];

  t.notMatch((await say(gate)).stdout, /^job/m, 'an audit denies nothing');
  enforce();
  const broken = await say(gate);
  t.equal(broken.code, 1);
  t.match(broken.stdout, /^ {2}newly denied: pypi\.org A, before allow: 2 questions of 2 jobs$/m);
  t.match(
    broken.stdout,
    /^job at stage build\n {2}newly denied: mirror\.example TXT, before allow: 10 questions/m,
  );
  t.notMatch(broken.stdout, /github\.com\.corp/, 'noise of the search list');
  t.match(broken.stdout, /2 questions of search lists left out/);

  const { code, stdout } = await say(['suggest', '--identity', 'job', '--since', '30d', ...config]);
  t.equal(code, 0);
  t.match(stdout, /^ {6}# 2 jobs, 2 questions, .*; acme\/app\n {6}- "pypi\.org"$/m);
  t.match(stdout, /- "r\{0\.\.8\}\.store\.example\.net"/);
  t.match(stdout, /- \{ name: "mirror\.example", types: \[TXT\] \}/);
  t.notMatch(stdout, /once\.example|old\.example|corp/);
  t.notMatch(stdout, /^[^#]*\*/m, 'no star');
  writeFileSync(join(policy, 'proposed-job.yaml'), stdout);
  t.equal((await say(['check', ...config])).code, 0);
  const rest = await say([...gate, '--json']);
  const { differences } = JSON.parse(rest.stdout) as { differences: { name: string; becomes: string }[] };
  t.same(
    differences.map(({ name, becomes }) => `${name} ${becomes}`),
    ['a.example denied', 'once.example denied'],
    'what one job alone asked, and what an identity that is gone asked',
  );
  t.match(differences[0], {
    identity: 'gone',
    stage: '',
    type: 'A',
    before: 'allow',
    after: 'deny',
    rule: null,
    jobs: 1,
  });

  t.equal(
    (await say(['suggest', '--identity', 'job', '--since', '30d', '--diff', ...config])).stdout,
    '',
    'nothing new',
  );
  const all = await say(['suggest', '--identity', 'job', '--once', '--since', '30d', '--diff', ...config]);
  t.match(all.stdout, /^\+ {6}- "once\.example"$/m);
  execFileSync('patch', ['-p0', '-s'], { input: all.stdout });
  t.match(readFileSync(join(policy, 'proposed-job.yaml'), 'utf8'), /once\.example/);
  t.equal((await say(['check', ...config])).code, 0);
  const opened = await say([
    'try',
    policy,
    '--fail-on',
    'newly-allowed',
    '--history',
    join(folder, 'state/history.db'),
  ]);
  t.equal(opened.code, 0, 'what an audit resolved is not newly allowed');
});

t.test('odd names come back as the names that they are', async (t) => {
  const long = `a.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.example`;
  const names: readonly (readonly [name: string, type: number])[] = [
    ...[
      '_dmarc.corp.test',
      'my_host.test',
      '123.456.test',
      '10.test',
      '0x7f.test',
      '1e3',
      'null',
      'true.test',
    ],
    ...[
      'xn--bcher-kva.test',
      'xn--a.test',
      'a--b.test',
      '-dash.test',
      long,
      Array(120).fill('x').join('.'),
      'co.uk',
    ],
    ...[
      '\\*',
      '\\*\\*',
      'a\\*b',
      '\\{0\\.\\.9\\}',
      'a\\.b',
      'a\\000b',
      '\\255\\254',
      'a\\"b',
      "a\\'b",
      'a\\032b',
      'a\\010b',
    ].map((label) => `www.${label}.test`),
    ...[
      '\\*',
      '\\\\\\*',
      '\\#\\032x',
      'a\\:\\032b',
      '\\[x\\]',
      '\\!x',
      '\\&x',
      '\\%TAG',
      '\\`\\`',
      '\\$\\(id\\)',
    ].flatMap((label) => [`${label}.host.test`, `www.${label}`]),
  ].map((name) => [name.toLowerCase(), 1] as const);
  const others = [
    ['_ldap._tcp.dc.test', 33],
    ['8.8.8.8.in-addr.arpa', 12],
    ['naptr.test', 35],
  ] as const;
  const rows = ['l1', 'l2'].flatMap((lease) =>
    [...names, ...others].map(
      ([name, type]): Filled => ({ lease, name, type, job: { repository: 'acme/*' } }),
    ),
  );
  const { folder, config } = house(t, rows);
  const policy = join(folder, 'policy');
  const { code, stdout } = await say(['suggest', '--identity', 'job', ...config]);
  t.equal(code, 0);
  t.notMatch(stdout, /\*/, 'no star, not even one that a job chose');
  writeFileSync(join(policy, 'proposed-job.yaml'), stdout);
  writeFileSync(join(policy, 'job.yaml'), POLICY.replace(/ {4}mode: audit\n {4}audit_until: .*\n/, ''));
  const checked = await say(['check', ...config]);
  t.equal(checked.code, 0, checked.stdout + checked.stderr);
  const tried = await say(['try', policy, '--fail-on', 'newly-denied', ...config, '--json']);
  t.equal(tried.code, 0, tried.stdout);
  const { differences } = JSON.parse(tried.stdout) as { differences: unknown[] };
  t.same(differences, [], 'each is answered as the audit answered it');
});

t.test('what would become allowed', async (t) => {
  const { folder, config } = house(t, [
    { lease: 'l1', name: 'evil.example', audited: false },
    { lease: 'l1', name: 'paid.cdn.example', audited: false, verdict: 'contain', ground: 'rule' },
  ]);
  put(folder, {
    'next.yaml': POLICY.replace(
      '[forge]',
      '[forge, { name: evil.example, reason: r }, { name: "**.cdn.example", reason: r }]',
    ),
  });
  const tried = await say(['try', join(folder, 'next.yaml'), '--fail-on', 'newly-allowed', ...config]);
  t.equal(tried.code, 1);
  t.match(
    tried.stdout,
    /newly allowed: evil\.example A, before deny: 1 question of 1 job; rule evil\.example \(/,
  );
  t.notMatch(tried.stdout, /paid\.cdn/, 'a wildcard goes on containing');
});

t.test('mistakes say what to write', async (t) => {
  const { folder, config } = house(t);
  const policy = join(folder, 'policy');
  for (const [args, said] of [
    [['suggest', '--identity', 'jib', ...config], /there is no identity jib; there are: job/],
    [['suggest', '--identity', 'job', '--stage', 'x', ...config], /has no stage x; it has: fetch, build/],
    [['suggest', '--identity', 'job', '--since', 'soon', ...config], /--since soon: write a time such as/],
    [
      ['suggest', '--identity', 'job', '--history', join(folder, 'none.db'), ...config],
      /there is no .*none\.db/,
    ],
    [
      ['suggest', '--identity', 'job', '--history', join(folder, 'namegate.yaml'), ...config],
      /not a database/,
    ],
    [['try', join(folder, 'none'), ...config], /there is no .*none/],
    [
      ['try', policy, '--fail-on', 'denied', ...config],
      /--fail-on denied: write newly-denied or newly-allowed/,
    ],
  ] as const) {
    const ran = await say([...args]);
    t.equal(ran.code, 2, args.join(' '));
    t.match(ran.stderr, said, args.join(' '));
  }
});

t.test('a diff is what patch takes', async (t) => {
  const folder = t.testdir({});
  const texts = ['', 'a\n', 'a\nb\nc\n', 'b\nc\nd\n', 'x\na\nb\nx\nc\n', 'c\nb\na\n'];
  for (const before of [null, ...texts.slice(1)]) {
    for (const after of texts.slice(1)) {
      const path = join(folder, 'file');
      execFileSync('rm', ['-f', path]);
      if (before !== null) writeFileSync(path, before);
      const diff = unifiedDiff('file', before, after);
      t.equal(diff === '', before === after);
      if (diff === '') continue;
      execFileSync('patch', ['-p0', '-s'], { input: diff, cwd: folder });
      t.equal(readFileSync(path, 'utf8'), after, `${before} to ${after}`);
    }
  }
});

t.test('a shell may write the suggestion into the policy that it is made of', async (t) => {
  const { folder, config } = house(t);
  const file = join(folder, 'policy/proposed-job.yaml');
  const suggest = (): void => {
    const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
    const args = [process.execPath, main, 'suggest', '--identity', 'job', ...config];
    execFileSync('/bin/sh', ['-c', 'exec "$@" > "$0"', file, ...args], { stdio: 'pipe' });
  };
  suggest();
  const first = readFileSync(file, 'utf8');
  t.match(first, /pypi\.org/);
  suggest();
  t.equal(readFileSync(file, 'utf8'), first, 'once more over itself');
  writeFileSync(join(folder, 'policy/other.yaml'), '');
  t.throws(suggest, /yaml-empty/, 'another empty file is a mistake');
});

t.test('who is nobody under a policy still has the local names that everybody has', async (t) => {
  const base = { lease: 'u1', audited: false, ground: 'special', verdict: 'local' } as const;
  const { folder, config } = house(t, [
    { ...base, identity: 'unknown', name: 'localhost' },
    { ...base, lease: 'g1', identity: 'gone', name: 'localhost' },
    { ...base, lease: 'g1', identity: 'gone', name: 'a.example', verdict: 'allow' },
  ]);
  const { code, stdout } = await say([
    'try',
    join(folder, 'policy'),
    '--json',
    '--fail-on',
    'newly-denied',
    ...config,
  ]);
  t.equal(code, 1);
  t.match(JSON.parse(stdout).differences, [{ identity: 'gone', name: 'a.example', becomes: 'denied' }]);
});
