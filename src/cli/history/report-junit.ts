import type { Report } from '../../history/report.ts';
import { escapeText } from '../terminal.ts';
import {
  completeText,
  directRemedy,
  directText,
  failedText,
  headLines,
  nameOf,
  remedyOf,
  timesText,
} from './report-words.ts';

/** A report as JUnit: a testcase that fails for each unapproved name, and `account`, which passes where there is none. */
export function reportJunit(report: Report): string {
  const { unapproved, contained } = report.sections;
  const failing = [
    ...unapproved.map((row) => ({ row, section: 'unapproved' as const })),
    ...contained.map((row) => ({ row, section: 'contained' as const })),
  ];
  const cases = failing.map(({ row, section }) => {
    const text = remedyOf(row, section, report).join('\n');
    const message = `${nameOf(row)} was ${section === 'contained' ? 'contained' : 'denied'} ${timesText(row.count)}`;
    return `    <testcase classname="namegate" name="${xml(nameOf(row))} ${xml(row.types.join(' '))}"><failure message="${xml(message)}">${xml(text)}</failure></testcase>`;
  });
  for (const row of report.direct?.rows ?? []) {
    if (!row.proven) continue;
    const failure = `<failure message="${xml(directText(row))}">${xml(directRemedy(row, report))}</failure>`;
    const name = `${row.address} ${row.protocol} ${row.port}`;
    cases.push(`    <testcase classname="namegate" name="${xml(name)}">${failure}</testcase>`);
  }
  const bad = cases.length > 0 ? `<failure message="${xml(report.verdict)}"/>` : '';
  const said = [
    ...(report.complete ? [] : [completeText(report)]),
    ...report.dependencies.map((failed) => `failed upstream: ${failedText(failed)}; ${failed.next}`),
  ];
  const lacking = said.length === 0 ? '' : `<system-out>${xml(said.join('\n'))}</system-out>`;
  const account = `    <testcase classname="namegate" name="account">${bad}${lacking}</testcase>`;
  const failures = cases.length + (bad === '' ? 0 : 1);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${cases.length + 1}" failures="${failures}">`,
    `  <testsuite name="namegate" tests="${cases.length + 1}" failures="${failures}" errors="0" skipped="0">`,
    `    <properties>${headLines(report)
      .map((line) => `<property name="account" value="${xml(line)}"/>`)
      .join('')}</properties>`,
    account,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
  ].join('\n');
}

/** Text in XML 1.0: what is no character there was made `\DDD` before. */
function xml(text: string): string {
  return text
    .split('\n')
    .map(escapeText)
    .join('\n')
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
