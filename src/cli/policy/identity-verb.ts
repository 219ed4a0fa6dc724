import { Command } from 'commander';
import { load } from '../../config/load.ts';
import { describeIdentity } from '../../policy/explain/describe.ts';
import type { Identity, Snapshot, View } from '../../policy/snapshot.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { tableLines } from '../table.ts';
import {
  CONFIG_HELP,
  count,
  EXIT_GOOD,
  enumerate,
  escapeText,
  missingServerFile,
  serverFile,
  type Terminal,
} from '../terminal.ts';
import { identityPatterns } from './patterns.ts';
import { refuseLoad } from './print-problems.ts';

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

/** What the config files say of identities; no server is asked. */
export function identityVerb(terminal: Terminal): Command {
  const group = new Command('identity')
    .description('List identities, and show what one may resolve, from the config files.')
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nExamples:\n  $ namegate identity list\n  $ namegate identity show payments-build',
    );
  group.addCommand(
    withOptions(new Command('list').description('Print identities, their owners and reviews.')).action(
      (options: Options) => {
        terminal.code = withPolicy(terminal, 'identity list', options, (snapshot, now) =>
          list(terminal, snapshot, now, options),
        );
      },
    ),
  );
  group.addCommand(
    withOptions(
      new Command('show').description('Print how an identity is recognised, and what it may resolve.'),
    )
      .argument('<name>', 'the identity')
      .action((name: string, options: Options) => {
        terminal.code = withPolicy(terminal, 'identity show', options, (snapshot, now) =>
          show(terminal, snapshot, now, name, options),
        );
      }),
  );
  return group;
}

function withOptions(command: Command): Command {
  return command.option('-c, --config <file>', CONFIG_HELP).option('--json', 'print JSON');
}

function withPolicy(
  terminal: Terminal,
  verb: string,
  { config }: Options,
  use: (snapshot: Snapshot, now: EpochSeconds) => number,
): number {
  const missing = missingServerFile(config);
  if (missing !== null) return terminal.usage(verb, missing);
  const now = Date.now() / 1000;
  const { snapshot, problems, sources } = load(serverFile(config), { env: process.env, now, salt: 0 });
  if (snapshot !== null) return use(snapshot, now);
  return refuseLoad(terminal, { problems, sources });
}

function list(terminal: Terminal, { identities }: Snapshot, now: EpochSeconds, { json }: Options): number {
  if (json === true) {
    terminal.print(
      JSON.stringify({ identities: identities.map((identity) => describeIdentity(identity, now)) }),
    );
    return EXIT_GOOD;
  }
  const rows = identities.map((identity) => [
    identity.name,
    identity.owner,
    reviewText(identity, now),
    identity.auditUntil > now ? `audit until ${day(identity.auditUntil)}` : 'enforce',
    identity.stages.map(({ name }) => name).join(' → ') || '-',
    enumerate([...identity.addresses, ...identity.certificates]) || '-',
  ]);
  if (rows.length === 0) terminal.print('no identities');
  else
    terminal.print(
      tableLines(terminal, ['IDENTITY', 'OWNER', 'REVIEW', 'MODE', 'STAGES', 'FROM'], rows).join('\n'),
    );
  return EXIT_GOOD;
}

function show(
  terminal: Terminal,
  snapshot: Snapshot,
  now: EpochSeconds,
  name: string,
  { json }: Options,
): number {
  const identity = snapshot.identities.find((one) => one.name === name);
  if (identity === undefined) {
    const known = enumerate(snapshot.identities.map((one) => one.name)) || 'none';
    return terminal.usage('identity show', `there is no identity ${name}; there are: ${known}`);
  }
  const views: readonly { readonly name: string | null; readonly view: View }[] =
    identity.stages.length === 0
      ? [{ name: null, view: identity.view }]
      : [{ name: null, view: identity.view }, ...identity.stages];
  if (json === true) {
    const resolves = views.map(({ name: stage, view }) => ({
      stage,
      patterns: identityPatterns(snapshot, view),
    }));
    terminal.print(JSON.stringify({ ...describeIdentity(identity, now), resolves }));
    return EXIT_GOOD;
  }
  const line = (label: string, text: string): void =>
    terminal.print(`${terminal.paint('dim', label.padEnd(12))} ${escapeText(text)}`);
  terminal.print(terminal.paint('bold', escapeText(identity.name)));
  line('owner', identity.owner);
  line('review', reviewText(identity, now));
  if (identity.workload !== null) line('workload', identity.workload);
  if (identity.auditUntil > now) line('audit', `until ${day(identity.auditUntil)}: nothing is denied to it`);
  for (const text of recognition(identity)) line('recognised', text);
  line(
    'leases',
    `at most ${identity.maxLease} s${identity.quarantine > 0 ? `, then ${identity.quarantine} s of quarantine` : ''}`,
  );
  if (identity.undetected !== null)
    line('no findings', `${identity.undetected.kinds.join(', ')}: ${identity.undetected.reason}`);
  for (const each of identity.expected)
    line('expected', `${each.name} until ${day(each.until)}: ${each.reason}; owner ${each.owner}`);
  for (const { name: stage, view } of views) {
    terminal.print('');
    terminal.print(
      terminal.paint('bold', stage === null ? 'without a lease' : `at stage ${escapeText(stage)}`),
    );
    const patterns = identityPatterns(snapshot, view);
    if (patterns.length === 0) terminal.print('  nothing');
    for (const { pattern, destination, until, fallback } of patterns.slice(0, LISTED)) {
      const from = destination === null ? '' : `  ${destination}`;
      const end = until === null ? '' : `  until ${until}`;
      const failing = fallback === null ? '' : `  while it fails: ${fallback}`;
      terminal.print(
        `  ${escapeText(pattern).padEnd(40)}${escapeText(from)}${end}${escapeText(failing)}`.trimEnd(),
      );
    }
    if (patterns.length > LISTED)
      terminal.print(`  and ${count(patterns.length - LISTED, 'more pattern')}: --json has all`);
  }
  return EXIT_GOOD;
}

/** Patterns of one stage that are listed. */
const LISTED = 200;

/** How it is recognised, strongest first. */
function recognition({ certificates, addresses, claims, proof, selfAdvance }: Identity): string[] {
  const certificateText = certificates.map((text) => `certificate ${text}`);
  const ignored = proof === 'certificate' ? ' (ignored: proof: certificate)' : '';
  const addressText = addresses.map((text) => `address ${text}${ignored}`);
  const claimText = claims.map(({ issuer, values }) => {
    const parts = Object.entries(values).map(([name, value]) => `${name}=${value}`);
    return `by a lease of a job of ${issuer} with ${parts.join(', ')}${selfAdvance ? ', which advances itself' : ''}`;
  });
  const all = [...certificateText, ...addressText, ...claimText];
  return all.length === 0 ? ['by leases alone'] : all;
}

function reviewText({ reviewBy }: Identity, now: EpochSeconds): string {
  if (reviewBy === null) return 'never: overdue';
  return reviewBy <= now ? `${day(reviewBy)}: overdue` : day(reviewBy);
}

function isoSeconds(seconds: EpochSeconds): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function day(seconds: EpochSeconds): string {
  return isoSeconds(seconds).replace('T00:00:00Z', '');
}
