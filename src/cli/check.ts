import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { load, loadPolicyOnly, type LoadResult } from '../config/load.ts';
import { type Blast, blastRadius } from '../policy/blast.ts';
import { isError } from '../policy/problem.ts';
import type { Snapshot } from '../policy/snapshot.ts';
import { complainProblems } from './problems.ts';
import { complain, CONFIG_HELP, type Done, EXIT_GOOD, EXIT_PROBLEMS, EXIT_USAGE, paint, print, serverFile } from './terminal.ts';

export function checkVerb(done: Done): Command {
  return new Command('check')
    .description('Read the config as the server would; print every problem, and what each pattern matches. Exits 1 for errors.')
    .argument('[path]', 'a server file, a policy file or a policy folder (default: the server file)')
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  $ namegate check\n  $ namegate check config/policy --json')
    .action((path: string | undefined, options: { config?: string; json?: boolean }) => {
      done(check(path, options.config, options.json === true));
    });
}

function check(path: string | undefined, config: string | undefined, json: boolean): number {
  if (path !== undefined && config !== undefined) {
    complain('namegate check: name a path or --config, not both');
    return EXIT_USAGE;
  }
  if (path !== undefined && !existsSync(path)) {
    complain(`namegate check: there is no ${path}`);
    return EXIT_USAGE;
  }
  const options = { env: process.env, now: Date.now() / 1000, salt: 0 };
  const result = path === undefined ? load(serverFile(config), options) : loadPolicyOnly(path, options);
  const bad = result.problems.some(isError);
  if (json) print(JSON.stringify(report(result)));
  else tell(result, bad);
  return bad ? EXIT_PROBLEMS : EXIT_GOOD;
}

function report({ problems, snapshot }: LoadResult): object {
  return {
    problems: problems.map(({ code, severity, at, message, fix }) => ({ code, severity, ...at, message, fix })),
    identities: snapshot?.identities.length ?? 0,
    rules: snapshot?.rules.count ?? 0,
    views: snapshot?.views.length ?? 0,
  };
}

function tell({ problems, sources, snapshot }: LoadResult, bad: boolean): void {
  complainProblems(problems, sources);
  const errors = problems.filter(isError).length;
  const warnings = problems.length - errors;
  if (snapshot !== null) {
    tellPatterns(snapshot);
    const { identities, rules, views } = snapshot;
    print(`${identities.length} identities, ${rules.count} rules, ${views.length} views`);
  }
  const text = bad ? `${errors} errors, ${warnings} warnings` : `good, with ${warnings} warnings`;
  print(paint(process.stdout, bad ? 'red' : 'green', text));
}

/** Names written out one by one that are listed; of longer lists the count says more. */
const LISTED = 20;

function tellPatterns(snapshot: Snapshot): void {
  const users = usersBySet(snapshot);
  const bySet = rulesBySet(snapshot);
  snapshot.sets.forEach((destination, set) => {
    const rules = bySet[set]!;
    const who = users[set]!.length === 0 ? 'nobody' : users[set]!.join(', ');
    print(`${paint(process.stdout, 'bold', destination ?? 'on the spot')} (for ${who})`);
    const names = rules.filter((rule) => snapshot.rules.kind[rule] === 0);
    const listed = names.length > LISTED ? rules.filter((rule) => snapshot.rules.kind[rule] !== 0) : rules;
    for (const rule of listed) print(`  ${blastLine(blastRadius(snapshot, rule))}`);
    if (names.length > LISTED) print(`  ${names.length} names, each that name alone`);
  });
}

function blastLine({ rule, matches, bits }: Blast): string {
  const leak = bits === 0 ? '' : `; a question can carry ${bits} bits`;
  return `${rule.pattern.padEnd(40)} ${matches}${leak}${rule.until === null ? '' : `; until ${rule.until}`}`;
}

/** Identities that a set is for, with the stage in brackets where only a stage has it. */
function usersBySet(snapshot: Snapshot): string[][] {
  const users: string[][] = snapshot.sets.map(() => []);
  for (const { name, view, stages } of snapshot.identities) {
    for (const set of view.sets) users[set]!.push(name);
    for (const stage of stages) {
      for (const set of stage.view.sets) if (!view.sets.includes(set)) users[set]!.push(`${name} (${stage.name})`);
    }
  }
  return users;
}

function rulesBySet({ postings, rules, sets }: Snapshot): number[][] {
  const bySet: number[][] = sets.map(() => []);
  for (let at = 0; at < postings.set.length; at++) {
    for (let rule = postings.rule[at]! - 1; rule >= 0; rule = rules.next[rule]! - 1) {
      bySet[postings.set[at]!]!.push(rule);
    }
  }
  for (const list of bySet) list.sort((a, b) => a - b);
  return bySet;
}
