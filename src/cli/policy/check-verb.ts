import { Command } from 'commander';
import { TrustBuilder } from '../../assembly/trust/trusts.ts';
import { sentToTcp } from '../../assembly/without-tcp.ts';
import { formatProblem } from '../../config/files/excerpt.ts';
import { missingAt } from '../../config/files/near.ts';
import { load, loadPolicyOnly } from '../../config/load.ts';
import type { LoadResult } from '../../config/loaded.ts';
import { isError } from '../../policy/problem.ts';
import { DEFAULT_BUDGETS } from '../../settings/settings.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import {
  CONFIG_HELP,
  count,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  missingServerFile,
  serverFile,
  type Terminal,
} from '../terminal.ts';
import { loopbackLines, loopbackRanges } from './loopback-ranges.ts';
import { patternLines, rulePorts } from './patterns.ts';
import { complainProblems } from './print-problems.ts';
import { sharedAddresses, sharedAddressLines } from './shared-addresses.ts';
import { withoutServers } from './system-upstreams.ts';

const RESOLV_CONF = '/etc/resolv.conf';

export function checkVerb(terminal: Terminal): Command {
  return new Command('check')
    .description(
      'Read the config as the server would; print every problem, and what each pattern matches. Exits 1 for errors.',
    )
    .argument('[path]', 'a server file, a policy file or a policy folder (default: the server file)')
    .option('-c, --config <file>', CONFIG_HELP)
    .option('-q, --quiet', 'print errors alone, on the standard error')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate check
  $ namegate check config/policy
  $ namegate check --config /etc/namegate/namegate.yaml --json`,
    )
    .action((path: string | undefined, options: Options) => {
      terminal.code = check(terminal, path, options);
    });
}

interface Options {
  readonly config?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

function check(terminal: Terminal, path: string | undefined, { config, quiet, json }: Options): number {
  if (path !== undefined && config !== undefined)
    return terminal.usage('check', 'name a path or --config, not both');
  const missing = path === undefined ? missingServerFile(config) : missingAt(path);
  if (missing !== null) return terminal.usage('check', missing);
  const options = { env: process.env, now: Date.now() / 1000, salt: 0 };
  const read = path === undefined ? load(serverFile(config), options) : loadPolicyOnly(path, options);
  const vetted = new TrustBuilder().vet(read, options.now);
  const nobody = path === undefined ? withoutServers(vetted, serverFile(config), RESOLV_CONF) : [];
  const result = { ...vetted, problems: [...vetted.problems, ...nobody] };
  if (json === true) terminal.print(JSON.stringify(report(result)));
  else if (quiet === true) complainProblems(terminal, result.problems.filter(isError), result.sources);
  else terminal.print(text(terminal, result, options.now).join('\n'));
  return result.problems.some(isError) ? EXIT_PROBLEMS : EXIT_GOOD;
}

function report({ problems, snapshot, settings }: LoadResult): object {
  const loopback = snapshot === null ? [] : loopbackRanges(snapshot);
  return {
    problems: problems.map(({ code, severity, at, message, fix }) => {
      const { file, line, column } = at;
      return { code, severity, file, line, column, message, fix };
    }),
    identities: snapshot?.identities.length ?? 0,
    rules: snapshot?.rules.count ?? 0,
    views: snapshot?.views.length ?? 0,
    ...(loopback.length === 0 ? {} : { loopback_ranges: loopback }),
    ...(snapshot !== null && settings?.enforce
      ? {
          enforce: {
            ports: settings.enforce.ports,
            rules: rulePorts(snapshot),
            shared_addresses: sharedAddresses(snapshot, settings.state),
          },
        }
      : {}),
  };
}

/** The problems are what was asked for, so they go where the rest goes. */
function text(
  terminal: Terminal,
  { problems, sources, snapshot, settings }: LoadResult,
  now: EpochSeconds,
): string[] {
  const color = terminal.colors.out;
  const lines = problems.map((problem) => formatProblem(problem, sources, { color }));
  const errors = problems.filter(isError).length;
  const warnings = problems.length - errors;
  if (snapshot !== null) {
    if (lines.length > 0) lines.push('');
    lines.push(
      patternLines(terminal, snapshot, (settings?.budgets ?? DEFAULT_BUDGETS).lease_wildcard).join('\n'),
      '',
    );
    const loopback = loopbackLines(snapshot);
    if (loopback.length > 0) lines.push(...loopback, '');
    if (settings?.enforce) {
      const shared = sharedAddressLines(snapshot, settings.state);
      if (shared.length > 0) lines.push(...shared, '');
    }
    const { identities, rules, views } = snapshot;
    const audited = identities.filter(({ auditUntil }) => auditUntil > now);
    for (const { name, auditUntil } of audited) {
      const until = new Date(auditUntil * 1000).toISOString().slice(0, 16);
      lines.push(
        terminal.paint('yellow', `${name} is in audit mode until ${until}Z: nothing is denied to it`),
      );
    }
    for (const setting of settings?.listen ?? []) {
      const toTcp = setting.protocol === 'udp' ? sentToTcp(setting) : null;
      if (toTcp !== null)
        lines.push(
          `udp://${bracketed(setting.host)}:${setting.port} sends to TCP, for names that are not cached: ${toTcp}`,
        );
    }
    const counts = [
      count(identities.length, 'identity'),
      count(rules.count, 'rule'),
      count(views.length, 'view'),
    ];
    lines.push(counts.join(', '));
  }
  const end = [
    ...(errors > 0 ? [count(errors, 'error')] : []),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ];
  const verdict = errors > 0 ? end.join(', ') : ['good', ...end].join(', with ');
  lines.push(terminal.paint(errors > 0 ? 'red' : 'green', verdict));
  return lines;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
