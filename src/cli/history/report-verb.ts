import { Command, Option } from 'commander';
import { type Report, SECTIONS } from '../../history/report.ts';
import { mergeReports, shorten } from '../../history/report-merge.ts';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import { AdminClient, type AdminClientOptions } from '../admin/admin-client.ts';
import { CONFIG_HELP, escapeText, type Terminal } from '../terminal.ts';
import { SINCE_HELP, timeSpan } from '../time-option.ts';
import { reportJunit } from './report-junit.ts';
import { reportMarkdown } from './report-markdown.ts';
import { reportSarif } from './report-sarif.ts';
import { reportText } from './report-text.ts';

/** The account holds what it must not. */
const EXIT_FAILED = 1;
/** It cannot be known. */
const EXIT_UNSURE = 3;
const PATIENCE_MS: Milliseconds = 15_000;
/** Octets that are printed. */
const MOST_OCTETS = 2 ** 20;

interface ReportOptions extends Omit<AdminClientOptions, 'admin'> {
  readonly admin?: readonly string[];
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
  return new Command('report')
    .description(
      'Say what a job asked, was given and was refused. Exits 1 with --fail-on where it must not be, 3 where it cannot be known.',
    )
    .option('-c, --config <file>', CONFIG_HELP)
    .option(
      '--admin <url...>',
      "the admin API, unix:PATH or http://127.0.0.1:PORT (default: the server file's); several servers are joined",
    )
    .option('--token-file <file>', 'file of the token to show')
    .option('--json', 'print JSON')
    .option('--lease <id>', 'the account of a lease')
    .option('--job <key=value>', 'of all leases whose job says so, such as run_id=77')
    .option('--identity <name>', 'of an identity')
    .option(
      '--address <address>',
      'beside --identity: of its leases at this address, and of the address without one',
    )
    .option('--since <time>', `accounts that asked something ${SINCE_HELP.replace(/^asked /, '')}`)
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
      const span = timeSpan(options, Date.now());
      const path = typeof span === 'string' ? span : pathOf(options, span.since);
      const failOn = options.failOn?.split(',') ?? [];
      const wrong = failOn.find((what) => !FAILURES.includes(what));
      const clients = clientsOf(options);
      const mistake = !path.startsWith('/')
        ? path
        : wrong !== undefined
          ? `--fail-on ${wrong}: write deny, or deny,empty`
          : typeof clients === 'string'
            ? clients
            : null;
      if (mistake !== null) {
        terminal.code = terminal.usage('report', mistake);
        return;
      }
      const report = await ask(terminal, clients as readonly NamedClient[], path);
      if (report === null) {
        terminal.code = EXIT_UNSURE;
        return;
      }
      terminal.print(textOf(report, options.json === true ? 'json' : options.format));
      terminal.code = exitOf(report, failOn);
    });
}

interface NamedClient {
  readonly name: string;
  readonly client: AdminClient;
}

function clientsOf({ admin = [], ...options }: ReportOptions): NamedClient[] | string {
  const urls = admin.length === 0 ? [undefined] : [...new Set(admin)];
  const clients: NamedClient[] = [];
  for (const url of urls) {
    const client = AdminClient.from(
      { ...options, ...(url === undefined ? {} : { admin: url }) },
      PATIENCE_MS,
    );
    if (typeof client === 'string') return client;
    clients.push({ name: url ?? 'the server', client });
  }
  return clients;
}

/** What all servers say together; null where none has a report, and the terminal has why. */
async function ask(
  terminal: Terminal,
  clients: readonly NamedClient[],
  path: string,
): Promise<Report | null> {
  const answers = await Promise.all(clients.map(({ client }) => client.ask('GET', path)));
  const reports: Report[] = [];
  const silent: string[] = [];
  let unknown = '';
  answers.forEach((answer, i) => {
    if (answer.kind === 'good') reports.push(answer.body as Report);
    // A server that was asked nothing by the job has no account of it, and says so.
    else if (answer.kind === 'refused' && answer.status === 404) unknown = answer.detail;
    else silent.push(`${clients[i]!.name}: ${answer.kind === 'refused' ? answer.detail : answer.reason}`);
  });
  if (reports.length > 0) return clients.length === 1 ? reports[0]! : joined(reports, silent, clients.length);
  for (const why of silent.length === 0 ? [unknown] : silent)
    terminal.complain(
      `namegate report: ${escapeText(clients.length === 1 ? why.replace(/^the server: /, '') : why)}`,
    );
  return null;
}

function joined(reports: readonly Report[], silent: readonly string[], asked: number): Report {
  const report = mergeReports(reports, silent);
  const { complete } = report.servers;
  return {
    ...report,
    servers: { asked, complete: complete + asked - reports.length - silent.length, silent },
  };
}

/** In 1 MiB: rows are left out until it fits. */
function textOf(report: Report, format: ReportOptions['format']): string {
  let shown = report;
  let text = FORMATS[format](shown);
  while (
    Buffer.byteLength(text) > MOST_OCTETS &&
    SECTIONS.some((section) => shown.sections[section].length > 0)
  ) {
    shown = shorten(shown);
    text = FORMATS[format](shown);
  }
  return text;
}

/** 1 goes before 3; without anything to fail on, 0. */
function exitOf({ totals, complete, direct }: Report, failOn: readonly string[]): number {
  if (failOn.length === 0) return 0;
  const { unapproved, contained, unproven, empty } = totals;
  const tried = (direct?.proven ?? 0) > 0;
  const failed =
    unapproved.names > 0 || contained.names > 0 || tried || (failOn.includes('empty') && empty.names > 0);
  if (failed) return EXIT_FAILED;
  return complete && unproven.names === 0 && (direct?.unproven ?? 0) === 0 ? 0 : EXIT_UNSURE;
}

/** The path of the request, or what is wrong. `since`: milliseconds since 1970. */
function pathOf({ lease, job, identity, address }: ReportOptions, since: EpochMilliseconds): string {
  if ([lease, job, identity].filter((one) => one !== undefined).length !== 1)
    return 'name one of --lease, --job and --identity';
  if (lease !== undefined) return `/v1/leases/${encodeURIComponent(lease)}/report`;
  const query = new URLSearchParams({
    ...(job === undefined ? {} : { job }),
    ...(identity === undefined ? {} : { identity }),
    ...(address === undefined ? {} : { address }),
    ...(since === 0 ? {} : { since: new Date(since).toISOString() }),
  });
  return `/v1/report?${query.toString()}`;
}
