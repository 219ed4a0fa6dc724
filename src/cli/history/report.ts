import { Command, Option } from 'commander';
import type { Report } from '../../history/report.ts';
import { AdminClient, type AdminClientOptions, withAdminOptions } from '../admin/admin-client.ts';
import { escapeText, type Terminal } from '../terminal.ts';
import { reportJunit } from './report-junit.ts';
import { reportMarkdown } from './report-markdown.ts';
import { reportSarif } from './report-sarif.ts';
import { reportText } from './report-text.ts';

/** The account holds what it must not. */
const EXIT_FAILED = 1;
/** It cannot be known. */
const EXIT_UNSURE = 3;
const PATIENCE_MS = 15_000;
/** Octets that are printed. */
const MOST_OCTETS = 2 ** 20;

interface ReportOptions extends AdminClientOptions {
  readonly lease?: string;
  readonly job?: string;
  readonly identity?: string;
  readonly address?: string;
  readonly since?: string;
  readonly format: keyof typeof FORMATS;
  readonly failOn?: string;
}

const FORMATS: Readonly<
  Record<'text' | 'json' | 'markdown' | 'junit' | 'sarif', (report: Report) => string>
> = {
  text: reportText,
  json: (report) => JSON.stringify(report),
  markdown: reportMarkdown,
  junit: reportJunit,
  sarif: reportSarif,
};

const FAILURES = ['deny', 'empty'];

/** What a job asked and was refused, and whether that fails it. */
export function reportVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('report').description(
      'Say what a job asked, was given and was refused. Exits 1 with --fail-on where it must not be, 3 where it cannot be known.',
    ),
  )
    .option('--lease <id>', 'the account of a lease')
    .option('--job <key=value>', 'of all leases whose job says so, such as run_id=77')
    .option('--identity <name>', 'of an identity')
    .option(
      '--address <address>',
      'beside --identity: of its leases at this address, and of the address without one',
    )
    .option('--since <time>', 'accounts that asked something then or later')
    .addOption(
      new Option('--format <format>', 'how it is printed').choices(Object.keys(FORMATS)).default('text'),
    )
    .option('--fail-on <what>', 'deny, or deny,empty: exit 1 where there is such a row')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate report --lease le-0192f0a1b2c3d4e5f6a7b8c9 --fail-on deny
  $ namegate report --job run_id=77 --format markdown >> "$GITHUB_STEP_SUMMARY"`,
    )
    .action(async (options: ReportOptions) => {
      const path = pathOf(options);
      const failOn = options.failOn?.split(',') ?? [];
      const wrong = failOn.find((what) => !FAILURES.includes(what));
      if (path === null || wrong !== undefined) {
        const message =
          path === null
            ? 'name one of --lease, --job and --identity'
            : `--fail-on ${wrong}: write deny, or deny,empty`;
        terminal.code = terminal.usage('report', message);
        return;
      }
      const client = AdminClient.from(options, PATIENCE_MS);
      if (typeof client === 'string') {
        terminal.code = terminal.usage('report', client);
        return;
      }
      const answer = await client.ask('GET', path);
      if (answer.kind !== 'good') {
        terminal.complain(
          `namegate report: ${escapeText(answer.kind === 'refused' ? answer.detail : answer.reason)}`,
        );
        terminal.code = EXIT_UNSURE;
        return;
      }
      const report = answer.body as Report;
      const format = options.json === true ? 'json' : options.format;
      const text = FORMATS[format](report);
      if (text.length > MOST_OCTETS) {
        terminal.complain(
          `namegate report: the report has more than 1 MiB: take --format text, or fewer leases`,
        );
        terminal.code = EXIT_UNSURE;
        return;
      }
      terminal.print(text);
      terminal.code = exitOf(report, failOn);
    });
}

/** 1 goes before 3; without anything to fail on, 0. */
function exitOf({ totals, complete }: Report, failOn: readonly string[]): number {
  if (failOn.length === 0) return 0;
  const { unapproved, contained, unproven, empty } = totals;
  const failed = unapproved.names > 0 || contained.names > 0 || (failOn.includes('empty') && empty.names > 0);
  if (failed) return EXIT_FAILED;
  return complete && unproven.names === 0 ? 0 : EXIT_UNSURE;
}

function pathOf({ lease, job, identity, address, since }: ReportOptions): string | null {
  if ([lease, job, identity].filter((one) => one !== undefined).length !== 1) return null;
  if (lease !== undefined) return `/v1/leases/${encodeURIComponent(lease)}/report`;
  const query = new URLSearchParams({
    ...(job === undefined ? {} : { job }),
    ...(identity === undefined ? {} : { identity }),
    ...(address === undefined ? {} : { address }),
    ...(since === undefined ? {} : { since }),
  });
  return `/v1/report?${query.toString()}`;
}
