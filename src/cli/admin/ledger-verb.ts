import { Command } from 'commander';
import type { BalanceView } from '../../admin/ledger/ledger-view.ts';
import { given } from '../given.ts';
import { sizeText } from '../size-text.ts';
import { tableLines } from '../table.ts';
import { count, escapeText, type Terminal } from '../terminal.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from './admin-client.ts';

/** The leak ledger of a running server, over its admin API. */
export function ledgerVerb(terminal: Terminal): Command {
  return new Command('ledger')
    .description('Show what jobs have put upstream through wildcards, and reset it.')
    .helpCommand(false)
    .addCommand(showVerb(terminal), { isDefault: true })
    .addCommand(resetVerb(terminal))
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate ledger --identity payments-build
  $ namegate ledger reset --lease le-0192f0a1b2c3d4e5f6a7b8c9 --reason "false alarm, CHG-1182"`,
    );
}

interface ShowOptions extends AdminClientOptions {
  readonly identity?: string;
  readonly lease?: string;
  readonly limit?: string;
}

interface Listed {
  readonly balances: readonly BalanceView[];
  readonly count: number;
  readonly contained: number;
}

function showVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('show').description('Print balances: who is contained, or nearest to it, comes first.'),
  )
    .option('--identity <name>', 'those of one identity')
    .option('--lease <id>', 'those of one lease')
    .option('--limit <number>', 'balances that are printed (default: 100)')
    .action(async (options: ShowOptions) => {
      const { identity, lease, limit } = options;
      const query = new URLSearchParams(given({ identity, lease, limit })).toString();
      const path = query === '' ? '/v1/ledger' : `/v1/ledger?${query}`;
      const listed = await askAdmin(terminal, 'ledger', options, 'GET', path, 'balances');
      if (listed === null) return;
      terminal.print(
        options.json === true ? JSON.stringify(listed) : ledgerLines(terminal, listed as Listed).join('\n'),
      );
    });
}

const HEADING = ['KEY', 'OF', 'WILDCARD', 'SPENT', 'ALERT', 'CONTAIN', 'LEFT', 'STATE'];

function ledgerLines(terminal: Terminal, { balances, count: all, contained }: Listed): string[] {
  if (balances.length === 0) return ['nothing was charged in the last day'];
  const lines = tableLines(terminal, HEADING, balances.map(rowOf));
  const wildcards = balances.filter(({ key }) => key === 'wildcard');
  if (wildcards.length > 0) {
    const top = [...wildcards].sort((a, b) => b.spent - a.spent).slice(0, TOP);
    const texts = top.map(({ wildcard, identity, spent }) => `${wildcard} of ${identity} ${sizeText(spent)}`);
    lines.push('', escapeText(`top wildcards: ${texts.join(', ')}`));
  }
  if (all > balances.length) lines.push(`${count(all - balances.length, 'balance')} more: see --limit`);
  lines.push(contained === 0 ? 'nobody is contained' : `${contained} contained`);
  return lines;
}

/** Wildcards that are named below the table. */
const TOP = 5;

function rowOf(balance: BalanceView): string[] {
  const { key, subject, identity, wildcard, spent, alert, contain, left, names_left, alerted } = balance;
  const of = identity === null || identity === subject ? subject : `${subject} (${identity})`;
  const rest = left === null ? 'no bound' : `${sizeText(left)}, about ${count(names_left ?? 0, 'name')}`;
  const state =
    balance.contained !== null
      ? `contained since ${balance.contained}`
      : alerted !== null
        ? `alerts since ${alerted}`
        : '-';
  return [
    key,
    of,
    wildcard ?? 'all',
    sizeText(spent),
    alert === null ? 'off' : sizeText(alert),
    contain === null ? 'off' : sizeText(contain),
    rest,
    state,
  ];
}

interface ResetOptions extends AdminClientOptions {
  readonly lease?: string;
  readonly identity?: string;
  readonly claim?: string;
  readonly wildcard?: string;
  readonly reason: string;
}

function resetVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('reset').description('Forget what was charged to one of a lease, an identity and a claim.'),
  )
    .option('--lease <id>', 'a lease')
    .option('--identity <name>', 'an identity, with its leases')
    .option('--claim <address>', "an address or a certificate's name, whatever leases and identities it had")
    .option('--wildcard <base>', 'under one wildcard alone')
    .requiredOption('--reason <text>', 'why')
    .action(async (options: ResetOptions) => {
      const { lease, identity, claim, wildcard, reason } = options;
      if ([lease, identity, claim].filter((one) => one !== undefined).length !== 1) {
        terminal.code = terminal.usage('ledger reset', 'name one of --lease, --identity and --claim');
        return;
      }
      const body = given({ lease, identity, claim, wildcard, reason });
      const answer = await askAdmin(
        terminal,
        'ledger reset',
        options,
        'POST',
        '/v1/ledger/reset',
        'reset',
        body,
      );
      if (answer === null) return;
      const { reset } = answer as { readonly reset: readonly BalanceView[] };
      const most = Math.max(...reset.map(({ spent }) => spent));
      terminal.print(
        options.json === true
          ? JSON.stringify(answer)
          : escapeText(
              `${count(reset.length, 'balance')} of ${lease ?? identity ?? claim} reset; the largest was ${sizeText(most)}`,
            ),
      );
    });
}
