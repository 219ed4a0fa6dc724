import { Command } from 'commander';
import type { DynamicException } from '../../config/policy/exceptions.ts';
import { type IdentityUse, type RuleUse, readUse } from '../../history/review-rows.ts';
import { isoTime } from '../../policy/explain/rule-text.ts';
import type { Identity, Snapshot } from '../../policy/snapshot.ts';
import type { EpochMilliseconds, Milliseconds } from '../../wire/quantity.ts';
import { HISTORY_HELP, historyPath } from '../learn/history-place.ts';
import { liveClient, liveExceptions } from '../policy/explain-lease.ts';
import { exceptionRules, viewRules } from '../policy/patterns.ts';
import { policyInForce } from '../policy/policy-in-force.ts';
import { tableLines } from '../table.ts';
import { CONFIG_HELP, count, EXIT_PROBLEMS, escapeText, type Terminal } from '../terminal.ts';

/** A rule that was used longer ago than this is a candidate to be revoked. */
const UNUSED_MS: Milliseconds = 30 * 86_400_000;

interface ReviewOptions {
  readonly config?: string;
  readonly identity?: string;
  readonly history?: string;
  readonly json?: boolean;
}

interface ReviewedRule {
  readonly pattern: string;
  readonly destination: string | null;
  readonly at: string;
  readonly owner: string;
  readonly reason: string;
  readonly until: string | null;
  /** RFC 3339; null where the history has no use of it. */
  readonly last_used: string | null;
  readonly jobs: number;
  /** It is an exception: of the policy, or of the admin API. */
  readonly exception: boolean;
  readonly unused: boolean;
}

interface Reviewed {
  readonly identity: string;
  readonly owner: string;
  readonly review_by: string | null;
  readonly last_asked: string | null;
  readonly jobs: number;
  readonly refused: IdentityUse['refused'];
  readonly rules: readonly ReviewedRule[];
}

/** What of the policy is used: for whoever reviews it. */
export function reviewVerb(terminal: Terminal): Command {
  return new Command('review')
    .description('Print what of the policy is used, when last and by how many jobs, and what is not.')
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--identity <name>', 'one identity')
    .option('--history <file>', HISTORY_HELP)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ namegate review\n  $ namegate review --identity payments-build --json',
    )
    .action(async (options: ReviewOptions) => {
      terminal.code = review(terminal, options, await liveExceptions(liveClient(options.config)));
    });
}

function review(terminal: Terminal, options: ReviewOptions, exceptions: readonly DynamicException[]): number {
  const { config, identity: only, history, json } = options;
  const now = Date.now();
  const loaded = policyInForce(terminal, 'review', config, now, exceptions);
  if (typeof loaded === 'number') return loaded;
  const { snapshot, settings } = loaded;
  const place = historyPath(history, settings?.state ?? null);
  if (typeof place === 'string') return terminal.usage('review', place);
  const wanted = snapshot.identities.filter(({ name }) => only === undefined || name === only);
  if (wanted.length === 0) return terminal.usage('review', `there is no identity ${only}`);
  let use: ReturnType<typeof readUse>;
  try {
    use = readUse(place.path);
  } catch (error) {
    terminal.complain(`namegate review: ${escapeText((error as Error).message)}`);
    return EXIT_PROBLEMS;
  }
  const used = new Map(use.rules.map((rule) => [`${rule.identity} ${rule.pattern}`, rule]));
  const all = wanted.map((identity) =>
    reviewed(
      snapshot,
      identity,
      use.identities.find((one) => one.identity === identity.name),
      used,
      now,
    ),
  );
  if (json === true) terminal.print(JSON.stringify({ identities: all }));
  else for (const each of all) print(terminal, each);
  return 0;
}

function reviewed(
  snapshot: Snapshot,
  identity: Identity,
  use: IdentityUse | undefined,
  used: ReadonlyMap<string, RuleUse>,
  now: EpochMilliseconds,
): Reviewed {
  const { name, owner, reviewBy, view, stages } = identity;
  const excepted = new Set(exceptionRules(snapshot, view).map(({ pattern }) => pattern));
  const rules = viewRules(snapshot, [view, ...stages.map((stage) => stage.view)]).map((rule) => {
    const { pattern, destination, file, line, owner: whose, reason, until } = rule;
    const found = used.get(`${name} ${pattern}`);
    return {
      pattern,
      destination,
      at: `${file}:${line}`,
      owner: whose,
      reason,
      until,
      last_used: found === undefined ? null : new Date(found.last).toISOString(),
      jobs: found?.jobs ?? 0,
      exception: excepted.has(pattern),
      unused: found === undefined || found.last < now - UNUSED_MS,
    };
  });
  return {
    identity: name,
    owner,
    review_by: reviewBy === null ? null : isoTime(reviewBy),
    last_asked: use === undefined ? null : new Date(use.last).toISOString(),
    jobs: use?.jobs ?? 0,
    refused: use?.refused ?? [],
    rules,
  };
}

const HEADING = ['PATTERN', 'DESTINATION', 'LAST USED', 'JOBS', 'OWNER', 'UNTIL', 'AT', 'REASON'];

function print(terminal: Terminal, each: Reviewed): void {
  const { identity, owner, review_by: review, last_asked: last, jobs, refused, rules } = each;
  terminal.print(terminal.paint('bold', escapeText(identity)));
  terminal.print(
    escapeText(
      `owner ${owner}; review by ${review ?? 'never'}; asked last ${last ?? 'never'}, by ${count(jobs, 'job')}`,
    ),
  );
  for (const { stage, names, questions } of refused) {
    const where = stage === '' ? '' : ` at stage ${stage}`;
    terminal.print(escapeText(`refused${where}: ${count(names, 'name')}, ${count(questions, 'question')}`));
  }
  const rows = rules.map((rule) => [
    rule.pattern,
    rule.destination ?? '-',
    rule.last_used ?? 'never',
    String(rule.jobs),
    rule.owner,
    rule.until ?? '-',
    rule.at,
    rule.reason,
  ]);
  if (rows.length > 0) terminal.print(tableLines(terminal, HEADING, rows).join('\n'));
  const never = rules
    .filter((rule) => rule.exception && rule.last_used === null)
    .map(({ pattern }) => pattern);
  if (never.length > 0) terminal.print(escapeText(`exceptions that were never used: ${never.join(', ')}`));
  const unused = rules.filter((rule) => rule.unused && !rule.exception).map(({ pattern }) => pattern);
  if (unused.length > 0)
    terminal.print(escapeText(`unused for 30 days, candidates to revoke: ${unused.join(', ')}`));
  terminal.print('');
}
