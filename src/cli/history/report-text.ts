import { type Report, SECTIONS } from '../../history/report.ts';
import { escapeText } from '../terminal.ts';
import {
  COUNTED,
  countText,
  DIRECT_TITLE,
  directRemedy,
  directText,
  FAILED_TITLE,
  failedText,
  groundText,
  headLines,
  nameOf,
  noteLines,
  remedyOf,
  TITLES,
  timesText,
} from './report-words.ts';

/** Octets of the line for machines. */
const MOST_LINE = 16_384;

/** A report for a terminal or a log: no code of it comes from a name. The last line is for machines. */
export function reportText(report: Report): string {
  const lines = [`namegate: ${report.verdict}`, ...headLines(report)];
  if (report.dependencies.length > 0) lines.push('', `${FAILED_TITLE}:`);
  for (const failed of report.dependencies) lines.push(`  ${failedText(failed)}`, `    ${failed.next}`);
  for (const section of SECTIONS) {
    const rows = report.sections[section];
    const total = report.totals[section];
    if (total.names === 0) continue;
    lines.push('', `${TITLES[section]}: ${countText(total)}`);
    if (COUNTED.has(section)) continue;
    for (const row of rows) {
      const { types, count, first, last, stage } = row;
      const at = count === 1 ? first : `${first} to ${last}`;
      const where = stage === '' ? '' : `, stage ${stage}`;
      const ground = groundText(row);
      const why = ground === '' ? '' : `: ${ground}`;
      lines.push(`  ${nameOf(row)} ${types.join(' ')}: ${timesText(count)}, ${at}${where}${why}`);
      for (const remedy of remedyOf(row, section, report)) lines.push(`    ${remedy}`);
    }
  }
  if (report.direct !== undefined) lines.push('', `${DIRECT_TITLE}:`);
  for (const row of report.direct?.rows ?? [])
    lines.push(`  ${directText(row)}, ${row.first} to ${row.last}`, `    ${directRemedy(row, report)}`);
  const notes = noteLines(report);
  if (notes.length > 0) lines.push('', ...notes);
  return [...lines.map(escapeText), machineLine(report)].join('\n');
}

/** `NAMEGATE_REPORT={…}`: ASCII, at most 16 KiB, with as many names as there is room for. */
export function machineLine(report: Report): string {
  const { verdict, complete, leases, totals, left_out: leftOut } = report;
  const names = report.sections.unapproved.map(({ name }) => name);
  const most = Math.min(Math.max(names.length, report.dependencies.length), 200);
  for (let shown = most; ; shown = Math.floor(shown / 2)) {
    const body = {
      verdict,
      complete,
      leases: leases.slice(0, 20),
      totals,
      dependencies: report.dependencies.slice(0, Math.min(20, shown)).map(({ name }) => name),
      unapproved: names.slice(0, shown),
      ...(report.direct === undefined ? {} : { direct: report.direct.proven + report.direct.unproven }),
      left_out: leftOut + Math.max(0, names.length - shown),
    };
    // JSON may have any character in a text: what is not ASCII is written as \uXXXX.
    const json = JSON.stringify(body).replace(
      /[^ -~]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    const line = `NAMEGATE_REPORT=${json}`;
    if (line.length <= MOST_LINE || shown === 0) return line.slice(0, MOST_LINE);
  }
}
