import { Command } from 'commander';
import type { SinkAnswer } from '../../outbox/requests.ts';
import { given } from '../given.ts';
import { tableLines } from '../table.ts';
import { count, escapeText, type Terminal } from '../terminal.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from './admin-client.ts';

/** The alert feed of a running server, over its admin API. */
export function alertsVerb(terminal: Terminal): Command {
  return new Command('alerts')
    .description('Show the sinks of the alert feed, try them, and send events again.')
    .helpCommand(false)
    .addCommand(statusVerb(terminal), { isDefault: true })
    .addCommand(testVerb(terminal))
    .addCommand(replayVerb(terminal))
    .addCommand(deadVerb(terminal))
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate alerts test
  $ namegate alerts replay --sink siem --since 2026-11-28T00:00:00Z
  $ namegate alerts dead --sink siem --retry`,
    );
}

interface SinkState {
  readonly name: string;
  readonly status: string;
  readonly reason: string;
  readonly depth: number;
  readonly oldest: string | null;
  readonly acknowledged: string | null;
  readonly dead: number;
}

function statusVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('status').description(
      'Print each sink: its state, what waits for it, its last acknowledgement.',
    ),
  ).action(async (options: AdminClientOptions) => {
    const answer = await askAdmin(terminal, 'alerts', options, 'GET', '/v1/alerts', 'sinks');
    if (answer === null) return;
    if (options.json === true) {
      terminal.print(JSON.stringify(answer));
      return;
    }
    const { sinks, trouble } = answer as {
      readonly sinks: readonly SinkState[];
      readonly trouble: string | null;
    };
    const rows = sinks.map(({ name, status, depth, oldest, acknowledged, dead, reason }) => [
      name,
      status,
      String(depth),
      oldest ?? '-',
      acknowledged ?? 'never',
      String(dead),
      reason === '' ? '-' : reason,
    ]);
    const heading = ['SINK', 'STATE', 'WAITING', 'OLDEST', 'ACKNOWLEDGED', 'DEAD', 'REASON'];
    const lines = rows.length === 0 ? ['there is no sink'] : tableLines(terminal, heading, rows);
    if (trouble !== null) lines.push(escapeText(`events cannot be written: ${trouble}`));
    terminal.print(lines.join('\n'));
  });
}

function testVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('test').description(
      'Send one event of each kind to every sink, and print what its receiver said. Exits 1 where one was not taken.',
    ),
  ).action(async (options: AdminClientOptions) => {
    const sinks = await ask(terminal, 'alerts test', options, '/v1/alerts/test', {});
    if (sinks === null) return;
    if (sinks.some(({ left }) => left > 0)) terminal.code = 1;
    say(terminal, options, sinks, ({ name, events, left, reason }) =>
      left === 0
        ? `${name}: took ${count(events, 'event')}`
        : `${name}: took ${events} of ${events + left}: ${reason}`,
    );
  });
}

interface ReplayOptions extends AdminClientOptions {
  readonly sink: string;
  readonly since: string;
}

function replayVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('replay').description('Send all events again to a sink that happened since a time.'),
  )
    .requiredOption('--sink <name>', 'the sink')
    .requiredOption('--since <time>', 'such as 2026-11-28T00:00:00Z')
    .action(async (options: ReplayOptions) => {
      const { sink, since } = options;
      if (!isTime(since)) {
        terminal.code = terminal.usage('alerts replay', `--since ${since}: write it as 2026-11-28T00:00:00Z`);
        return;
      }
      const sinks = await ask(terminal, 'alerts replay', options, '/v1/alerts/replay', { sink, since });
      if (sinks !== null)
        say(terminal, options, sinks, ({ name, events }) => `${name}: ${count(events, 'event')} on the way`);
    });
}

interface DeadOptions extends AdminClientOptions {
  readonly sink?: string;
  readonly retry?: boolean;
}

function deadVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('dead').description(
      'Print the oldest events that receivers did not take, and why; at most 100 a sink.',
    ),
  )
    .option('--sink <name>', 'of one sink')
    .option('--retry', 'send them again; those that are taken are forgotten')
    .action(async (options: DeadOptions) => {
      const { sink, retry = false } = options;
      const body = given<unknown>({ retry, sink });
      const sinks = await ask(terminal, 'alerts dead', options, '/v1/alerts/dead', body);
      if (sinks === null) return;
      if (retry && sinks.some(({ left }) => left > 0)) terminal.code = 1;
      say(terminal, options, sinks, ({ name, events, left, reason, letters = [] }) => {
        if (retry) return `${name}: took ${events}, ${left} left${reason === '' ? '' : `: ${reason}`}`;
        const shown = letters.map(
          ({ at, reason: why, event }) => `  ${new Date(at).toISOString()} ${event.kind} ${event.id}: ${why}`,
        );
        return [`${name}: ${count(left, 'dead letter')}`, ...shown].join('\n');
      });
    });
}

async function ask(
  terminal: Terminal,
  verb: string,
  options: AdminClientOptions,
  path: string,
  body: object,
): Promise<readonly SinkAnswer[] | null> {
  const answer = await askAdmin(terminal, verb, options, 'POST', path, 'sinks', body);
  return answer === null ? null : (answer as { readonly sinks: readonly SinkAnswer[] }).sinks;
}

function say(
  terminal: Terminal,
  options: AdminClientOptions,
  sinks: readonly SinkAnswer[],
  line: (sink: SinkAnswer) => string,
): void {
  if (options.json === true) terminal.print(JSON.stringify({ sinks }));
  else if (sinks.length === 0) terminal.print('there is no sink');
  else terminal.print(sinks.flatMap((sink) => line(sink).split('\n').map(escapeText)).join('\n'));
}

/** Whether a text is a time in UTC that there is: the 30th of February would be read as a day of March. */
function isTime(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(text)) return false;
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 19));
}
