import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { load, loadPolicyOnly } from '../../config/load.ts';
import { DatabaseRefusal } from '../../database/database.ts';
import { readAskedRows } from '../../history/asked-rows.ts';
import { ruleText } from '../../policy/explain/rule-text.ts';
import { type Difference, PolicyReplay, type ReplayResult } from '../../policy/learn/replay.ts';
import { typeToText } from '../../wire/iana.ts';
import { refuseLoad } from '../policy/print-problems.ts';
import {
  CONFIG_HELP,
  count,
  EXIT_GOOD,
  EXIT_PROBLEMS,
  escapeText,
  missingServerFile,
  serverFile,
  type Terminal,
} from '../terminal.ts';
import { SINCE_HELP, timeSpan } from '../time-option.ts';
import { HISTORY_HELP, historyPath } from './history-place.ts';

interface Options {
  readonly since?: string;
  readonly json?: boolean;
  readonly failOn?: string;
  readonly history?: string;
  readonly config?: string;
}

const GATES = ['newly-denied', 'newly-allowed'] as const;
/** Differences that are listed of one identity and stage; --json has all. */
const LISTED = 100;

export function tryVerb(terminal: Terminal): Command {
  return new Command('try')
    .description('Decide every question of the history under another policy, and print what would change.')
    .argument('<policy>', 'a policy file or folder, or a server file')
    .option('--since <time>', SINCE_HELP)
    .option(
      '--fail-on <what>',
      'exit 1 where there is something of newly-denied, newly-allowed, or both with a comma',
    )
    .option('--json', 'print JSON')
    .option('--history <file>', HISTORY_HELP)
    .option('-c, --config <file>', CONFIG_HELP)
    .addHelpText(
      'after',
      `\nExamples:
  $ namegate try config/policy --since 14d
  $ namegate try policy/ --history history.db --fail-on newly-denied --json`,
    )
    .action((policy: string, options: Options) => {
      terminal.code = replay(terminal, policy, options);
    });
}

function replay(terminal: Terminal, policy: string, options: Options): number {
  const gates = (options.failOn ?? '').split(',').filter((gate) => gate !== '');
  const strange = gates.find((gate) => !GATES.some((known) => known === gate));
  if (strange !== undefined)
    return terminal.usage('try', `--fail-on ${strange}: write ${GATES.join(' or ')}`);
  if (!existsSync(policy)) return terminal.usage('try', `there is no ${policy}`);
  const now = Date.now();
  const span = timeSpan(options, now);
  if (typeof span === 'string') return terminal.usage('try', span);
  const { since } = span;
  const loading = { env: process.env, now: now / 1000, salt: 0 };
  const { snapshot, problems, sources } = loadPolicyOnly(policy, loading);
  if (snapshot === null) {
    return refuseLoad(terminal, { problems, sources });
  }
  const state = options.history === undefined ? stateFolder(options.config) : null;
  if (typeof state === 'object' && state !== null) return terminal.usage('try', state.fault);
  const place = historyPath(options.history, state);
  if (typeof place === 'string') return terminal.usage('try', place);
  const candidate = new PolicyReplay(snapshot, Math.floor(now / 1000));
  try {
    for (const row of readAskedRows(place.path, { since })) candidate.take(row);
  } catch (error) {
    if (error instanceof DatabaseRefusal) return terminal.usage('try', error.message);
    throw error;
  }
  const result = candidate.done();
  if (options.json === true) terminal.print(JSON.stringify(jsonOf(result)));
  else for (const line of linesOf(terminal, result)) terminal.print(line);
  const failed = result.differences.some(({ becomes }) => gates.includes(`newly-${becomes}`));
  return failed ? EXIT_PROBLEMS : EXIT_GOOD;
}

function stateFolder(config: string | undefined): string | { readonly fault: string } {
  const missing = missingServerFile(config);
  if (missing !== null) return { fault: missing };
  const { settings } = load(serverFile(config), { env: process.env, now: Date.now() / 1000, salt: 0 });
  const fault = `${serverFile(config)} has errors: run namegate check, or name the history with --history FILE`;
  return settings?.state ?? { fault };
}

function jsonOf({ differences, judged, noise, unjudged }: ReplayResult): object {
  const rows = differences.map(({ type, ...rest }) => ({ ...rest, type: typeToText(type) }));
  return { differences: rows, judged, noise, not_judged: unjudged };
}

function linesOf(terminal: Terminal, { differences, judged, noise, unjudged }: ReplayResult): string[] {
  const lines: string[] = [];
  const places = Map.groupBy(differences, ({ identity, stage }) =>
    stage === '' ? identity : `${identity} at stage ${stage}`,
  );
  for (const [place, of] of places) {
    lines.push(terminal.paint('bold', escapeText(place)));
    for (const difference of of.slice(0, LISTED)) lines.push(`  ${escapeText(differenceText(difference))}`);
    if (of.length > LISTED) lines.push(`  and ${count(of.length - LISTED, 'more name')}: --json has all`);
  }
  const changed = differences.reduce((sum, { questions }) => sum + questions, 0);
  const rest = [
    ...(noise === 0 ? [] : [`${count(noise, 'question')} of search lists left out`]),
    ...(unjudged === 0
      ? []
      : [`${count(unjudged, 'question')} that stand for many names, or are of validators, not judged`]),
  ];
  lines.push([`${count(changed, 'question')} of ${judged} would be answered otherwise`, ...rest].join('; '));
  return lines;
}

function differenceText({ becomes, name, type, before, rule, questions, jobs }: Difference): string {
  const by = rule === null ? '' : `; ${ruleText(rule)}`;
  const word = becomes === 'empty' ? 'without data' : becomes;
  return `newly ${word}: ${name} ${typeToText(type)}, before ${before}: ${count(questions, 'question')} of ${count(jobs, 'job')}${by}`;
}
