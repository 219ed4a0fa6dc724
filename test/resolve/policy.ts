/** An identity of a test's policy. */
export interface Who {
  /** 127.0.0.1 for the first, 127.0.0.2 for the second, and so on, unless given. */
  readonly from?: readonly string[];
  readonly certificates?: readonly string[];
  /** Patterns, or what `rule` made. */
  readonly allow?: readonly string[];
  readonly exceptions?: readonly string[];
  /** Further lines of the identity, such as `mode: audit`. */
  readonly more?: readonly string[];
}

export interface Rest {
  /** Flow maps such as `{ name: a.example, type: A, data: 192.0.2.1 }`. */
  readonly records?: readonly string[];
  readonly redirects?: readonly string[];
  /** Names by destination; an identity's `allow` names the destination. */
  readonly destinations?: Readonly<Record<string, readonly string[]>>;
}

/** A rule written on the spot, with more keys: `rule('*.a.example', 'types: [TXT]')`. */
export function rule(pattern: string, keys = ''): string {
  const terms = keys === '' ? '' : `, ${keys}`;
  return `{ name: "${pattern}", owner: net-team, reason: test${terms} }`;
}

/** An entry of a destination's names, which has its owner and reason from there. */
export function entry(pattern: string, keys: string): string {
  return `{ name: "${pattern}", ${keys} }`;
}

export function exception(pattern: string, until: string, keys = ''): string {
  const terms = keys === '' ? '' : `, ${keys}`;
  return `{ name: "${pattern}", until: ${until}, reason: test, approved_by: oncall${terms} }`;
}

/** A policy as YAML text. */
export function policy(identities: Readonly<Record<string, Who>>, rest: Rest = {}): string {
  const lines: string[] = [];
  const destinations = Object.entries(rest.destinations ?? {});
  if (destinations.length > 0) lines.push('destinations:');
  for (const [name, names] of destinations) {
    lines.push(`  ${name}:`, '    owner: net-team', '    reason: test', '    names:');
    for (const pattern of names) lines.push(`      - ${pattern.startsWith('{') ? pattern : `"${pattern}"`}`);
  }
  lines.push('identities:');
  Object.entries(identities).forEach(([name, who], index) => {
    const from = who.from ?? [`127.0.0.${index + 1}`];
    lines.push(`  - name: ${name}`, '    owner: team-a', '    review_by: 2027-03-31');
    const quoted = (list: readonly string[]): string => list.map((text) => `"${text}"`).join(', ');
    const certificates =
      who.certificates === undefined ? '' : `, certificates: [${quoted(who.certificates)}]`;
    lines.push(`    from: { addresses: [${quoted(from)}]${certificates} }`);
    lines.push('    allow:');
    const known = destinations.map(([destination]) => destination);
    for (const allowed of who.allow ?? []) {
      const spot = allowed.startsWith('{') || known.includes(allowed) ? allowed : rule(allowed);
      lines.push(`      - ${spot}`);
    }
    if ((who.allow ?? []).length === 0) lines[lines.length - 1] += ' []';
    if (who.exceptions !== undefined)
      lines.push('    exceptions:', ...who.exceptions.map((line) => `      - ${line}`));
    for (const line of who.more ?? []) lines.push(`    ${line}`);
  });
  for (const key of ['records', 'redirects'] as const) {
    const entries = rest[key] ?? [];
    if (entries.length > 0) lines.push(`${key}:`, ...entries.map((line) => `  - ${line}`));
  }
  return `${lines.join('\n')}\n`;
}
