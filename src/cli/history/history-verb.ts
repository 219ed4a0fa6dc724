import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { AdminClient, type AdminClientOptions, withAdminOptions } from '../admin/admin-client.ts';
import { tableLines } from '../table.ts';
import { EXIT_PROBLEMS, escapeText, type Terminal } from '../terminal.ts';
import { SINCE_HELP, timeSpan } from '../time-option.ts';
import { readIndicator } from './indicator.ts';

/** Indicators of one question to the API, and those of a file. */
const AT_ONCE = 200;
const MOST_INDICATORS = 10_000;
/** Lines that are printed. */
const MOST_FOUND = 10_000;
const EXIT_HIT = 1;

interface HistoryOptions extends AdminClientOptions {
  readonly name?: string;
  readonly address?: string;
  readonly lease?: string;
  readonly identity?: string;
  readonly namesFrom?: string;
  readonly addressesFrom?: string;
  readonly since?: string;
  readonly until?: string;
}

type By = 'name' | 'address' | 'lease' | 'identity';

interface Found {
  readonly name: string;
  readonly type: string;
  readonly verdict: string;
  readonly audited: boolean;
  readonly identity: string;
  readonly lease: string | null;
  readonly client: string;
  readonly job: Readonly<Record<string, string>> | null;
  readonly address: string | null;
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

/** Who asked for a name, and who was given an address. */
export function historyVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('history').description(
      'Print who asked for a name or was given an address. With a list of indicators exits 1 on a hit.',
    ),
  )
    .option('--name <pattern>', 'a name, *.NAME for one label below, **.NAME for all below')
    .option('--address <address>', 'an address that was an answer')
    .option('--lease <id>', 'all that a lease asked')
    .option('--identity <name>', 'all that an identity asked')
    .option('--names-from <file>', 'names and patterns, one a line')
    .option('--addresses-from <file>', 'addresses, one a line')
    .option('--since <time>', SINCE_HELP)
    .option('--until <time>', 'asked before, as --since; a day is all of it')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate history --address 203.0.113.7 --since 2026-11-27 --until 2026-11-28
  $ namegate history --names-from indicators.txt`,
    )
    .action(async (options: HistoryOptions) => {
      const wanted = wantedOf(options);
      if (typeof wanted === 'string') {
        terminal.code = terminal.usage('history', wanted);
        return;
      }
      const client = AdminClient.from(options);
      if (typeof client === 'string') {
        terminal.code = terminal.usage('history', client);
        return;
      }
      const { by, values, isList } = wanted;
      const span = timeSpan(options, Date.now());
      if (typeof span === 'string') {
        terminal.code = terminal.usage('history', span);
        return;
      }
      const times = {
        ...(options.since === undefined ? {} : { since: new Date(span.since).toISOString() }),
        ...(options.until === undefined ? {} : { until: new Date(span.until).toISOString() }),
      };
      const found: Found[] = [];
      let isMore = false;
      for (let at = 0; at < values.length && found.length < MOST_FOUND; at += AT_ONCE) {
        const body = {
          by,
          values: values.slice(at, at + AT_ONCE),
          ...times,
          limit: MOST_FOUND - found.length,
        };
        const answer = await client.ask('POST', '/v1/history', body);
        if (answer.kind !== 'good') {
          const why = answer.kind === 'refused' ? answer.detail : answer.reason;
          terminal.complain(`namegate history: ${escapeText(why)}`);
          terminal.code = isList ? 3 : EXIT_PROBLEMS;
          return;
        }
        const page = answer.body as { readonly found: readonly Found[]; readonly more: boolean };
        found.push(...page.found);
        isMore ||= page.more;
      }
      print(terminal, found, options.json === true);
      // Flow logs show when a connection was made, and a program may keep its address for long.
      if (found.length === 0 && wanted.by === 'address' && options.since !== undefined)
        terminal.complain(
          'namegate history: a connection may come long after the answer that gave its address: try an earlier --since',
        );
      if (isMore)
        terminal.complain(
          `namegate history: there is more than ${MOST_FOUND} lines: narrow --since and --until`,
        );
      if (isList && found.length > 0) terminal.code = EXIT_HIT;
    });
}

function wantedOf(options: HistoryOptions): { by: By; values: string[]; isList: boolean } | string {
  const { name, address, lease, identity, namesFrom, addressesFrom } = options;
  const all: [by: By, value: string | undefined, isList: boolean][] = [
    ['name', name, false],
    ['address', address, false],
    ['lease', lease, false],
    ['identity', identity, false],
    ['name', namesFrom, true],
    ['address', addressesFrom, true],
  ];
  const given = all.filter(([, value]) => value !== undefined);
  const [one] = given;
  if (one === undefined || given.length > 1)
    return 'name one of --name, --address, --lease, --identity, --names-from and --addresses-from';
  const [by, value, isList] = one;
  if (!isList) {
    if (by === 'lease' || by === 'identity') return { by, values: [value!], isList };
    const indicator = readIndicator(by, value!);
    return 'fault' in indicator ? `--${by} ${indicator.fault}` : { by, values: [indicator.value], isList };
  }
  let text: string;
  try {
    text = readFileSync(value!, 'utf8');
  } catch (error) {
    return `${value}: ${(error as Error).message}`;
  }
  const values = new Set<string>();
  for (const [i, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const written = line.replace(/#.*/, '').trim();
    if (written === '') continue;
    const indicator = readIndicator(by as 'name' | 'address', written);
    if ('fault' in indicator) return `${value}:${i + 1}: ${indicator.fault}`;
    values.add(indicator.value);
  }
  if (values.size === 0) return `${value}: there is no indicator in it`;
  if (values.size > MOST_INDICATORS)
    return `${value}: ${values.size} indicators: write at most ${MOST_INDICATORS}`;
  return { by, values: [...values], isList };
}

const HEADING = [
  'FIRST',
  'LAST',
  'COUNT',
  'VERDICT',
  'NAME',
  'TYPE',
  'ADDRESS',
  'IDENTITY',
  'LEASE',
  'CLIENT',
  'JOB',
];

function print(terminal: Terminal, found: readonly Found[], json: boolean): void {
  if (json) {
    for (const each of found) terminal.print(JSON.stringify(each));
    return;
  }
  if (found.length === 0) {
    terminal.print('nobody');
    return;
  }
  const rows = found.map((each) => [
    each.first,
    each.last,
    String(each.count),
    each.audited ? `would ${each.verdict}` : each.verdict,
    each.name,
    each.type,
    each.address ?? '-',
    each.identity,
    each.lease ?? '-',
    each.client,
    jobText(each.job),
  ]);
  terminal.print(tableLines(terminal, HEADING, rows).join('\n'));
}

function jobText(job: Found['job']): string {
  const text = Object.entries(job ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
  return text === '' ? '-' : text;
}
