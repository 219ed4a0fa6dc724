import type { Random } from './random.ts';

/**
 * Policies as data, with a second reading of what they approve: plain and slow, for the leak oracle to hold the server
 * to. Names are in lower case with a final dot.
 */

export type Pattern =
  | { readonly kind: 'exact'; readonly name: string }
  | { readonly kind: 'star' | 'globstar'; readonly base: string }
  | {
      readonly kind: 'family';
      readonly prefix: string;
      readonly low: number;
      readonly high: number;
      readonly base: string;
    };

export interface Rule {
  readonly pattern: Pattern;
  /** Null: the default of the pattern's kind. */
  readonly types: readonly string[] | null;
  readonly private: boolean;
}

export interface Variant {
  /** By identity. */
  readonly rules: readonly (readonly Rule[])[];
  /** Names with an A record of our own, and its address. */
  readonly records: ReadonlyMap<string, string>;
  readonly redirects: ReadonlyMap<string, string>;
}

export const IDENTITIES = ['alpha', 'beta'] as const;

const HOSTS = 24;

/** Names that some policy may approve; what else is asked about is made up by the clients. */
export const NAMES: readonly string[] = [
  ...['h', 'p', 'c', 'm', 's'].flatMap((letter) =>
    Array.from({ length: HOSTS }, (_, i) => `${letter}${i}.pool.example.`),
  ),
  ...Array.from({ length: 12 }, (_, i) => `n${i}.family.example.`),
  ...Array.from({ length: 6 }, (_, i) => `host.w${i}.example.`),
  ...Array.from({ length: 6 }, (_, i) => `a.b.w${i}.example.`),
  ...Array.from({ length: 6 }, (_, i) => `l${i}.local.example.`),
  ...Array.from({ length: 6 }, (_, i) => `r${i}.moved.example.`),
];

/** A policy of which each name is approved now and then, for one identity, both or none. */
export function makeVariant(random: Random): Variant {
  const rule = (pattern: Pattern): Rule => ({
    pattern,
    types: random.once(3) ? ['A', 'MX', 'SRV', 'TXT', 'HTTPS'] : null,
    private: random.once(3),
  });
  const rules = IDENTITIES.map(() => {
    const own = NAMES.filter(() => random.once(4)).map((name) => rule({ kind: 'exact', name }));
    for (let i = 0; i < 6; i++) {
      if (random.once(3))
        own.push(rule({ kind: random.once(2) ? 'star' : 'globstar', base: `w${i}.example.` }));
    }
    const low = random.below(8);
    own.push(
      rule({ kind: 'family', prefix: 'n', low, high: low + random.below(4), base: 'family.example.' }),
    );
    return own;
  });
  const records = new Map<string, string>();
  const redirects = new Map<string, string>();
  for (let i = 0; i < 6; i++) {
    if (random.once(2)) records.set(`l${i}.local.example.`, `192.0.2.${random.below(200)}`);
    if (random.once(2)) {
      redirects.set(
        `r${i}.moved.example.`,
        random.once(2) ? `h${i}.pool.example.` : `mirror${i}.behind.example.`,
      );
    }
  }
  return { rules, records, redirects };
}

/** The policy as YAML. `padding`: rules that approve nothing that anybody asks about, so that their number tells variants apart. */
export function variantYaml({ rules, records, redirects }: Variant, padding: number): string {
  const entry = ({ pattern, types, private: grant }: Rule): string =>
    `      - { name: "${patternText(pattern)}", reason: test${types === null ? '' : `, types: [${types.join(', ')}]`}${grant ? ', private: true' : ''} }`;
  const pads = Array.from(
    { length: padding },
    (_, i) => `      - { name: pad${i}.padding.example, reason: padding }`,
  );
  return [
    'identities:',
    ...IDENTITIES.flatMap((name, i) => [
      `  - name: ${name}`,
      `    owner: team-${name}`,
      '    review_by: 2099-01-01',
      `    from: { addresses: [127.0.0.${11 + i}] }`,
      '    allow:',
      ...rules[i]!.map(entry),
      ...(i === 0 ? pads : []),
    ]),
    'records:',
    // One that stands always, so that the list is never empty.
    '  - { name: always.local.example, type: A, data: 192.0.2.250 }',
    ...[...records].map(([name, data]) => `  - { name: ${bare(name)}, type: A, data: ${data} }`),
    'redirects:',
    '  - { name: always.moved.example, to: always.local.example }',
    ...[...redirects].map(([name, to]) => `  - { name: ${bare(name)}, to: ${bare(to)} }`),
    '',
  ].join('\n');
}

