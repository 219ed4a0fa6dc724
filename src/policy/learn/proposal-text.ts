import { typeToText } from '../../wire/iana.ts';
import type { EpochMilliseconds } from '../../wire/quantity.ts';
import { patternText } from '../pattern/pattern.ts';
import type { LeftOut, Proposal, ProposedDomain, ProposedRule, ProposedStage } from './proposal.ts';

/** Repositories that a line names, and characters of each. */
const MOST_REPOSITORIES = 3;
const MOST_CHARACTERS = 80;

/**
 * A proposal as a policy file that stands beside the others: destinations, and what they add to the identity. The evidence is
 * in comments. Whatever jobs chose is written so that it cannot leave its line. `taken`: names of destinations that the policy
 * has elsewhere.
 */
export function proposalText({ identity, stages, left }: Proposal, taken: ReadonlySet<string>): string {
  const names = new Set(taken);
  const rules = stages.flatMap(({ domains }) => domains.flatMap((domain) => domain.rules));
  const lines = [
    `# What ${identity.name} was refused, as a policy beside the present one: ${count(rules.length, 'line')} to be reviewed.`,
    '# Every line says what asked for it. Delete what nobody can explain; wildcards are never proposed.',
    ...leftLines(left),
  ];
  if (rules.length === 0) return `${[...lines, 'destinations: {}'].join('\n')}\n`;
  lines.push('', 'destinations:');
  const additions: string[] = [];
  for (const { stage, domains } of stages) {
    const own = domains.map((domain) => {
      const name = unused(['proposed', identity.name, stage ?? '', domain.domain], names);
      lines.push(...destinationLines(name, domain, identity.name, identity.owner));
      return name;
    });
    additions.push(...additionLines(identity.name, stage, own));
  }
  return `${[...lines, '', 'additions:', ...additions].join('\n')}\n`;
}

function destinationLines(name: string, { rules }: ProposedDomain, who: string, owner: string): string[] {
  const jobs = Math.max(...rules.map((rule) => rule.jobs));
  const first = Math.min(...rules.map((rule) => rule.first));
  const last = Math.max(...rules.map((rule) => rule.last));
  const reason = `asked by up to ${count(jobs, 'job')} of ${who}, ${span(first, last)}; to be reviewed`;
  return [
    `  ${name}:`,
    `    owner: ${JSON.stringify(owner)}`,
    `    reason: ${JSON.stringify(reason)}`,
    '    names:',
    ...rules.flatMap((rule) => [`      # ${evidence(rule)}`, `      - ${ruleText(rule)}`]),
  ];
}

function additionLines(
  identity: string,
  stage: ProposedStage['stage'],
  destinations: readonly string[],
): string[] {
  return [
    `  - identity: ${JSON.stringify(identity)}`,
    ...(stage === null ? [] : [`    stage: ${JSON.stringify(stage)}`]),
    '    allow:',
    ...destinations.map((name) => `      - ${name}`),
  ];
}

/** JSON is YAML, and quotes what YAML would read otherwise. */
function ruleText({ pattern, types }: ProposedRule): string {
  // A star is an octet that a job chose. Written as such it would look like a wildcard to whoever reads.
  const name = JSON.stringify(patternText(pattern).replaceAll('\\*', '\\042'));
  return types === null ? name : `{ name: ${name}, types: [${types.map(typeToText).join(', ')}] }`;
}

function evidence({ pattern, jobs, questions, first, last, names, repositories }: ProposedRule): string {
  const parts = [`${count(jobs, 'job')}, ${count(questions, 'question')}, ${span(first, last)}`];
  if (repositories.length > 0) {
    const shown = repositories.slice(0, MOST_REPOSITORIES).map(harmless).join(', ');
    const more = repositories.length - MOST_REPOSITORIES;
    parts.push(more > 0 ? `${shown} and ${more} more` : shown);
  }
  if (pattern.kind === 'family') {
    const all = pattern.high - pattern.low + 1;
    const bits = Math.ceil(Math.log2(all));
    parts.push(`${names} of its ${all} names were asked; a question can carry ${count(bits, 'bit')}`);
  }
  return parts.join('; ');
}

const LEFT: Record<LeftOut, string> = {
  once: 'that one job alone asked (--once proposes them)',
  noise: 'made by the search list',
  expected: 'that the policy expects to be denied',
  special: 'of special names, which nobody can approve',
  unproven: 'whose source anybody may have forged',
  folded: 'that stand for many names of one job, which are not known one by one',
  type: 'of types that no rule approves',
  name: 'that cannot be read',
};

function leftLines(left: Proposal['left']): string[] {
  return (Object.keys(LEFT) as LeftOut[])
    .filter((why) => left[why] > 0)
    .map((why) => `# Left out: ${count(left[why], 'row')} ${LEFT[why]}.`);
}

/** A name that is letters, digits, `-` and `_`, and that nobody has. */
function unused(parts: readonly string[], names: Set<string>): string {
  const wish = parts
    .filter((part) => part !== '')
    .join('-')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/-+$/, '');
  let name = wish;
  for (let n = 2; names.has(name); n++) name = `${wish}-${n}`;
  names.add(name);
  return name;
}

/** What a job said of itself, so that it stays in its comment. */
function harmless(text: string): string {
  return text.replace(/[^A-Za-z0-9._/@:-]/g, '?').slice(0, MOST_CHARACTERS);
}

function span(first: EpochMilliseconds, last: EpochMilliseconds): string {
  const [from, to] = [day(first), day(last)];
  return from === to ? from : `${from} to ${to}`;
}

function day(milliseconds: EpochMilliseconds): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
