import { Command } from 'commander';
import type { FindingList } from '../../outbox/kept-findings.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';
import { shortTime, tableLines } from '../table.ts';
import { escapeText, type Terminal } from '../terminal.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from './admin-client.ts';

interface FindingOptions extends AdminClientOptions {
  readonly identity?: string;
  readonly since?: string;
  readonly limit?: string;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Findings of a running server, over its admin API. */
export function findingsVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('findings').description(
      'Print what a person should know: findings of the last 30 days, those seen last first.',
    ),
  )
    .option('--identity <name>', 'of one identity')
    .option('--since <time>', 'seen then or later: such as 2026-11-28T00:00:00Z, or 2h ago')
    .option('--limit <number>', 'how many, at most 1000', '100')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate findings --since 2h
  $ namegate findings --identity payments-build --json`,
    )
    .action(async (options: FindingOptions) => {
      const since = options.since === undefined ? null : timeOf(options.since, Date.now());
      if (Number.isNaN(since)) {
        terminal.code = terminal.usage(
          'findings',
          `--since ${options.since}: write it as 2026-11-28T00:00:00Z, or as 30m, 2h or 7d`,
        );
        return;
      }
      if (!/^[1-9][0-9]{0,3}$/.test(options.limit ?? '')) {
        terminal.code = terminal.usage('findings', `--limit ${options.limit}: write a number from 1 to 1000`);
        return;
      }
      const query = new URLSearchParams({ limit: options.limit ?? '100' });
      if (options.identity !== undefined) query.set('identity', options.identity);
      if (since !== null) query.set('since', new Date(since).toISOString());
      const answer = await askAdmin(
        terminal,
        'findings',
        options,
        'GET',
        `/v1/findings?${query}`,
        'findings',
      );
      if (answer === null) return;
      terminal.print(options.json === true ? JSON.stringify(answer) : shown(terminal, answer as FindingList));
    });
}

/** Milliseconds since 1970, or NaN. */
function timeOf(text: string, now: EpochMilliseconds): EpochMilliseconds {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit !== undefined) return now - Number(number) * UNITS[unit]!;
  return /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}

function shown(terminal: Terminal, { findings, more }: FindingList): string {
  if (findings.length === 0) return 'there are no findings';
  const rows = findings.map(({ last, severity, kind, identity, state, count, key }) => [
    shortTime(last),
    severity,
    kind,
    identity ?? '-',
    state,
    String(count),
    key ?? '-',
  ]);
  const lines = tableLines(
    terminal,
    ['LAST', 'SEVERITY', 'FINDING', 'IDENTITY', 'STATE', 'COUNT', 'ABOUT'],
    rows,
  );
  // The newest of each kind says what to do.
  const kinds = new Map([...findings].reverse().map((finding) => [finding.kind, finding]));
  for (const { kind, text, next, target } of kinds.values()) {
    const meant = target === null ? '' : ` (${target})`;
    lines.push('', escapeText(`${kind}: ${text}${meant}`), escapeText(`  next: ${next}`));
  }
  if (more) lines.push('', 'there are more: name an identity, or a later --since');
  return lines.join('\n');
}
