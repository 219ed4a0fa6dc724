import { relative } from 'node:path';
import t, { type Test } from 'tap';
import { patternLines } from '../../../src/cli/policy/patterns.ts';
import { Terminal } from '../../../src/cli/terminal.ts';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import { DEFAULT_BUDGETS } from '../../../src/settings/settings.ts';
import { worked } from '../../clock.ts';
import { command, MAIN, namegate, say } from '../command.ts';

const SERVER =
  'listen: ["udp://127.0.0.1:0"]\nupstreams: { default: { servers: ["udp://127.0.0.1:2"] } }\npolicy: policy/\n';
const POLICY = `
destinations:
  forge:
    owner: platform
    reason: clone
    names:
      - github.com
      - "*.pages.example"
      - { name: "**.deep.example", max_labels: 2, max_label_length: 3 }
      - "n{0..199}.store.example"
      - "a.n{00..09}.store.example"
  mirror: { owner: platform, reason: packages, names: [pypi.org] }
  unused: { owner: platform, reason: none, names: [unused.example] }
identities:
  - name: build
    owner: team
    review_by: 2099-01-01
    from: { addresses: [192.0.2.0/24] }
    allow: [forge, { name: spot.example, reason: here, until: 2098-01-01 }]
    stages: { fetch: { allow: [mirror] } }
    exceptions: [{ name: late.example, until: 2097-01-01T10:00:00Z, reason: x, approved_by: y }]
  - name: watched
    owner: team
    review_by: 2099-01-01
    from: { addresses: [198.51.100.7] }
    mode: audit
    audit_until: 2099-01-01
    allow: [forge]
`;

/** A folder of config, relative to the working directory: files are named as they were given. */
function configured(t: Test, policy: string): string {
  return relative('', t.testdir({ 'namegate.yaml': SERVER, policy: { 'a.yaml': policy } }));
}

t.test('what is good, with warnings', async (t) => {
  const dir = configured(t, POLICY);
  const { code, stdout, stderr } = await say(['check', '--config', `${dir}/namegate.yaml`]);
  t.equal(code, 0, 'warnings are no failure');
  t.equal(stderr, '');
  const [problems, patterns, counts] = stdout.split('\n\n');
  t.match(
    problems,
    `${dir}/policy/a.yaml:13:3: destination-unused: no identity allows unused (warning)\n  unused: {`,
  );
  t.match(problems, /\n {2}\^\nfix: /);
  t.same(patterns?.split('\n'), [
    'forge (for build, watched)',
    '  github.com                               that name alone',
    '  *.pages.example                          one label of up to 63 octets in front of the base; a question can carry 495 bits; a job and day: about 55 new names of 20 octets (alert from 512 B, at most 1 KiB)',
    '  **.deep.example                          1 to 2 labels of up to 3 octets in front of the base; a question can carry 48 bits; a job and day: about 104 new names of 7 octets (alert from 512 B, at most 1 KiB)',
    '  n{0..199}.store.example                  200 names; a question can carry 8 bits',
    '  a.n{00..09}.store.example                10 names; a question can carry 4 bits',
    'mirror (for build (fetch))',
    '  pypi.org                                 that name alone',
    'unused (for nobody)',
    '  unused.example                           that name alone',
    'on the spot (for build)',
    '  spot.example                             that name alone; until 2098-01-01T00:00:00Z',
    'exceptions (for build)',
    '  late.example                             that name alone; until 2097-01-01T10:00:00Z',
  ]);
  t.match(
    counts,
    /^watched is in audit mode until 2099-01-01T00:00Z: .*\n2 identities, \d+ rules, 4 views\ngood, with \d warnings\n$/,
  );
});

t.test('what is wrong, all of it at once', async (t) => {
  const bad = `
destinations:
  forge: { owner: platform, reason: clone, names: [api-*.example, "*.com", "*.github.io"] }
identities:
  - name: build
    owmer: team
`;
  const dir = configured(t, bad);
  const { code, stdout, stderr } = await say(['check', '--config', `${dir}/namegate.yaml`]);
  t.equal(code, 1);
  t.equal(stderr, '');
  const heads = [...stdout.matchAll(/^(\S+):(\d+):(\d+): ([a-z-]+): .+\n(.*)\n( *)\^\nfix: .+$/gm)];
  t.same(heads.map(([, file, line, , what]) => `${file}:${line} ${what}`).slice(0, 2), [
    `${dir}/policy/a.yaml:3 pattern-star`,
    `${dir}/policy/a.yaml:3 public-suffix`,
  ]);
  for (const [, , , column, , text, indent] of heads) {
    t.equal(indent?.length, Number(column) - 1, 'the caret stands under the column');
    t.not(text?.[Number(column) - 1]?.trim() ?? '', '');
  }
  const warnings = heads.filter(([head]) => head.includes(' (warning)\n')).length;
  t.equal(stdout.trimEnd().split('\n').at(-1), `${heads.length - warnings} errors, ${warnings} warning`);

  const json = await say(['check', `${dir}/policy`, '--json']);
  t.equal(json.code, 1);
  const report = JSON.parse(json.stdout) as { problems: Record<string, unknown>[] };
  t.same(Object.keys(report), ['problems', 'identities', 'rules', 'views']);
  t.match(report, { identities: 0, rules: 0, views: 0 });
  t.equal(report.problems.length, heads.length);
  for (const problem of report.problems) {
    t.same(Object.keys(problem), ['code', 'severity', 'file', 'line', 'column', 'message', 'fix']);
  }
  t.match(report.problems[0], {
    code: 'pattern-star',
    severity: 'error',
    file: `${dir}/policy/a.yaml`,
    line: 3,
  });
});

