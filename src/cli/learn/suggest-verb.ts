import { existsSync, fstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { load } from '../../config/load.ts';
import { suffixTable } from '../../config/policy/suffixes.ts';
import { DatabaseRefusal } from '../../database/database.ts';
import { readAskedRows } from '../../history/asked-rows.ts';
import type { AskedRow } from '../../policy/learn/asked-row.ts';
import { propose } from '../../policy/learn/proposal.ts';
import { proposalText } from '../../policy/learn/proposal-text.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import { refuseLoad } from '../policy/print-problems.ts';
import {
  CONFIG_HELP,
  enumerate,
  missingServerFile,
  serverFile,
  shortPath,
  type Terminal,
} from '../terminal.ts';
import { SINCE_HELP, timeSpan } from '../time-option.ts';
import { HISTORY_HELP, historyPath } from './history-place.ts';
import { unifiedDiff } from './line-diff.ts';

interface Options {
  readonly identity: string;
  readonly since?: string;
  readonly stage?: string;
  readonly once?: boolean;
  readonly diff?: boolean;
  readonly history?: string;
  readonly config?: string;
}

export function suggestVerb(terminal: Terminal): Command {
  return new Command('suggest')
    .description('Turn what an identity was refused into a policy file that stands beside the present one.')
    .requiredOption('--identity <name>', 'the identity')
    .option('--since <time>', SINCE_HELP)
    .option('--stage <stage>', 'of one stage')
    .option('--once', 'also what one job alone asked')
    .option('--diff', 'print what changes in the file that an earlier suggestion was written to')
    .option('--history <file>', HISTORY_HELP)
    .option('-c, --config <file>', CONFIG_HELP)
    .addHelpText(
      'after',
      `
Write it into the policy's folder of a checkout as proposed-IDENTITY.yaml, review it, and run check and try.
A server that serves this very folder takes it at once.

Examples:
  $ namegate suggest --identity payments-build > policy/proposed-payments-build.yaml
  $ namegate suggest --identity payments-build --since 14d --diff | patch -p0`,
    )
    .action((options: Options) => {
      terminal.code = suggest(terminal, options);
    });
}

function suggest(terminal: Terminal, options: Options): number {
  const missing = missingServerFile(options.config);
  if (missing !== null) return terminal.usage('suggest', missing);
  const now = Date.now();
  const span = timeSpan(options, now);
  if (typeof span === 'string') return terminal.usage('suggest', span);
  const { since } = span;
  const { snapshot, settings, problems, sources } = load(serverFile(options.config), {
    env: process.env,
    now: now / 1000,
    salt: 0,
    passesOver: isOutput,
  });
  if (snapshot === null || settings === null) {
    return refuseLoad(terminal, { problems, sources });
  }
  const identity = snapshot.identities.find(({ name }) => name === options.identity);
  if (identity === undefined) {
    const known = enumerate(snapshot.identities.map(({ name }) => name)) || 'none';
    return terminal.usage('suggest', `there is no identity ${options.identity}; there are: ${known}`);
  }
  const { stage } = options;
  if (stage !== undefined && identity.stages.every(({ name }) => name !== stage)) {
    const known = enumerate(identity.stages.map(({ name }) => name)) || 'none';
    return terminal.usage('suggest', `${identity.name} has no stage ${stage}; it has: ${known}`);
  }
  const place = historyPath(options.history, settings.state);
  if (typeof place === 'string') return terminal.usage('suggest', place);
  const ownFile = proposalFile(settings.policy, identity.name);
  let text: string;
  try {
    const rows = readAskedRows(place.path, { identity: identity.name, since });
    const proposal = propose(stage === undefined ? rows : ofStage(rows, stage), snapshot, identity, {
      once: options.once === true,
      now: Math.floor(now / 1000),
      suffixes: suffixTable(),
      ownFile,
    });
    text = proposalText(proposal, othersDestinations(snapshot, ownFile));
  } catch (error) {
    if (error instanceof DatabaseRefusal) return terminal.usage('suggest', error.message);
    throw error;
  }
  if (options.diff === true)
    text = unifiedDiff(shortPath(ownFile), existsSync(ownFile) ? readFileSync(ownFile, 'utf8') : null, text);
  if (text !== '') terminal.print(text.slice(0, -1));
  return 0;
}

/** Whether a file is the one that a shell has just emptied for what is printed here. */
function isOutput(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined || !file.isFile() || file.size > 0) return false;
  const { dev, ino } = fstatSync(1);
  return file.dev === dev && file.ino === ino;
}

/** Where a proposal is kept: beside the files of the policy. */
function proposalFile(policy: string, identity: string): string {
  const isFolder = statSync(policy, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder
    ? join(policy, `proposed-${identity}.yaml`)
    : `${policy.replace(/\.ya?ml$/, '')}-proposed-${identity}.yaml`;
}

function* ofStage(rows: Iterable<AskedRow>, stage: string): Generator<AskedRow> {
  for (const row of rows) if (row.stage === stage) yield row;
}

/** Names of destinations that other files have. */
function othersDestinations({ rules, sets, postings }: Snapshot, ownFile: string): Set<string> {
  const taken = new Set(sets.filter((name) => name !== null));
  for (let at = 0; at < postings.set.length; at++) {
    const rule = postings.rule[at]! - 1;
    const name = sets[postings.set[at]!] ?? null;
    if (rule >= 0 && name !== null && rules.terms[rules.term[rule]!]!.file === ownFile) taken.delete(name);
  }
  return taken;
}
