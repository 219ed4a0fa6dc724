import t from 'tap';
import type { AccountFacts, AskedFacts } from '../../src/history/questions.ts';
import { reportOf, type Section } from '../../src/history/report.ts';
import { typeToText } from '../../src/wire/iana.ts';

const ACCOUNT: AccountFacts = {
  number: 1,
  id: 'le-1',
  identity: 'build',
  owner: 'team-a',
  client: '10.0.0.1',
  claim: null,
  job: '{"run_id":"77"}',
  opener: 'admin-socket',
  holder: null,
  opened: 0,
  last: 2_000,
  ended: null,
  how: null,
  policy: 'p1',
  complete: 1,
  missing: null,
};

const asked = (name: string, parts: Partial<AskedFacts> = {}): AskedFacts => ({
  name,
  folded: 0,
  type: 1,
  verdict: 'deny',
  audited: 0,
  proven: 1,
  expected: 0,
  ground: 'nothing',
  approved_stage: null,
  stage: '',
  rule: null,
  clients: null,
  first: 1_000,
  last: 2_000,
  count: 1,
  ...parts,
});

const TERMS = {
  search: ['corp.example'],
  auditUntil: null,
  ask: 'team-a',
  nearBudget: [],
  dependencies: [],
  typeToText,
};

t.test('each question is in the section that its facts say', async (t) => {
  const cases: [text: string, rows: readonly AskedFacts[], at: Section][] = [
    ['a denial', [asked('evil.example')], 'unapproved'],
    ['a folded denial', [asked('evil.example', { folded: 1, count: 98_000 })], 'unapproved'],
    ['all other denials', [asked('.', { folded: 2 })], 'unapproved'],
    ['a budget', [asked('x.cdn.example', { verdict: 'contain' })], 'contained'],
    ['another type', [asked('github.com', { verdict: 'empty' })], 'empty'],
    ['without proof', [asked('evil.example', { proven: 0 })], 'unproven'],
    ['a budget, without proof', [asked('evil.example', { proven: 0, verdict: 'contain' })], 'unproven'],
    ['audited', [asked('evil.example', { audited: 1 })], 'would_deny'],
    [
      'audited, beyond its budget',
      [asked('x.cdn.example', { audited: 1, verdict: 'contain' })],
      'would_deny',
    ],
    ["a browser's canary", [asked('use-application-dns.net', { ground: 'special' })], 'noise'],
    ['expected', [asked('telemetry.example', { expected: 1 })], 'expected'],
    ['expected, without proof', [asked('telemetry.example', { expected: 1, proven: 0 })], 'expected'],
    ['allowed', [asked('github.com', { verdict: 'allow' })], 'allowed'],
    ['local', [asked('localhost', { verdict: 'local' })], 'allowed'],
    ['a suffix alone', [asked('github.com.corp.example')], 'unapproved'],
    ['not below the suffix', [asked('github.comcorp.example')], 'unapproved'],
  ];
  for (const [text, rows, at] of cases) {
    const { totals, sections } = reportOf([ACCOUNT], rows, TERMS);
    const count = rows.reduce((sum, { count: each }) => sum + each, 0);
    t.strictSame(totals[at], { names: 1, questions: count }, text);
    t.equal(sections[at].length, 1, text);
    t.equal(
      Object.values(totals).reduce((sum, { names }) => sum + names, 0),
      1,
      `${text}: in no other`,
    );
  }
});

t.test('a name below a search suffix is noise where it was asked without the suffix', async (t) => {
  const rows = [asked('github.com', { verdict: 'allow' }), asked('github.com.corp.example', { count: 4 })];
  const { totals } = reportOf([ACCOUNT], rows, TERMS);
  t.match(totals, { noise: { names: 1, questions: 4 }, unapproved: { names: 0 } });
  const three = ['a.example', 'b.example', 'c.example'].flatMap((name) => [
    asked(name, { verdict: 'allow' }),
    asked(`${name}.cluster.local`),
  ]);
  const hinted = reportOf([ACCOUNT], three, { ...TERMS, search: [] });
  t.equal(hinted.search_hint, 'search: ["cluster.local"]');
  t.equal(hinted.totals.unapproved.names, 3, 'until it is written they are denials');
  t.equal(reportOf([ACCOUNT], three.slice(0, 4), { ...TERMS, search: [] }).search_hint, null);
});

t.test('what came back with proof is told once', async (t) => {
  const rows = [asked('evil.example', { proven: 0, count: 3 }), asked('evil.example', { count: 2 })];
  t.match(reportOf([ACCOUNT], rows, TERMS).totals, { unapproved: { questions: 2 }, unproven: { names: 0 } });
  const other = [asked('evil.example', { proven: 0 }), asked('evil.example', { type: 28 })];
  t.match(reportOf([ACCOUNT], other, TERMS).totals, { unapproved: { names: 1 }, unproven: { names: 1 } });
});

t.test('types of a name are one row, and 500 rows are the most', async (t) => {
  const both = reportOf(
    [ACCOUNT],
    [asked('evil.example'), asked('evil.example', { type: 28, last: 9_000 })],
    TERMS,
  );
  t.match(both.sections.unapproved, [{ types: ['A', 'AAAA'], count: 2, last: '1970-01-01T00:00:09.000Z' }]);
  const many = Array.from({ length: 700 }, (_, i) => asked(`n${i}.example`));
  const {
    sections,
    totals,
    left_out: left,
  } = reportOf([ACCOUNT], [...many, asked('a.example', { verdict: 'allow' })], TERMS);
  t.equal(sections.unapproved.length, 500);
  t.equal(totals.unapproved.names, 700, 'totals are of all');
  t.equal(left, 201);
  t.match(
    reportOf([ACCOUNT], [asked('evil.example', { folded: 1 })], TERMS).verdict,
    /^1 or more unapproved names asked/,
    'a row of a whole domain is more than a name',
  );
});

t.test('an account that lacks something says why', async (t) => {
  const lacking = { ...ACCOUNT, number: 2, complete: 0, missing: 'the machine stopped' };
  const report = reportOf([ACCOUNT, lacking], [], TERMS);
  t.match(report, {
    complete: false,
    missing: ['the machine stopped'],
    verdict: 'all that was asked is approved',
  });
});

t.test('an upstream that failed as a whole is told, though no job asks for such a name', async (t) => {
  const outage = { since: '2026-11-01T00:00:00Z', until: null, next: 'look at the upstreams' };
  const dependencies = ['every name upstream', 'github.com', 'elsewhere.example'].map((name) => ({
    name,
    ...outage,
  }));
  const rows = [asked('github.com', { verdict: 'allow' })];
  const report = reportOf([ACCOUNT], rows, { ...TERMS, dependencies });
  t.strictSame(
    report.dependencies.map(({ name }) => name),
    ['every name upstream', 'github.com'],
  );
  t.equal(
    report.verdict,
    'the upstream failed as a whole; 1 approved name failed upstream; all that was asked is approved',
  );
});
