import { Command } from 'commander';
import { given } from '../given.ts';
import { shortTime, tableLines } from '../table.ts';
import { escapeText, type Terminal } from '../terminal.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from './admin-client.ts';
import { readTtl } from './lease-verb.ts';

/** Exceptions of a running server, over its admin API. Those in policy files are not among them. */
export function exceptionVerb(terminal: Terminal): Command {
  const group = new Command('exception')
    .description('Add, revoke and list time-boxed exceptions of a running server.')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate exception add api.vendor.example --identity payments-build --ttl 4h --reason CHG-1182
  $ namegate exception revoke ex-0192f0a1b2c3d4e5f6a7`,
    );
  for (const verb of [addVerb, revokeVerb, listVerb]) group.addCommand(verb(terminal));
  return group;
}

interface AddOptions extends AdminClientOptions {
  readonly identity: string;
  readonly ttl: string;
  readonly reason: string;
  readonly type?: readonly string[];
  readonly approvedBy?: string;
}

/** An exception as the API gives it. */
interface Exception {
  readonly id: string;
  readonly identity: string;
  readonly name: string;
  readonly types: readonly string[] | null;
  readonly expires: string;
  readonly reason: string;
  readonly approved_by: string;
}

function addVerb(terminal: Terminal): Command {
  return withAdminOptions(new Command('add').description('Approve a pattern for an identity for a time.'))
    .argument('<pattern>', 'the pattern, as policy files have it')
    .requiredOption('--identity <name>', 'the identity')
    .requiredOption('--ttl <duration>', 'how long, such as 4h')
    .requiredOption('--reason <text>', 'why')
    .option('--approved-by <name>', 'who approves it; who asks is named beside')
    .option('--type <type...>', "RR types (default: those of the pattern's kind)")
    .action(async (name: string, options: AddOptions) => {
      const ttl = readTtl(options.ttl);
      if (typeof ttl !== 'number') {
        terminal.code = terminal.usage('exception add', String(ttl));
        return;
      }
      const { identity, reason, type, approvedBy } = options;
      const body = given<unknown>({ identity, name, ttl, reason, types: type, approved_by: approvedBy });
      const added = await askAdmin(terminal, 'exception add', options, 'POST', '/v1/exceptions', 'id', body);
      if (added === null) return;
      const { id, expires, approved_by: by } = added as Exception;
      const text = `${id}: ${name} for ${identity} until ${shortTime(expires)}, approved by ${by}`;
      terminal.print(options.json === true ? JSON.stringify(added) : escapeText(text));
    });
}

function revokeVerb(terminal: Terminal): Command {
  return withAdminOptions(new Command('revoke').description('Take an exception out of force.'))
    .argument('<id>', 'the exception')
    .action(async (id: string, options: AdminClientOptions) => {
      const path = `/v1/exceptions/${encodeURIComponent(id)}`;
      const revoked = await askAdmin(terminal, 'exception revoke', options, 'DELETE', path, 'id');
      if (revoked === null) return;
      terminal.print(options.json === true ? JSON.stringify(revoked) : `${escapeText(id)} is revoked`);
    });
}

function listVerb(terminal: Terminal): Command {
  return withAdminOptions(new Command('list').description('Print the exceptions in force.')).action(
    async (options: AdminClientOptions) => {
      const answer = await askAdmin(
        terminal,
        'exception list',
        options,
        'GET',
        '/v1/exceptions',
        'exceptions',
      );
      if (answer === null) return;
      const { exceptions } = answer as { readonly exceptions: readonly Exception[] };
      if (options.json === true) terminal.print(JSON.stringify(answer));
      else if (exceptions.length === 0) terminal.print('no exceptions but those in policy files');
      else terminal.print(tableLines(terminal, HEADING, exceptions.map(rowOf)).join('\n'));
    },
  );
}

const HEADING = ['EXCEPTION', 'IDENTITY', 'PATTERN', 'TYPES', 'EXPIRES', 'APPROVED BY', 'REASON'];

function rowOf({ id, identity, name, types, expires, approved_by: by, reason }: Exception): string[] {
  return [id, identity, name, types?.join(' ') ?? '-', shortTime(expires), by, reason];
}
