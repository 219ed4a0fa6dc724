import type { Report, ReportRow, Section } from '../../history/report.ts';
import { escapeText, version } from '../terminal.ts';
import { directRemedy, directText, failedText, nameOf, remedyOf, timesText } from './report-words.ts';

const RULES = [
  {
    id: 'unapproved-name',
    section: 'unapproved',
    level: 'error',
    text: 'A name was asked for that is not approved.',
  },
  {
    id: 'contained-name',
    section: 'contained',
    level: 'error',
    text: 'A name was asked for beyond its budget.',
  },
  {
    id: 'unproven-name',
    section: 'unproven',
    level: 'warning',
    text: 'A name that is not approved was asked for by a client that did not prove its address.',
  },
  {
    id: 'would-deny',
    section: 'would_deny',
    level: 'warning',
    text: 'A name was asked for that would be denied.',
  },
  {
    id: 'unapproved-type',
    section: 'empty',
    level: 'note',
    text: 'A type was asked for that is not approved.',
  },
] as const satisfies readonly { id: string; section: Section; level: string; text: string }[];

const FAILED = {
  id: 'dependency-failed',
  level: 'note',
  text: 'An approved name failed upstream: no fault of the job.',
} as const;

const DIRECT = {
  id: 'direct-address',
  level: 'error',
  text: 'A connection was tried to an address that no answer gave.',
} as const;

/** A report as SARIF 2.1.0 (OASIS): a result for each row, at the rule's file where one decided. */
export function reportSarif(report: Report): string {
  const results = RULES.flatMap(({ id, section, level }, ruleIndex) =>
    report.sections[section].map((row) => ({
      ruleId: id,
      ruleIndex,
      level,
      message: { text: messageOf(row, section, report) },
      ...locationsOf(row),
      occurrenceCount: row.count,
      partialFingerprints: { 'namegate/v1': `${id} ${escapeText(row.name)} ${row.types.join(' ')}` },
    })),
  );
  const failed = report.dependencies.map((one) => ({
    ruleId: FAILED.id,
    ruleIndex: RULES.length,
    level: FAILED.level,
    message: { text: [failedText(one), one.next].map(escapeText).join('\n') },
    partialFingerprints: { 'namegate/v1': `${FAILED.id} ${escapeText(one.name)}` },
  }));
  const direct = (report.direct?.rows ?? []).map((row) => ({
    ruleId: DIRECT.id,
    ruleIndex: RULES.length + 1,
    level: row.proven ? DIRECT.level : 'warning',
    message: { text: [directText(row), directRemedy(row, report)].map(escapeText).join('\n') },
    occurrenceCount: row.count,
    partialFingerprints: {
      'namegate/v1': escapeText(`${DIRECT.id} ${row.address} ${row.protocol} ${row.port}`),
    },
  }));
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'namegate',
            semanticVersion: version(),
            rules: [...RULES, FAILED, DIRECT].map(({ id, text, level }) => ({
              id,
              shortDescription: { text },
              defaultConfiguration: { level },
            })),
          },
        },
        invocations: [{ executionSuccessful: report.complete }],
        results: [...results, ...failed, ...direct],
      },
    ],
  };
  return JSON.stringify(log, null, 1);
}

function messageOf(row: ReportRow, section: Section, report: Report): string {
  const remedies = remedyOf(row, section, report);
  return [`${nameOf(row)} ${row.types.join(' ')}: ${timesText(row.count)}`, ...remedies]
    .map(escapeText)
    .join('\n');
}

/** `FILE:LINE` as a place; a result without one is about the whole job. */
function locationsOf({ rule }: ReportRow): object {
  const place = /^(.+):(\d+)$/.exec(rule ?? '');
  if (place === null || place[1]!.startsWith('exception ')) return {};
  const uri = place[1]!.split('/').map(encodeURIComponent).join('/');
  const region = { startLine: Math.max(1, Number(place[2])) };
  return { locations: [{ physicalLocation: { artifactLocation: { uri }, region } }] };
}
