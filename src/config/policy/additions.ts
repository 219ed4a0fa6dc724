import type { EntryInput, IdentityInput } from '../../policy/input.ts';
import type { Position } from '../../policy/problem.ts';
import type { Problems } from '../problems.ts';
import type { PolicyFile } from '../schema/policy-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { quote } from '../units.ts';
import { isIdentifier, type PolicyContext } from './rules.ts';

/** Destinations that one file of a policy adds to an identity of another. */
export interface Addition {
  readonly identity: string;
  readonly at: Position;
  /** Null for the identity's own list. */
  readonly stage: string | null;
  readonly stageAt: Position;
  readonly entries: readonly EntryInput[];
}

type Written = NonNullable<NonNullable<Repaired<PolicyFile>['additions']>[number]>;

export function readAddition(written: Written | undefined, { marks, problems }: PolicyContext): Addition[] {
  if (written?.identity === undefined) return [];
  const entries = (written.allow ?? []).flatMap((name, index): EntryInput[] => {
    if (name === undefined) return [];
    const at = marks.value(written.allow!, index);
    if (isIdentifier(name)) return [{ destination: name, at }];
    const message = `${quote(name)} is no name of a destination`;
    problems.error('allow-pattern', at, message, 'put it into a destination, and name that');
    problems.lose();
    return [];
  });
  const at = marks.value(written, 'identity');
  const stageAt = written.stage === undefined ? at : marks.value(written, 'stage');
  return [{ identity: written.identity, at, stage: written.stage ?? null, stageAt, entries }];
}

/** The identities with what other files add to them. `whole`: every file could be read, so what is missing is missing. */
export function withAdditions(
  identities: readonly IdentityInput[],
  additions: readonly Addition[],
  whole: boolean,
  problems: Problems,
): readonly IdentityInput[] {
  if (additions.length === 0) return identities;
  const byName = new Map(identities.map((identity) => [identity.name, identity]));
  for (const { identity: name, at, stage, stageAt, entries } of additions) {
    const identity = byName.get(name);
    if (identity === undefined) {
      if (whole) problems.error('addition-unknown', at, `there is no identity ${name}`, known(byName.keys()));
      continue;
    }
    if (stage === null) {
      byName.set(name, { ...identity, allow: [...identity.allow, ...entries] });
      continue;
    }
    const stages = identity.stages.map((each) =>
      each.name === stage ? { ...each, entries: [...each.entries, ...entries] } : each,
    );
    if (identity.stages.some((each) => each.name === stage)) byName.set(name, { ...identity, stages });
    else {
      const message = `${name} has no stage ${stage}`;
      problems.error('addition-unknown', stageAt, message, known(identity.stages.map((each) => each.name)));
    }
  }
  // Two identities of one name are a problem of their own.
  return identities.map((identity, index) =>
    identities.findIndex((each) => each.name === identity.name) === index
      ? byName.get(identity.name)!
      : identity,
  );
}

function known(names: Iterable<string>): string {
  const list = [...names].slice(0, 10).join(', ');
  return list === '' ? 'remove it' : `write one of: ${list}`;
}
