import type { FailedDependency, Report, ReportRow, Section } from '../../history/report.ts';
import type { DirectRow } from '../../history/report-direct.ts';
import { unreachable } from '../../wire/quantity.ts';

/** What sections of a report are called, in its order. */
export const TITLES: Readonly<Record<Section, string>> = {
  unapproved: 'Unapproved names',
  unproven: 'Unapproved, and the client did not prove its address',
  contained: 'Contained: their budget is used up',
  empty: 'Approved names, types that are not',
  would_deny: 'Would be denied (audit)',
  expected: 'Denied, as was expected',
  noise: 'Noise of search lists',
  allowed: 'Allowed',
};

/** Sections that a count alone says enough of. */
export const COUNTED: ReadonlySet<Section> = new Set(['noise', 'allowed']);

/** A name as people read it. */
export function nameOf({ name, folded }: ReportRow): string {
  if (!folded) return name;
  return name === '.' ? 'names of many other domains' : `names under ${name}`;
}

/** What a person can do about a row; empty for nothing. */
export function remedyOf(row: ReportRow, section: Section, { identities, ask }: Report): readonly string[] {
  const [identity = ''] = identities;
  const { name, folded, types, approved_stage: other, ground } = row;
  switch (section) {
    case 'unapproved':
    case 'unproven':
    case 'would_deny': {
      // No pattern approves a name of other octets.
      if (folded || !/^[a-z0-9_.-]+$/.test(name)) return ask === '' ? [] : [`ask ${ask}`];
      const where =
        ground === 'other_stage'
          ? [
              other === undefined
                ? "approved by the identity's own list, and not at this stage"
                : `approved at stage ${other}`,
            ]
          : [];
      const strange = types.filter((type) => !USUAL_TYPES.includes(type));
      const typed = strange.length === 0 ? '' : ` --type ${typesFor(types).join(' ')}`;
      return [
        ...where,
        ...(ask === '' ? [] : [`ask ${ask}`]),
        // What begins as an option does is written as a rule alone.
        ...(name.startsWith('-')
          ? []
          : [
              `namegate exception add ${shellWord(name)} --identity ${shellWord(identity)} --ttl 4h --reason TEXT${typed}`,
            ]),
        ruleText(row, strange.length === 0 ? [] : typesFor(types), identity),
      ];
    }
    case 'empty':
      if (!/^[a-z0-9_.-]+$/.test(name)) return [];
      return [ruleText(row, typesFor([...USUAL_TYPES, ...types]), identity)];
    case 'contained':
      return [
        ...(ask === '' ? [] : [`ask ${ask}`]),
        `where so many names are right, write a wider budget: on the rule${row.rule === undefined ? '' : ` at ${row.rule}`}`,
      ];
    case 'expected':
    case 'noise':
    case 'allowed':
      return [];
    default:
      return unreachable(section);
  }
}

/** Types that a name written out has without `types:`. */
const USUAL_TYPES: readonly string[] = ['A', 'AAAA', 'CNAME', 'HTTPS'];

/** What a rule must have for these types: who asks for one address type asks for the others as well. */
function typesFor(types: readonly string[]): string[] {
  const usual = types.some((type) => USUAL_TYPES.includes(type)) ? USUAL_TYPES : [];
  return [...new Set([...usual, ...types])];
}

/** A line of the policy, with where it belongs. */
function ruleText({ name, stage }: ReportRow, types: readonly string[], identity: string): string {
  const typed = types.length === 0 ? '' : ` types: [${types.join(', ')}],`;
  const where = stage === '' ? identity : `stage ${stage} of ${identity}`;
  return `- { name: ${JSON.stringify(name)},${typed} reason: TEXT } # under allow: of ${where}`;
}

