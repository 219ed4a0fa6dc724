import { Command } from 'commander';
import type { LeaseView } from '../../admin/leases/lease-view.ts';
import { TextFault } from '../../config/problems.ts';
import { parseDuration } from '../../config/units.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { given } from '../given.ts';
import { shortTime, tableLines } from '../table.ts';
import { escapeText, type Terminal } from '../terminal.ts';
import { type AdminClientOptions, askAdmin, withAdminOptions } from './admin-client.ts';

/** Leases of a running server, over its admin API. */
export function leaseVerb(terminal: Terminal): Command {
  const group = new Command('lease')
    .description('Open, advance, end and list leases of a running server.')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate lease open --identity payments-build --address 10.20.0.7 --ttl 1h --job run_id=77
  $ namegate lease advance le-0192f0a1b2c3d4e5f6a7b8c9 build
  $ namegate lease end le-0192f0a1b2c3d4e5f6a7b8c9`,
    );
  for (const verb of [openVerb, advanceVerb, endVerb, listVerb, showVerb]) group.addCommand(verb(terminal));
  return group;
}

interface OpenOptions extends AdminClientOptions {
  readonly identity: string;
  readonly address?: readonly string[];
  readonly certificate?: string;
  readonly client?: string;
  readonly stage?: string;
  readonly source?: string;
  readonly ttl?: string;
  readonly job?: readonly string[];
}

/** A lease as the API gives it. */
type Lease = LeaseView & {
  readonly counts?: Readonly<Record<string, number>>;
  readonly without_tcp?: readonly string[];
};

function openVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('open').description('Bind addresses, a certificate, or both to an identity.'),
  )
    .requiredOption('--identity <name>', 'the identity')
    .option('--address <prefix...>', 'addresses or prefixes')
    .option('--certificate <name>', 'spiffe://…, dns:NAME or sha256:HEX')
    .option('--client <address>', 'the address that the firewall judges, where NAT or a stub hides it')
    .option('--stage <stage>', 'the stage (default: the first)')
    .option('--source <how>', 'enforced: the network drops forged sources of these addresses')
    .option('--ttl <duration>', "how long, such as 30m (default: the identity's max_lease)")
    .option('--job <key=value...>', 'what the job is, for people')
    .action(async (options: OpenOptions) => {
      const ttl = readTtl(options.ttl);
      const job = readJob(options.job ?? []);
      if (typeof ttl === 'string' || typeof job === 'string') {
        terminal.code = terminal.usage('lease open', typeof ttl === 'string' ? ttl : String(job));
        return;
      }
      const { identity, address, certificate, client, stage, source } = options;
      const body = given<unknown>({
        identity,
        addresses: address,
        certificate,
        client,
        stage,
        source,
        ttl,
        job,
      });
      const lease = await askAdmin(terminal, 'lease open', options, 'POST', '/v1/leases', 'id', body);
      if (lease !== null) printOne(terminal, lease as Lease, options);
    });
}

function advanceVerb(terminal: Terminal): Command {
  return withAdminOptions(
    new Command('advance').description('Move a lease to a later stage, or give it more time.'),
  )
    .argument('<id>', 'the lease')
    .argument('[stage]', 'the stage')
    .option('--ttl <duration>', 'its time to live from now on, such as 30m')
    .action(
      async (
        id: string,
        stage: string | undefined,
        options: AdminClientOptions & { readonly ttl?: string },
      ) => {
        const ttl = readTtl(options.ttl);
        const nothing = stage === undefined && ttl === null ? 'name a stage, or --ttl' : null;
        if (typeof ttl === 'string' || nothing !== null) {
          terminal.code = terminal.usage('lease advance', nothing ?? String(ttl));
          return;
        }
        const body = given<unknown>({ stage, ttl });
        const lease = await askAdmin(terminal, 'lease advance', options, 'PATCH', pathOf(id), 'id', body);
        if (lease !== null) printOne(terminal, lease as Lease, options);
      },
    );
}

function endVerb(terminal: Terminal): Command {
  return withAdminOptions(new Command('end').description('End a lease, and print its questions by verdict.'))
    .argument('<id>', 'the lease')
    .action(async (id: string, options: AdminClientOptions) => {
      const ended = await askAdmin(terminal, 'lease end', options, 'DELETE', pathOf(id), 'id');
      if (ended === null) return;
      const { counts } = ended as { readonly counts: Readonly<Record<string, number>> };
      terminal.print(
        options.json === true ? JSON.stringify(ended) : `${escapeText(id)} ended; ${countsText(counts)}`,
      );
    });
}

function listVerb(terminal: Terminal): Command {
  return withAdminOptions(new Command('list').description('Print live leases, in the order opened.'))
    .option('--identity <name>', 'those of one identity')
    .action(async (options: AdminClientOptions & { readonly identity?: string }) => {
      const only = options.identity === undefined ? '' : `&identity=${encodeURIComponent(options.identity)}`;
      const all: Lease[] = [];
      for (let after: string | null = ''; after !== null; ) {
        const from: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
        const page = await askAdmin(
          terminal,
          'lease list',
          options,
          'GET',
          `/v1/leases?limit=1000${only}${from}`,
          'leases',
        );
        if (page === null) return;
        const { leases, next } = page as { readonly leases: readonly Lease[]; readonly next: string | null };
        all.push(...leases);
        after = next ?? null;
      }
      if (options.json === true) terminal.print(JSON.stringify({ leases: all }));
      else if (all.length === 0) terminal.print('no live leases');
      else terminal.print(tableLines(terminal, HEADING, all.map(rowOf)).join('\n'));
    });
}

function showVerb(terminal: Terminal): Command {
  return withAdminOptions(new Command('show').description('Print one lease, and its questions by verdict.'))
    .argument('<id>', 'the lease')
    .action(async (id: string, options: AdminClientOptions) => {
      const lease = await askAdmin(terminal, 'lease show', options, 'GET', pathOf(id), 'id');
      if (lease !== null) printOne(terminal, lease as Lease, options);
    });
}

function pathOf(id: string): string {
  return `/v1/leases/${encodeURIComponent(id)}`;
}

/** Seconds, null where none is written, or what is wrong. */
export function readTtl(text: string | undefined): Seconds | null | string {
  if (text === undefined) return null;
  const duration = parseDuration(text);
  if (/^\d+$/.test(text))
    return `--ttl ${text}: write the unit, such as ${text}m or ${text}h; ${text}s is seconds`;
  if (duration instanceof TextFault) return `--ttl ${text}: ${duration.message}; ${duration.fix}`;
  return duration % 1000 === 0 ? duration / 1000 : `--ttl ${text}: write whole seconds`;
}

function readJob(pairs: readonly string[]): Readonly<Record<string, string>> | null | string {
  if (pairs.length === 0) return null;
  const bad = pairs.find((pair) => !pair.includes('='));
  if (bad !== undefined) return `--job ${bad}: write KEY=VALUE`;
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

const HEADING = ['LEASE', 'IDENTITY', 'STAGE', 'BINDS', 'EXPIRES', 'DENIED', 'OPENED BY'];

function rowOf(lease: Lease): string[] {
  const { id, identity, stage, expires, opened_by: by } = lease;
  const who = lease.in_force ? identity : `${identity} (gone: unknown)`;
  return [id, who, stage ?? '-', claimText(lease), shortTime(expires), deniedText(lease.counts), by];
}

function claimText({ addresses, certificate }: Lease): string {
  const where = addresses.join(' ');
  if (certificate === null) return where;
  return where === '' ? certificate : `${certificate} from ${where}`;
}

function printOne(terminal: Terminal, lease: Lease, { json }: AdminClientOptions): void {
  if (json === true) {
    terminal.print(JSON.stringify(lease));
    return;
  }
  const line = (label: string, text: string): void =>
    terminal.print(`${terminal.paint('dim', label.padEnd(10))} ${escapeText(text)}`);
  terminal.print(escapeText(lease.id));
  line(
    'identity',
    lease.in_force ? lease.identity : `${lease.identity}, which the policy no longer has so: unknown`,
  );
  if (lease.stage !== null) line('stage', lease.stage);
  line('binds', claimText(lease));
  if (lease.client != null) line('client', `${lease.client}: the firewall judges this address`);
  if (lease.source === 'enforced') line('source', 'enforced: UDP from its addresses is proof');
  line('opened', `${shortTime(lease.opened)} by ${lease.opened_by}`);
  line('expires', shortTime(lease.expires));
  for (const [name, value] of Object.entries(lease.job ?? {})) line('job', `${name}=${value}`);
  if (lease.counts !== undefined) line('questions', countsText(lease.counts));
  for (const address of lease.without_tcp ?? [])
    line('tcp', `${address} was sent to TCP and did not come: its resolver may know no TCP`);
}

/** Denials, and those whose source may be forged. */
function deniedText(counts: Readonly<Record<string, number>> = {}): string {
  const { deny = 0, deny_unproven: unproven = 0, deny_expected: expected = 0 } = counts;
  return [
    String(deny),
    ...(unproven === 0 ? [] : [`${unproven} unproven`]),
    ...(expected === 0 ? [] : [`${expected} expected`]),
  ].join(' + ');
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([verdict, number]) => `${verdict} ${number}`)
      .join(', ') || 'no questions'
  );
}
