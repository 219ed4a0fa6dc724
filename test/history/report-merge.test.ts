import t from 'tap';
import { type Report, type ReportRow, SECTIONS } from '../../src/history/report.ts';
import { mergeReports, shorten } from '../../src/history/report-merge.ts';

const row = (name: string, parts: Partial<ReportRow> = {}): ReportRow => ({
  name,
  folded: false,
  types: ['A'],
  verdict: 'deny',
  stage: '',
  ground: 'nothing',
  first: '2026-11-29T10:00:00.000Z',
  last: '2026-11-29T10:00:00.000Z',
  count: 1,
  ...parts,
});

function reportOf(unapproved: readonly ReportRow[], parts: Partial<Report> = {}): Report {
  const none = Object.fromEntries(SECTIONS.map((section) => [section, []]));
  const zero = Object.fromEntries(SECTIONS.map((section) => [section, { names: 0, questions: 0 }]));
  const questions = unapproved.reduce((sum, { count }) => sum + count, 0);
  return {
    verdict: '',
    complete: true,
    missing: [],
    identities: ['build'],
    owners: ['team'],
    leases: ['le-1'],
    job: {},
    policies: ['p'],
    servers: { asked: 1, complete: 1, silent: [] },
    audit_until: null,
    ask: 'team',
    totals: { ...zero, unapproved: { names: unapproved.length, questions } } as unknown as Report['totals'],
    sections: { ...none, unapproved } as unknown as Report['sections'],
    near_budget: [],
    dependencies: [],
    without_tcp: [],
    left_out: 0,
    search_hint: null,
    ...parts,
  };
}

t.test('rows of two servers merge by name and verdict', async (t) => {
  const later = '2026-11-29T11:00:00.000Z';
  const merged = mergeReports(
    [
      reportOf([row('a.example', { count: 2 }), row('b.example')]),
      reportOf([row('a.example', { count: 3, types: ['A', 'AAAA'], last: later })], { leases: ['le-2'] }),
    ],
    [],
  );
  t.match(merged.sections.unapproved, [
    { name: 'a.example', count: 5, types: ['A', 'AAAA'], last: later },
    { name: 'b.example', count: 1 },
  ]);
  t.same(merged.totals.unapproved, { names: 2, questions: 6 });
  t.same(merged.leases, ['le-1', 'le-2']);
  t.equal(merged.verdict, '2 unapproved names asked');
  t.equal(merged.complete, true);
  t.same(merged.servers, { asked: 2, complete: 2, silent: [] });
});

t.test('who did not answer is named, and it is not complete', async (t) => {
  const merged = mergeReports([reportOf([])], ['http://127.0.0.1:9: nobody answers']);
  t.equal(merged.complete, false);
  t.match(merged.servers, { asked: 2, complete: 1, silent: [/127\.0\.0\.1:9/] });
  const half = mergeReports([reportOf([]), reportOf([], { complete: false, missing: ['a full disk'] })], []);
  t.equal(half.complete, false);
  t.same(half.missing, ['a full disk']);
});

t.test('what is left out is counted, and denials go last', async (t) => {
  const base = reportOf([row('evil.example')]);
  const many = Array.from({ length: 9 }, (_, i) => row(`n${i}.example`, { verdict: 'allow' }));
  const short = shorten({ ...base, sections: { ...base.sections, allowed: many } });
  t.equal(short.sections.allowed.length, 4);
  t.equal(short.sections.unapproved.length, 1);
  t.equal(short.left_out, 5);
  t.equal(shorten(base).left_out, 1);
});
