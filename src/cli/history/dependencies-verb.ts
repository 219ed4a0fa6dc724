import { Command, Option } from 'commander';
import { readPatternUse } from '../../history/dependency-rows.ts';
import { MOST_FINDINGS } from '../../outbox/kept-findings.ts';
import { readFindings } from '../../outbox/read-findings.ts';
import type { Milliseconds } from '../../wire/quantity.ts';
import { HISTORY_HELP, historyPath } from '../learn/history-place.ts';
import { policyInForce } from '../policy/policy-in-force.ts';
import { shortTime, tableLines } from '../table.ts';
import { CONFIG_HELP, EXIT_PROBLEMS, escapeText, type Terminal } from '../terminal.ts';
import { dependencyGraph, titleOf } from './dependency-graph.ts';
import { type Dependency, dependenciesOf } from './dependency-table.ts';

/** Findings of failures that are looked at: those of the last week. */
const LOOK_BACK_MS: Milliseconds = 7 * 86_400_000;

interface DependencyOptions {
  readonly config?: string;
  readonly identity?: string;
  readonly history?: string;
  readonly format: 'text' | 'json' | 'dot';
  readonly json?: boolean;
}

/** What identities need of others, and whether it answers. */
export function dependenciesVerb(terminal: Terminal): Command {
  return new Command('dependencies')
    .description(
      'Print what each identity needs at each stage: when it was used last, whether it fails, and what to do then.',
    )
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--identity <name>', 'of one identity')
    .option('--history <file>', HISTORY_HELP)
    .addOption(
      new Option('--format <format>', 'how it is printed').choices(['text', 'json', 'dot']).default('text'),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ namegate dependencies\n  $ namegate dependencies --format dot | dot -Tsvg > needs.svg',
    )
    .action((options: DependencyOptions) => {
      terminal.code = dependencies(terminal, options);
    });
}

function dependencies(terminal: Terminal, options: DependencyOptions): number {
  const { config, identity: only, history, json } = options;
  const now = Date.now();
  const loaded = policyInForce(terminal, 'dependencies', config, now);
  if (typeof loaded === 'number') return loaded;
  const { snapshot, settings } = loaded;
  const state = settings?.state ?? null;
  const place = historyPath(history, state);
  if (typeof place === 'string') return terminal.usage('dependencies', place);
  const identities = snapshot.identities.filter(({ name }) => only === undefined || name === only);
  if (only !== undefined && identities.length === 0)
    return terminal.usage('dependencies', `there is no identity ${only}`);
  let all: Dependency[];
  try {
    const uses = readPatternUse(place.path);
    const selection = {
      identity: only ?? null,
      since: now - LOOK_BACK_MS,
      limit: MOST_FINDINGS,
      kind: 'dependency',
    };
    const { findings } = state === null ? { findings: [] } : readFindings(state, selection);
    all = dependenciesOf(snapshot, identities, uses, findings, now);
  } catch (error) {
    terminal.complain(`namegate dependencies: ${escapeText((error as Error).message)}`);
    return EXIT_PROBLEMS;
  }
  const format = json === true ? 'json' : options.format;
  if (format === 'json') terminal.print(JSON.stringify({ dependencies: all }));
  else if (format === 'dot') terminal.print(dependencyGraph(all));
  else print(terminal, all);
  return 0;
}

const HEADING = ['DESTINATION', 'IDENTITY', 'STAGE', 'STATE', 'LAST USED', 'QUESTIONS', 'OWNER', 'FALLBACK'];

function print(terminal: Terminal, all: readonly Dependency[]): void {
  if (all.length === 0) {
    terminal.print('no identity may resolve anything');
    return;
  }
  const rows = all.map((each) => [
    titleOf(each),
    each.identity,
    each.stage === '' ? '-' : each.stage,
    each.state,
    each.last_used === null ? 'never' : shortTime(each.last_used),
    String(each.questions),
    each.owner,
    each.fallbacks.join('; ') || '-',
  ]);
  terminal.print(tableLines(terminal, HEADING, rows).join('\n'));
  for (const each of all) {
    for (const { name, first, last, now } of each.failures) {
      const until = now ? 'fails now' : `failed until ${shortTime(last)}`;
      terminal.print(
        escapeText(`${name} (${titleOf(each)}, ${each.identity}): ${until}, since ${shortTime(first)}`),
      );
    }
  }
}
