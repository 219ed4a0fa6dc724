/**
 * A policy as its YAML says it, for the oracles: `reference.ts` reads it with the words of docs/policy.md, `layout.ts` writes it down for
 * the code under test. Names and patterns are text as a policy file has them, escapes included.
 */

/** What a rule may say beside its pattern; a destination has the same keys as defaults. Missing: not written. */
export interface Terms {
  readonly types?: readonly string[];
  /** Seconds since 1970. */
  readonly until?: number;
  readonly private?: true | readonly string[];
  readonly maxLabels?: number;
  readonly maxLabelLength?: number;
}

export interface Rule extends Terms {
  readonly pattern: string;
}

export interface Destination extends Terms {
  readonly name: string;
  readonly names: readonly Rule[];
  /** Lines of a file that `names_from` names: patterns alone. */
  readonly list: readonly Rule[];
}

/** A destination's name, or a rule written on the spot. */
export type Entry = string | Rule;

export interface Stage {
  readonly name: string;
  /** `only` drops the identity's own list, `allow` adds to it. */
  readonly kind: 'allow' | 'only';
  readonly entries: readonly Entry[];
}

export interface Identity {
  readonly name: string;
  /** CIDRs. */
  readonly addresses: readonly string[];
  readonly allow: readonly Entry[];
  readonly stages: readonly Stage[];
  readonly exceptions: readonly Rule[];
  /** Seconds since 1970; without it the mode is `enforce`. */
  readonly auditUntil?: number;
}

export interface LocalRecord {
  readonly name: string;
  readonly type: string;
  readonly data: string;
}

export interface Redirect {
  readonly name: string;
  readonly to: string;
  readonly private?: true | readonly string[];
}

export interface Policy {
  readonly destinations: readonly Destination[];
  readonly identities: readonly Identity[];
  readonly records: readonly LocalRecord[];
  readonly redirects: readonly Redirect[];
}

/** Every rule of a policy, in the order of the file. */
export function rulesOf({ destinations, identities }: Policy): Rule[] {
  const onTheSpot = (entries: readonly Entry[]): Rule[] =>
    entries.filter((entry) => typeof entry !== 'string');
  return [
    ...destinations.flatMap(({ names, list }) => [...names, ...list]),
    ...identities.flatMap(({ allow, stages, exceptions }) => [
      ...onTheSpot(allow),
      ...stages.flatMap(({ entries }) => onTheSpot(entries)),
      ...exceptions,
    ]),
  ];
}