export function countRules({ rules }: Variant): number {
  return rules.flat().length;
}

function patternText(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'exact':
      return bare(pattern.name);
    case 'family':
      return `${pattern.prefix}{${pattern.low}..${pattern.high}}.${bare(pattern.base)}`;
    default:
      return `${pattern.kind === 'star' ? '*' : '**'}.${bare(pattern.base)}`;
  }
}

function bare(name: string): string {
  return name.replace(/\.$/, '');
}

function matches(pattern: Pattern, name: string): boolean {
  switch (pattern.kind) {
    case 'exact':
      return name === pattern.name;
    case 'family': {
      const match = /^([a-z]+)(0|[1-9]\d*)\.(.*)$/.exec(name);
      if (match === null || match[1] !== pattern.prefix || match[3] !== pattern.base) return false;
      return Number(match[2]) >= pattern.low && Number(match[2]) <= pattern.high;
    }
    default: {
      const front = name.endsWith(`.${pattern.base}`) ? name.slice(0, -pattern.base.length - 1) : '';
      return front !== '' && (pattern.kind === 'globstar' || !front.includes('.'));
    }
  }
}

function approvesType({ pattern, types }: Rule, type: string): boolean {
  if (types !== null) return types.includes(type);
  const written = pattern.kind === 'exact' || pattern.kind === 'family';
  return ['A', 'AAAA', 'CNAME'].includes(type) || (written && type === 'HTTPS');
}

/** Rules of an identity that approve the question. */
export function approving(variant: Variant, identity: number, name: string, type: string): Rule[] {
  return variant.rules[identity]!.filter((rule) => matches(rule.pattern, name) && approvesType(rule, type));
}

export function approvesName(variant: Variant, identity: number, name: string): boolean {
  return variant.rules[identity]!.some(({ pattern }) => matches(pattern, name));
}

/** Whether restricted addresses may be in the answer: the most specific approving rule says so. */
export function grantsPrivate(variant: Variant, identity: number, name: string, type: string): boolean {
  const order = ['exact', 'family', 'star', 'globstar'];
  const rules = approving(variant, identity, name, type);
  const best = Math.min(...rules.map(({ pattern }) => order.indexOf(pattern.kind)));
  // Equally specific rules of one identity end together here: any of them may have decided.
  return rules.some((rule) => order.indexOf(rule.pattern.kind) === best && rule.private);
}

/** Whether the name, or one below it, is written out: what a validator may ask DS and DNSKEY of. */
export function isInTree(variant: Variant, identity: number, name: string): boolean {
  return variant.rules[identity]!.some(({ pattern }) => {
    const top = pattern.kind === 'exact' ? pattern.name : pattern.base;
    return matches(pattern, name) || name === '.' || top === name || top.endsWith(`.${name}`);
  });
}

/** Where a local name's redirects end, or the name itself. */
export function redirected({ redirects }: Variant, name: string): string {
  return redirects.get(name) ?? name;
}

export function isLocal({ records, redirects }: Variant, name: string): boolean {
  return records.has(name) || redirects.has(name);
}

/** Whether the question may be on its way upstream for this identity under this policy. */
export function mayGoUpstream(variant: Variant, identity: number, name: string, type: string): boolean {
  if (!isLocal(variant, name) && approving(variant, identity, name, type).length > 0) return true;
  if ((type === 'DS' || type === 'DNSKEY') && isInTree(variant, identity, name)) return true;
  return [...variant.redirects].some(
    ([from, to]) =>
      to === name && approving(variant, identity, from, type).length > 0 && !isLocal(variant, to),
  );
}
