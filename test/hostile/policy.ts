/** One identity of a policy. */
export interface Governed {
  readonly name: string;
  /** Addresses and prefixes. */
  readonly from: readonly string[];
  /** Patterns, or whole entries of YAML. */
  readonly allow: readonly string[];
  /** More keys, as lines of YAML. */
  readonly more?: readonly string[];
}

/** YAML of a policy of these identities, all of them owned and reviewed. */
export function policyOf(...identities: readonly Governed[]): string {
  const entry = (pattern: string): string =>
    pattern.startsWith('{') ? pattern : `{ name: "${pattern}", reason: what it needs }`;
  const lines = identities.flatMap(({ name, from, allow, more = [] }) => [
    `  - name: ${name}`,
    '    owner: team',
    '    review_by: 2099-01-01',
    ...more.map((line) => `    ${line}`),
    `    from: { addresses: ${JSON.stringify(from)} }`,
    '    allow:',
    ...allow.map((pattern) => `      - ${entry(pattern)}`),
  ]);
  return `identities:\n${lines.join('\n')}\n`;
}

/** The identity that works while others attack. */
export const JOB: Governed = { name: 'job', from: ['127.0.0.1'], allow: ['*.good.example'] };
