import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import { suffixTable } from '../../../src/config/policy/suffixes.ts';
import type { AskedRow } from '../../../src/policy/learn/asked-row.ts';
import { type Proposal, propose } from '../../../src/policy/learn/proposal.ts';
import { proposalText } from '../../../src/policy/learn/proposal-text.ts';
import { PolicyReplay, type ReplayResult } from '../../../src/policy/learn/replay.ts';
import { isError } from '../../../src/policy/problem.ts';
import type { Snapshot } from '../../../src/policy/snapshot.ts';
import { nameToText } from '../../../src/wire/name.ts';

/** What a job was refused becomes a policy that `check` takes, and under which it is refused no more. */

const NOW = Date.UTC(2026, 10, 20) / 1000;
const POLICY = `
destinations:
  forge: { owner: o, reason: r, names: [github.com] }
identities:
  - name: job
    owner: "team: #1"
    review_by: 2099-01-01
    from: { addresses: [10.0.0.0/8] }
    mode: audit
    audit_until: 2099-01-01
    search: [corp.example.org]
    allow: [forge, { name: "x.above.example.org", reason: r }, { name: typed.example.org, reason: r }]
    stages:
      fetch: { allow: [] }
      build: { only: [] }
    expected: [{ name: telemetry.example.org, until: 2099-01-01, reason: r }]
  - name: other
    owner: o
    review_by: 2099-01-01
    from: { addresses: [192.0.2.1] }
`;

interface Rig {
  readonly snapshot: Snapshot;
  readonly folder: string;
}

function rig(t: Test): Rig {
  const folder = t.testdir({ 'policy.yaml': POLICY, 'enforced.txt': '' });
  return { snapshot: compiledAt(folder), folder };
}

const loading = { env: {}, now: NOW, salt: 1 };

function compiledAt(folder: string): Snapshot {
  const { snapshot, problems } = loadPolicyOnly(folder, loading);
  const errors = problems
    .filter(isError)
    .map(({ code, message, at }) => `${at.file}:${at.line} ${code} ${message}`);
  if (snapshot === null || errors.length > 0) throw new Error(errors.join('\n'));
  return snapshot;
}

let account = 0;
function row(name: string, some: Partial<AskedRow> = {}): AskedRow {
  return {
    account: ++account,
    identity: 'job',
    stage: '',
    job: null,
    name,
    folded: 0,
    type: 1,
    verdict: 'deny',
    audited: true,
    proven: true,
    ground: 'other',
    first: NOW * 1000 - 86_400_000,
    last: NOW * 1000,
    count: 1,
    ...some,
  };
}

function proposed({ snapshot }: Rig, rows: readonly AskedRow[], once = false, ownFile = ''): Proposal {
  return propose(rows, snapshot, snapshot.identities[0]!, {
    once,
    now: NOW,
    suffixes: suffixTable(),
    ownFile,
  });
}

/** The patterns that are proposed, by stage: `stage pattern types`. */
function patterns(proposal: Proposal): string[] {
  return proposalText(proposal, new Set())
    .split('\n')
    .filter((line) => /^ {6}- (?!proposed-)/.test(line))
    .map((line) => line.slice(8));
}

function replayed(snapshot: Snapshot, rows: readonly AskedRow[]): ReplayResult {
  const replay = new PolicyReplay(snapshot, NOW);
  for (const each of rows) replay.take(each);
  return replay.done();
}

/** The candidate: the policy in enforce mode with the proposal beside it. */
function enforcedWith(t: Test, text: string): Snapshot {
  const enforced = POLICY.replace('    mode: audit\n    audit_until: 2099-01-01\n', '');
  return compiledAt(t.testdir({ 'policy.yaml': enforced, 'proposed.yaml': text }));
}

const twice = (name: string, some: Partial<AskedRow> = {}) => [row(name, some), row(name, some)];