function shellWord(text: string): string {
  return /^[\w.*-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

/** How many servers told all, or what may be missing. */
export function completeText({ complete, missing, servers }: Report): string {
  const of = `${servers.complete} of ${servers.asked} ${servers.asked === 1 ? 'server' : 'servers'}`;
  const why = [...missing, ...servers.silent.map((one) => `no answer from ${one}`)];
  return complete ? `complete: ${of}` : `complete: no, ${of} (${why.join('; ')})`;
}

/** Why a name was refused; empty where nothing is to be said beside that nobody approves it. */
export function groundText({ ground, verdict }: ReportRow): string {
  if (verdict === 'allow' || verdict === 'local') return '';
  if (verdict === 'contain')
    return 'a rule approves it, and its budget is used up: ever new names may carry data out';
  return GROUNDS[ground] ?? ground;
}

const GROUNDS: Readonly<Record<string, string>> = {
  nothing: 'no rule approves it',
  rule: 'a rule approves it, for other types',
  above: 'only names below it are approved',
  special: 'a name that nobody can approve',
  ended: 'the rule that approved it has ended',
  other_stage: 'approved at another stage',
  beside: 'a pattern just misses it',
  character: 'a wildcard matches but for a character that host names do not have',
};

/** What a person should know beside the rows, a line each. */
export function noteLines(report: Report): string[] {
  const { near_budget: near, without_tcp: without, search_hint: hint, left_out: leftOut } = report;
  return [
    ...(report.identities.includes('unknown') && report.identities.length > 1
      ? ['identity unknown: asked while no lease of the address was live; nothing is approved then']
      : []),
    ...near.map(
      ({ wildcard, subject, spent, contain, names_left: left }) =>
        `near the end of its budget: ${wildcard}, ${spent} of ${contain} octets (${subject}); about ${left} new names are left`,
    ),
    ...(without.length === 0
      ? []
      : [
          `without TCP: ${without.join(', ')}: the resolver was sent to TCP and did not come, so nobody knows who asked; give it one that has TCP`,
        ]),
    ...(hint === null ? [] : [`these look like a search list; write on the identity: ${hint}`]),
    ...(leftOut === 0 ? [] : [`${leftOut} more rows are left out; totals are of all`]),
  ];
}

export function headLines(report: Report): string[] {
  const { identities, leases, policies, audit_until: until, job } = report;
  const jobText = Object.entries(job)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
  return [
    `identity ${identities.join(', ')}${leases.length === 0 ? '' : `; lease ${few(leases)}`}`,
    ...(jobText === '' ? [] : [`job ${jobText}`]),
    [
      completeText(report),
      ...(policies.length === 0 ? [] : [`policy ${few(policies)}`]),
      ...(until === null ? [] : [`audit until ${until}`]),
    ].join('; '),
  ];
}

function few(texts: readonly string[]): string {
  return texts.length <= 3
    ? texts.join(', ')
    : `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more`;
}

export const DIRECT_TITLE = 'Addresses that no answer gave';

export function directText({
  address,
  protocol,
  port,
  count,
  proven,
  granted_name: name,
}: DirectRow): string {
  const where =
    address === '' ? 'many other addresses' : `${address} ${protocol}${port === 0 ? '' : `/${port}`}`;
  const whose = name === undefined ? '' : `, which was ${name} last`;
  return `${where}${whose}: refused ${timesText(count)}${proven ? '' : ', and another may have sent it'}`;
}

export function directRemedy({ granted_name: name }: DirectRow, { ask }: Report): string {
  const first = name === undefined ? 'let the program ask for a name' : `let the program ask for ${name}`;
  return `${first}; where the name is not approved, ask ${ask === '' ? 'for it' : ask}`;
}

export const FAILED_TITLE = 'Approved names that failed upstream';

export function failedText({ name, since, until }: FailedDependency): string {
  return `${name}: ${until === null ? `fails since ${since}` : `failed from ${since} to ${until}`}`;
}

export function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

export function countText({
  names,
  questions,
}: {
  readonly names: number;
  readonly questions: number;
}): string {
  return `${names} ${names === 1 ? 'name' : 'names'}, ${questions} ${questions === 1 ? 'question' : 'questions'}`;
}
