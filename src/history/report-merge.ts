import { type Report, type ReportRow, SECTIONS, type Section, verdictOf } from './report.ts';
import { mergeDirect } from './report-direct.ts';

/**
 * Reports of several servers as one: rows merge by name, types and verdict, for a stub asks now one and now the other. `silent`:
 * servers that did not answer, each with why. There is at least one report.
 */
export function mergeReports(reports: readonly Report[], silent: readonly string[]): Report {
  const [first] = reports as readonly [Report, ...Report[]];
  const totals = {} as Record<Section, { names: number; questions: number }>;
  const sections = {} as Record<Section, ReportRow[]>;
  for (const section of SECTIONS) {
    const rows = reports.flatMap((report) => report.sections[section]);
    const merged = [...Map.groupBy(rows, keyOf).values()].map(mergeRows);
    const sum = (what: 'names' | 'questions'): number =>
      reports.reduce((all, report) => all + report.totals[section][what], 0);
    // What a server left out may be what another one shows: then a name counts twice.
    totals[section] = { names: sum('names') - (rows.length - merged.length), questions: sum('questions') };
    sections[section] = merged;
  }
  const all = <T>(of: (report: Report) => readonly T[]): T[] => [...new Set(reports.flatMap(of))];
  const audits = reports.flatMap(({ audit_until: until }) => until ?? []).sort();
  const failed = reports.flatMap(({ dependencies: some }) => some);
  const dependencies = [...new Map(failed.map((one) => [one.name, one])).values()];
  const direct = mergeDirect(reports.map((report) => report.direct));
  const complete = reports.filter((report) => report.complete).length;
  const asked = reports.length + silent.length;
  return {
    ...first,
    verdict: verdictOf(totals, sections, dependencies, direct),
    complete: complete === asked,
    missing: all(({ missing }) => missing),
    identities: all(({ identities }) => identities),
    owners: all(({ owners }) => owners),
    leases: all(({ leases }) => leases),
    job: Object.assign({}, ...reports.map(({ job }) => job)) as Report['job'],
    policies: all(({ policies }) => policies),
    servers: { asked, complete, silent },
    audit_until: audits.at(-1) ?? null,
    totals,
    sections,
    ...(direct === undefined ? {} : { direct }),
    near_budget: reports.flatMap(({ near_budget: near }) => near),
    dependencies,
    without_tcp: all(({ without_tcp: without }) => without),
    left_out: reports.reduce((sum, report) => sum + report.left_out, 0),
    search_hint: reports.find(({ search_hint: hint }) => hint !== null)?.search_hint ?? null,
  };
}

/** The same report with fewer rows: what is allowed goes first, denials last. */
export function shorten(report: Report): Report {
  const counts = SECTIONS.map((section) => report.sections[section].length);
  let drop = Math.ceil(counts.reduce((sum, count) => sum + count, 0) / 2);
  const sections = { ...report.sections } as Record<Section, readonly ReportRow[]>;
  let leftOut = report.left_out;
  for (const section of [...SECTIONS].reverse()) {
    const rows = sections[section];
    const dropped = Math.min(drop, rows.length);
    sections[section] = rows.slice(0, rows.length - dropped);
    drop -= dropped;
    leftOut += dropped;
  }
  return { ...report, sections, left_out: leftOut };
}

function keyOf({ name, folded, verdict, stage }: ReportRow): string {
  return `${name} ${folded} ${verdict} ${stage}`;
}

function mergeRows(rows: readonly ReportRow[]): ReportRow {
  const [first] = rows as readonly [ReportRow, ...ReportRow[]];
  if (rows.length === 1) return first;
  return {
    ...first,
    types: [...new Set(rows.flatMap(({ types }) => types))],
    first: rows.map((row) => row.first).sort()[0]!,
    last: rows
      .map((row) => row.last)
      .sort()
      .at(-1)!,
    count: rows.reduce((sum, { count }) => sum + count, 0),
  };
}
