import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import type { Top, TopName } from '../../history/top.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from '../admin/admin-client.ts';
import { given } from '../given.ts';
import { shortTime, tableLines } from '../table.ts';
import { count, escapeText, type Terminal } from '../terminal.ts';

/** Between two looks on a terminal. */
const LOOK_MS: Milliseconds = 2_000;
/** Puts the cursor at the beginning and clears what is behind it (ECMA-48). */
const CLEAR = '\x1b[H\x1b[J';

interface TopOptions extends AdminClientOptions {
  readonly identity?: string;
  readonly minutes: string;
  readonly limit: string;
  readonly once?: boolean;
}

type Shown = Omit<Top, 'since'> & { readonly since: string };

/** Identities, names and denials of the last minutes. */
export function topVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('top').description(
      'Show which identities and names were asked most in the last minutes, and what was denied.',
    ),
  )
    .option('--identity <name>', 'of one identity')
    .option('--minutes <number>', 'of how many minutes, at most 10', '5')
    .option('--limit <number>', 'lines of each list, at most 100', '20')
    .option('--once', 'print it once, as it does where the output is no terminal')
    .addHelpText('after', '\nExamples:\n  $ namegate top\n  $ namegate top --minutes 1 --json')
    .action(async (options: TopOptions) => {
      const { identity, minutes, limit } = options;
      const wrong = /^([1-9]|10)$/.test(minutes)
        ? /^([1-9]\d?|100)$/.test(limit)
          ? null
          : `--limit ${limit}: write a number from 1 to 100`
        : `--minutes ${minutes}: write a number from 1 to 10`;
      if (wrong !== null) {
        terminal.code = terminal.usage('top', wrong);
        return;
      }
      const query = new URLSearchParams(given({ minutes, limit, identity }));
      const isOnce = options.once === true || options.json === true || !terminal.isScreen;
      for (;;) {
        const answer = await askAdmin(terminal, 'top', options, 'GET', `/v1/top?${query}`, 'denials');
        if (answer === null) return;
        if (options.json === true) terminal.print(JSON.stringify(answer));
        else {
          const lines = topLines(terminal, answer as Shown, Number(minutes));
          terminal.print(`${isOnce ? '' : CLEAR}${lines.join('\n')}`);
        }
        if (isOnce) return;
        await pause(LOOK_MS);
      }
    });
}

function topLines(terminal: Terminal, top: Shown, minutes: number): string[] {
  const { since, questions, refused, others, identities, names, denials } = top;
  const rest = others === 0 ? '' : `; ${count(others, 'question')} in no list`;
  const lines = [
    escapeText(
      `the last ${count(minutes, 'minute')}, since ${shortTime(since)}: ${count(questions, 'question')}, ${count(refused, 'question')} refused${rest}`,
    ),
    '',
  ];
  if (identities.length === 0) return [...lines, 'nobody asked anything'];
  const whole = identities.map((row) => [
    String(row.questions),
    String(row.refused),
    String(row.jobs),
    row.identity,
  ]);
  lines.push(...tableLines(terminal, ['QUESTIONS', 'REFUSED', 'JOBS', 'IDENTITY'], whole), '');
  lines.push(...namesTable(terminal, names), '');
  if (denials.length === 0) lines.push('nothing was denied');
  else lines.push(terminal.paint('bold', 'denied'), ...namesTable(terminal, denials));
  return lines;
}

function namesTable(terminal: Terminal, rows: readonly TopName[]): string[] {
  const cells = rows.map(({ questions, verdict, name, folded, identity, lease, client }) => [
    String(questions),
    verdict,
    folded ? `below ${name}` : name,
    identity,
    lease ?? client,
  ]);
  return tableLines(terminal, ['QUESTIONS', 'VERDICT', 'NAME', 'IDENTITY', 'LEASE OR CLIENT'], cells);
}