t.test('a path instead of the server file', async (t) => {
  const dir = configured(t, POLICY);
  const counts = async (...args: string[]): Promise<unknown> => {
    const { code, stdout } = await say(['check', ...args, '--json']);
    t.equal(code, 0, args.join(' '));
    const { problems, ...rest } = JSON.parse(stdout) as { problems: unknown[] };
    return rest;
  };
  const whole = await counts('--config', `${dir}/namegate.yaml`);
  t.match(whole, { identities: 2, views: 4 });
  t.same(await counts(`${dir}/policy`), whole, 'a folder');
  t.same(await counts(`${dir}/policy/a.yaml`), whole, 'a policy file');
  t.same(await counts(`${dir}/namegate.yaml`), whole, 'a server file');
});

t.test('mistakes in the command line exit 2', async (t) => {
  const table: readonly [readonly string[], RegExp][] = [
    [['gone'], /there is no gone: create it, or correct the path/],
    [
      ['config/namegate.yml'],
      /there is no config\/namegate\.yml: correct the path: config has namegate\.yaml/,
    ],
    [['config/polcy'], /correct the path: config has policy, not polcy/],
    [['--config', 'config/namegat.yaml'], /correct the path: config has namegate\.yaml/],
    [['--config', 'gone.yaml'], /there is no gone\.yaml/],
    [['config', '--config', 'config/namegate.yaml'], /name a path or --config, not both/],
  ];
  for (const [args, said] of table) {
    const { code, stdout, stderr } = await say(['check', ...args]);
    t.equal(code, 2);
    t.equal(stdout, '');
    t.match(stderr, said);
  }
  const { code, stderr } = await namegate(['check'], { cwd: t.testdir({}) });
  t.equal(code, 2);
  t.match(stderr, /name the server file with --config/);
});

t.test('a reader that goes away', async (t) => {
  const dir = configured(t, POLICY);
  const args = [process.execPath, MAIN, 'check', `${dir}/policy`];
  const { stdout, stderr } = await command([
    'bash',
    '-c',
    `"$0" "$@" | head -1; echo "\${PIPESTATUS[0]}"`,
    ...args,
  ]);
  t.equal(stderr, '');
  t.match(stdout, /^\S+:13:3: destination-unused: .*\n0\n$/);
});

t.test('many names stay readable', async (t) => {
  const nowhere = { write: () => {} };
  const terminal = new Terminal(nowhere, nowhere, {});
  const list = Array.from({ length: 100_000 }, (_, i) => `host-${i}.example`).join('\n');
  const stars = Array.from({ length: 150_000 }, (_, i) => `*.z${i}.example`).join('\n');
  const identities = Array.from(
    { length: 500 },
    (_, i) =>
      `  - { name: id-${i}, owner: o, review_by: 2099-01-01, from: { addresses: [10.0.${i >> 8}.${i & 255}] }, allow: [long, { name: a.b${i}.example, reason: r }, { name: c.b${i}.example, reason: r }] }`,
  );
  const dir = t.testdir({
    'list.txt': list,
    'stars.txt': stars,
    'policy.yaml': `
destinations:
  long: { owner: o, reason: r, names: [first.example], names_from: [list.txt] }
  wide: { owner: o, reason: r, names_from: [stars.txt] }
identities:
${identities.join('\n')}
`,
  });
  const { snapshot, problems } = loadPolicyOnly(`${dir}/policy.yaml`, {
    env: {},
    now: 1_800_000_000,
    salt: 7,
  });
  if (snapshot === null) throw new Error(JSON.stringify(problems));
  const started = worked();
  const lines = patternLines(terminal, snapshot, DEFAULT_BUDGETS.lease_wildcard);
  t.ok(worked() - started < 3000, `${Math.round(worked() - started)} ms`);
  t.equal(lines[0], 'long (for id-0, id-1, id-2, id-3, id-4, id-5, id-6, id-7 and 492 more)');
  t.equal(lines[1], '  100,001 names, each that name alone');
  t.equal(lines[2], 'wide (for nobody)');
  t.match(lines[22], /^ {2}\*\.z19\.example /);
  t.equal(lines[23], '  149,980 more patterns; a question can carry up to 495 bits');
  t.equal(lines[24], 'on the spot (for id-0)');
  t.equal(lines[25], '  2 names, each that name alone');
  t.equal(lines.length, 24 + 2 * 500);
});