const CASES: readonly (readonly [
  string,
  readonly AskedRow[],
  readonly string[],
  Partial<Proposal['left']>,
])[] = [
  ['two jobs', twice('pypi.org'), ['"pypi.org"'], {}],
  ['one job', [row('pypi.org', { count: 9 })], [], { once: 1 }],
  ['an unusual type', twice('pypi.org', { type: 16 }), ['{ name: "pypi.org", types: [TXT] }'], {}],
  [
    'usual and unusual types',
    [...twice('pypi.org', { type: 65280 }), ...twice('pypi.org', { type: 28 })],
    ['{ name: "pypi.org", types: [A, CNAME, AAAA, HTTPS, TYPE65280] }'],
    {},
  ],
  ['ANY', twice('pypi.org', { type: 255 }), ['"pypi.org"'], {}],
  ['a type that is none', twice('pypi.org', { type: 252 }), [], { type: 2 }],
  ['what is approved already', twice('github.com'), [], {}],
  [
    'a type that is missing',
    twice('typed.example.org', { type: 16, verdict: 'empty', ground: 'rule' }),
    ['{ name: "typed.example.org", types: [TXT] }'],
    {},
  ],
  ['a name above an approved one', twice('above.example.org', { verdict: 'empty', ground: 'above' }), [], {}],
  ['what is expected', twice('telemetry.example.org'), [], { expected: 2 }],
  ['special names', [...twice('localhost'), ...twice('x.namegate.internal')], [], { special: 4 }],
  ['without proof', twice('pypi.org', { proven: false }), [], { unproven: 2 }],
  ['folded rows', twice('evil.org', { folded: 1 }), [], { folded: 2 }],
  [
    'noise of the search list',
    [1, 2].flatMap((account) => [
      row('github.com.corp.example.org', { account }),
      row('github.com', { account }),
    ]),
    [],
    { noise: 2 },
  ],
  [
    'the same name without the other is none',
    twice('github.com.corp.example.org'),
    ['"github.com.corp.example.org"'],
    {},
  ],
  [
    'numbered hosts, each of one job',
    [3, 17, 101].map((n) => row(`results${n}.store.example.net`)),
    ['"results{0..101}.store.example.net"'],
    {},
  ],
  ['two of them are no family', [3, 17].map((n) => row(`results${n}.store.example.net`)), [], { once: 2 }],
  [
    'with leading zeros',
    ['003', '017', '101'].map((n) => row(`r${n}.store.example.net`)),
    ['"r{000..101}.store.example.net"'],
    {},
  ],
  ['of no one width', ['03', '017', '101'].map((n) => row(`r${n}.store.example.net`)), [], { once: 3 }],
  ['numbers too large', [10_000, 10_001, 10_002].map((n) => row(`r${n}.store.example.net`)), [], { once: 3 }],
  [
    'in the place that varies',
    [1, 2, 3, 4].map((n) => row(`node7-zone${n}x.example.net`)),
    ['"node7-zone{0..4}x.example.net"'],
    {},
  ],
  ['domains of strangers are no family', [1, 2, 3].map((n) => row(`host${n}.com`)), [], { once: 3 }],
  ['nor are names of a shared zone', [1, 2, 3].map((n) => row(`user${n}.github.io`)), [], { once: 3 }],
  ['an octet that no host has', twice('a\\000b.example.net'), ['"a\\\\000b.example.net"'], {}],
  ['a star in a name is written as its octet', twice('\\*.example.net'), ['"\\\\042.example.net"'], {}],
  ['a name that YAML would read otherwise', twice('1e3.example.net'), ['"1e3.example.net"'], {}],
  ['another stage', twice('pypi.org', { stage: 'build' }), ['"pypi.org"'], {}],
  ['a stage that is gone', twice('pypi.org', { stage: 'gone' }), [], {}],
];

t.test('what is proposed, and what is left out', async (t) => {
  const house = rig(t);
  for (const [what, rows, expected, left] of CASES) {
    const proposal = proposed(house, rows);
    t.same(patterns(proposal), expected, what);
    t.match(proposal.left, left, what);
    const sum = Object.values(left).reduce((total, one) => total + one, 0);
    t.equal(
      Object.values(proposal.left).reduce((total, one) => total + one, 0),
      sum,
      `${what}: nothing else`,
    );
  }
});

