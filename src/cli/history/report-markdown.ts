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
} from './report-words.ts';

/** A report in Markdown (GitHub's), whatever names hold: each is code, in which nothing means anything. */
export function reportMarkdown(report: Report): string {
  const lines = [
    `## namegate: ${plain(report.verdict)}`,
    '',
    ...headLines(report).map((line) => `${plain(line)}  `),
  ];
  if (report.dependencies.length > 0) lines.push('', `### ${FAILED_TITLE}`, '');
  for (const failed of report.dependencies)
    lines.push(`- ${code(failedText(failed))}: ${plain(failed.next)}`);
  for (const section of SECTIONS) {
    const total = report.totals[section];
    if (total.names === 0) continue;
    lines.push('', `### ${TITLES[section]}: ${countText(total)}`);
    if (COUNTED.has(section)) continue;
    lines.push(
      '',
      '| name | types | times | last | stage | why | what to do |',
      '|---|---|---|---|---|---|---|',
    );
    for (const row of report.sections[section]) {
      const { types, count, last, stage } = row;
      const remedies = remedyOf(row, section, report).map(code);
      lines.push(
        `| ${code(nameOf(row))} | ${code(types.join(' '))} | ${count} | ${last} | ${stage === '' ? '' : code(stage)} | ${plain(groundText(row))} | ${remedies.join('<br>')} |`,
      );
    }
  }
  if (report.direct !== undefined) lines.push('', `### ${DIRECT_TITLE}`, '');
  for (const row of report.direct?.rows ?? [])
    lines.push(`- ${code(directText(row))}: ${plain(directRemedy(row, report))}`);
  for (const note of noteLines(report)) lines.push('', code(note));
  return lines.join('\n');
}

/** Text in which nothing is Markdown: every sign that may mean something is an entity. */
function plain(text: string): string {
  return escapeText(text).replace(/[^\p{L}\p{M}\p{N} .,;:()-]/gu, (char) => `&#${char.codePointAt(0)};`);
}

/** As code, in HTML: a run of backticks would end the other form, and a bar a cell. */
function code(text: string): string {
  return `<code>${escapeText(text).replace(/[^\p{L}\p{M}\p{N} .,:-]/gu, (char) => `&#${char.codePointAt(0)};`)}</code>`;
}
