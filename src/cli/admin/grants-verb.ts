import { Command } from 'commander';
import type { GrantLine, LiveLine } from '../../resolve/grants/grant-line.ts';
import { tableLines } from '../table.ts';
import { escapeText, type Terminal } from '../terminal.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from './admin-client.ts';

interface GrantOptions extends AdminClientOptions {
  readonly identity?: string;
  readonly lease?: string;
  readonly limit: string;
}

interface GrantList {
  readonly live: readonly Omit<LiveLine, 'op'>[];
  readonly grants: readonly Omit<GrantLine, 'op'>[];
  readonly more: boolean;
}

/** Grants of a running server, over its admin API. */
export function grantsVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('grants').description('Print what each client may connect to because it was answered.'),
  )
    .option('--identity <name>', 'of one identity')
    .option('--lease <id>', 'of one lease')
    .option('--limit <number>', 'how many, at most 10000', '1000')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate grants --identity payments-build
  $ namegate grants --lease le-0192f0a1b2c3d4e5f6a7b8c9 --json`,
    )
    .action(async (options: GrantOptions) => {
      const { identity, lease, limit } = options;
      if (!/^[1-9][0-9]{0,4}$/.test(limit)) {
        terminal.code = terminal.usage('grants', `--limit ${limit}: write a number from 1 to 10000`);
        return;
      }
      const query = new URLSearchParams({ limit });
      if (identity !== undefined) query.set('identity', identity);
      if (lease !== undefined) query.set('lease', lease);
      const answer = await askAdmin(terminal, 'grants', options, 'GET', `/v1/grants?${query}`, 'grants');
      if (answer === null) return;
      terminal.print(options.json === true ? JSON.stringify(answer) : shown(terminal, answer as GrantList));
    });
}

function shown(terminal: Terminal, { live, grants, more }: GrantList): string {
  const lines: string[] = [];
  if (grants.length === 0) lines.push('nothing is granted');
  else {
    const heading = ['CLIENT', 'IDENTITY', 'LEASE', 'NAME', 'ADDRESS', 'PORTS', 'LEFT'];
    const rows = grants.map((grant) => [
      grant.client,
      grant.identity,
      grant.lease ?? '-',
      escapeText(grant.name),
      grant.address,
      grant.ports.join(' '),
      `${Math.ceil(grant.ttl_ms / 1000)} s`,
    ]);
    lines.push(...tableLines(terminal, heading, rows));
  }
  lines.push('', `live: ${live.map(({ client }) => client).join(' ') || 'nobody'}`);
  if (more) lines.push('there are more: see --limit');
  return lines.join('\n');
}