t.test('the text, whole', async (t) => {
  const house = rig(t);
  const job = (repository: string) => ({ job: { repository } });
  const rows = [
    row('pypi.org', { ...job('acme/app'), count: 3 }),
    row('files.pypi.org', job('evil\n- "**.com" # \u2028')),
    row('pypi.org', { ...job('acme/web'), stage: 'fetch' }),
    row('pypi.org', { ...job('acme/zap'), stage: 'fetch' }),
    row('pypi.org'),
    row('files.pypi.org'),
    ...[1, 2, 4].map((n) => row(`r${n}.store.example.net`)),
  ];
  t.equal(
    proposalText(proposed(house, rows), new Set(['proposed-job-pypi-org'])),
    `# What job was refused, as a policy beside the present one: 4 lines to be reviewed.
# Every line says what asked for it. Delete what nobody can explain; wildcards are never proposed.

destinations:
  proposed-job-example-net:
    owner: "team: #1"
    reason: "asked by up to 3 jobs of job, 2026-11-19 to 2026-11-20; to be reviewed"
    names:
      # 3 jobs, 3 questions, 2026-11-19 to 2026-11-20; 3 of its 5 names were asked; a question can carry 3 bits
      - "r{0..4}.store.example.net"
  proposed-job-pypi-org-2:
    owner: "team: #1"
    reason: "asked by up to 2 jobs of job, 2026-11-19 to 2026-11-20; to be reviewed"
    names:
      # 2 jobs, 4 questions, 2026-11-19 to 2026-11-20; acme/app
      - "pypi.org"
      # 2 jobs, 2 questions, 2026-11-19 to 2026-11-20; evil?-????.com?????
      - "files.pypi.org"
  proposed-job-fetch-pypi-org:
    owner: "team: #1"
    reason: "asked by up to 2 jobs of job, 2026-11-19 to 2026-11-20; to be reviewed"
    names:
      # 2 jobs, 2 questions, 2026-11-19 to 2026-11-20; acme/web, acme/zap
      - "pypi.org"

additions:
  - identity: "job"
    allow:
      - proposed-job-example-net
      - proposed-job-pypi-org-2
  - identity: "job"
    stage: "fetch"
    allow:
      - proposed-job-fetch-pypi-org
`,
  );
  t.equal(
    proposalText(proposed(house, []), new Set()).split('\n').at(-2),
    'destinations: {}',
    'nothing is a policy too',
  );
});

t.test('a proposal that is in place is proposed again, whole', async (t) => {
  const house = rig(t);
  const rows = twice('pypi.org');
  const text = proposalText(proposed(house, rows), new Set());
  const folder = t.testdir({ 'policy.yaml': POLICY, 'proposed.yaml': text });
  const placed = { snapshot: compiledAt(folder), folder };
  t.same(patterns(proposed(placed, rows)), [], 'approved by now');
  t.same(patterns(proposed(placed, rows, false, join(folder, 'proposed.yaml'))), ['"pypi.org"']);
  t.equal(readFileSync(join(folder, 'proposed.yaml'), 'utf8'), text);
});

/** Names of every kind: hosts, numbers, hostile octets, long ones. */
const label = fc.oneof(
  fc.stringMatching(/^[a-z0-9_-]{1,12}$/),
  fc.tuple(fc.constantFrom('n', 'r-', ''), fc.nat(120)).map(([text, n]) => `${text}${n}`),
  fc
    .tuple(fc.constantFrom('n', 'r-', ''), fc.nat(120))
    .map(([text, n]) => `${text}${String(n).padStart(3, '0')}`),
);
const odd = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((octets) => {
  const lower = octets.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet));
  return nameToText(Uint8Array.from([lower.length, ...lower, 0]));
});
const base = fc.constantFrom(
  'example.net',
  'example.net',
  'example.net',
  'example.net',
  'a.example.net',
  'co.uk',
  'github.io',
  'com',
  'corp.example.org',
  'in-addr.arpa',
  'localhost',
);
const name = fc.tuple(fc.oneof({ weight: 5, arbitrary: label }, odd), base).map((parts) => parts.join('.'));
const asked: fc.Arbitrary<AskedRow> = fc
  .record({
    name,
    account: fc.nat(6),
    stage: fc.constantFrom('', '', 'fetch', 'build'),
    type: fc.constantFrom(1, 28, 5, 65, 16, 33, 12, 257, 65_280, 255, 0, 41, 252),
    verdict: fc.constantFrom('deny' as const, 'empty' as const),
    count: fc.integer({ min: 1, max: 1000 }),
    audited: fc.boolean(),
    job: fc.constantFrom(null, { repository: 'a/b' }, { repository: '\n"#: *' }),
  })
  .map((some) => row(some.name, some));

t.test(
  'property: what is proposed passes check, holds no star, and refuses nothing that was asked',
  async (t) => {
    const house = rig(t);
    fc.assert(
      fc.property(fc.array(asked, { minLength: 1, maxLength: 120 }), (rows) => {
        const proposal = proposed(house, rows, true);
        const text = proposalText(proposal, new Set());
        if (patterns(proposal).some((line) => /(^|[^\\])\*/.test(line.replaceAll('\\\\', '\\'))))
          throw new Error(text);
        const candidate = enforcedWith(t, text);
        // As an audit would have resolved them: what is refused now is new.
        const { differences } = replayed(
          candidate,
          rows.map((each) => ({ ...each, audited: true })),
        );
        // What nobody can approve stays refused.
        const bad = differences.filter(
          ({ becomes, type, name: of }) =>
            becomes === 'denied' && type !== 0 && type !== 41 && type !== 252 && !/(^|\.)localhost$/.test(of),
        );
        if (bad.length > 0) throw new Error(`${JSON.stringify(bad)}\n${text}`);
      }),
      { numRuns: 60 },
    );
  },
);
