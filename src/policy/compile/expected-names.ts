import { labelOffsets, nameToText } from '../../wire/name.ts';
import { type EpochSeconds, unreachable } from '../../wire/quantity.ts';
import { approvesName } from '../decide/beside.ts';
import type { IdentityInput, RuleInput } from '../input.ts';
import { type Pattern, patternText } from '../pattern/pattern.ts';
import { type SuffixTable, zoneKind } from '../pattern/suffix.ts';
import { error, type Problem, warning } from '../problem.ts';
import type { ExpectedName, Identity, RuleTree, Snapshot, View } from '../snapshot.ts';
import { viewId } from './content-hash.ts';
import { Rulebook } from './rulebook.ts';
import { specialAt } from './vet.ts';
import { familyNames } from './written-out.ts';

/**
 * Compiles what identities expect to be denied into a tree of its own, for it approves nothing and must not count as rules.
 * Gives the tree, null where nobody expects anything, and by identity the view of it.
 */
export function compileExpected(
  identities: readonly IdentityInput[],
  suffixes: SuffixTable,
  options: { readonly now: EpochSeconds; readonly salt: number },
  problems: Problem[],
): { readonly tree: RuleTree | null; readonly views: readonly (View | null)[] } {
  if (identities.every(({ expected }) => expected.length === 0)) {
    return { tree: null, views: identities.map(() => null) };
  }
  const book = new Rulebook(options.salt);
  const sets = identities.map(({ expected }) => {
    if (expected.length === 0) return null;
    const set = book.openSet(null);
    for (const rule of expected) {
      vetExpected(rule, suffixes, options.now, problems);
      book.add(rule.pattern, rule.terms, rule.at.file, rule.at.line);
    }
    book.closeSet([]);
    return set;
  });
  const views = sets.map((set): View | null => {
    if (set === null) return null;
    const own = Uint32Array.of(set);
    const dynamic = new Uint8Array(1);
    return { id: viewId(book.hashes, own, dynamic), sets: own, dynamic };
  });
  return { tree: { tree: book.tree.done(), ...book.done() }, views };
}

/** What an identity expects, for people. */
export function expectedNames({ expected }: IdentityInput): ExpectedName[] {
  return expected.map(({ pattern, terms: { reason, owner, until } }) => ({
    name: patternText(pattern),
    reason,
    until,
    owner,
  }));
}

function vetExpected(
  { pattern, terms, at }: RuleInput,
  suffixes: SuffixTable,
  now: EpochSeconds,
  problems: Problem[],
): void {
  const text = patternText(pattern);
  const base = pattern.kind === 'exact' ? pattern.name : pattern.base;
  const special = specialAt(base);
  if (special !== null) {
    const message = `${text} belongs to ${special}, which namegate answers by itself`;
    problems.push(warning('special-name', at, message, 'delete it: it changes nothing'));
    return;
  }
  if (terms.until <= now) {
    const message = `${text} was expected until ${new Date(terms.until * 1000).toISOString()}, and its denials are news again`;
    problems.push(warning('expected-ended', at, message, 'delete it, or write a later `until`'));
  }
  const wildcard = pattern.kind === 'star' || pattern.kind === 'globstar';
  if (wildcard && zoneKind(base, suffixes) !== 'own') {
    const message = `${text} would hide names of strangers: anyone can have one under ${nameToText(base)}`;
    problems.push(error('expected-wide', at, message, 'name the hosts that are expected'));
  }
}

/** Warns of what is expected to be denied and never is, since the identity approves it at all of its stages. */
export function checkExpected(
  inputs: readonly IdentityInput[],
  snapshot: Snapshot,
  now: EpochSeconds,
  problems: Problem[],
): void {
  inputs.forEach(({ expected }, index) => {
    const identity = snapshot.identities[index]!;
    for (const { pattern, at } of expected) {
      if (!samples(pattern).every((name) => isApprovedEverywhere(snapshot, identity, name, now))) continue;
      const message = `${patternText(pattern)} is approved for ${identity.name}, and is never denied`;
      problems.push(warning('expected-approved', at, message, 'delete it here, or delete the rule'));
    }
  });
}

/** A lease without a stage begins at the first; who has no lease has what the identity has without one. */
function isApprovedEverywhere(
  snapshot: Snapshot,
  identity: Identity,
  name: Uint8Array,
  now: EpochSeconds,
): boolean {
  const subject = { name, labels, labelCount: labelOffsets(name, labels) };
  return [identity, ...identity.stages].every(({ view }) => approvesName(snapshot, view, subject, now));
}

const labels = new Uint8Array(128);

/** Names that stand for a pattern: where all are approved, it is taken to be. */
function samples(pattern: Pattern): Uint8Array[] {
  const one = Uint8Array.of(1, 0x78);
  switch (pattern.kind) {
    case 'exact':
      return [pattern.name];
    case 'family':
      return [
        ...familyNames({ ...pattern, high: pattern.low }),
        ...familyNames({ ...pattern, low: pattern.high }),
      ];
    case 'star':
      return [Uint8Array.from([...one, ...pattern.base])];
    case 'globstar':
      return [Uint8Array.from([...one, ...pattern.base]), Uint8Array.from([...one, ...one, ...pattern.base])];
    default:
      unreachable(pattern);
  }
}
