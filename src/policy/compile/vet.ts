import { isAtOrUnder, labelOffsets, nameToText } from '../../wire/name.ts';
import { type EpochSeconds, unreachable } from '../../wire/quantity.ts';
import { approvesName } from '../decide/beside.ts';
import type { PolicyInput, RuleTerms } from '../input.ts';
import { type Pattern, patternText } from '../pattern/pattern.ts';
import { type SuffixTable, zoneKind } from '../pattern/suffix.ts';
import { error, type Position, type Problem, warning } from '../problem.ts';
import type { Snapshot } from '../snapshot.ts';
import { OWN_ZONE, SPECIAL_NAMES } from '../special.ts';

/** Looks at one rule for what its author would not want: reach, special names, an end that has passed. */
export function checkRule(
  pattern: Pattern,
  terms: RuleTerms,
  at: Position,
  suffixes: SuffixTable,
  now: EpochSeconds,
  problems: Problem[],
): void {
  const base = pattern.kind === 'exact' ? pattern.name : pattern.base;
  const special = specialAt(base);
  if (special !== null) {
    const message = `${patternText(pattern)} belongs to ${special}, which namegate answers by itself`;
    // An exception is somebody's decision: that it changes nothing must be told to who makes it.
    const harmless =
      terms.approvedBy === null && (special === 'localhost' || special === 'use-application-dns.net');
    problems.push(
      harmless
        ? warning('special-name', at, message, 'delete it: it changes nothing')
        : error('special-name', at, message, 'delete it: it cannot be approved'),
    );
    return;
  }
  if (terms.until <= now) {
    const message = `${patternText(pattern)} ended at ${new Date(terms.until * 1000).toISOString()}`;
    problems.push(warning('rule-ended', at, message, 'delete it, or write a later `until`'));
  }
  if (pattern.kind === 'star' || pattern.kind === 'globstar')
    checkReach(pattern, terms, at, suffixes, problems);
}

function checkReach(
  pattern: Pattern & { kind: 'star' | 'globstar' },
  terms: RuleTerms,
  at: Position,
  suffixes: SuffixTable,
  problems: Problem[],
): void {
  const text = patternText(pattern);
  const zone = nameToText(pattern.base);
  const kind = zoneKind(pattern.base, suffixes);
  switch (kind) {
    case 'public': {
      const message = `${text} would approve names that anyone can register: ${zone} is a public suffix`;
      problems.push(
        error('public-suffix', at, message, `name the zones that the job needs, such as **.example.${zone}`),
      );
      break;
    }
    case 'shared':
      if (terms.sharedZone) {
        const message = `${text} approves names in a shared zone, where anyone can rent one`;
        problems.push(warning('shared-zone', at, message, 'list the names where they are known'));
        if (terms.budget === null) {
          const unsaid = `${text} lets a job tell strangers as much a day as the usual budget holds`;
          const fix = 'write a budget beside it, such as `budget: { alert: 256B, contain: 512B }`';
          problems.push(warning('shared-zone-budget', at, unsaid, fix));
        }
      } else {
        const message = `${text} reaches into a shared zone, where anyone can rent a name`;
        const fix =
          'list the names, or write `shared_zone: accept` on the rule if names of strangers are acceptable';
        problems.push(error('shared-zone', at, message, fix));
      }
      break;
    case 'own':
      break;
    default:
      unreachable(kind);
  }
}

/** The special name, or namegate's own zone, that a name lies in, as text; else null. */
export function specialAt(name: Uint8Array): string | null {
  if (isAtOrUnder(name, OWN_ZONE)) return nameToText(OWN_ZONE);
  return SPECIAL_NAMES.find((special) => isAtOrUnder(name, special.name))?.text ?? null;
}

/** Records and redirects approve nothing: one that no identity approves is seen by nobody. */
export function checkUnapproved(
  input: PolicyInput,
  snapshot: Snapshot,
  now: EpochSeconds,
  problems: Problem[],
): void {
  const labels = new Uint8Array(128);
  const told = new Set<string>();
  // A target is given as part of its redirect's answer.
  for (const { to } of input.redirects) told.add(nameToText(to));
  const check = (code: string, name: Uint8Array, at: Position): void => {
    const text = nameToText(name);
    if (told.has(text) || specialAt(name) !== null) return;
    told.add(text);
    const subject = { name, labels, labelCount: labelOffsets(name, labels) };
    if (snapshot.views.some((view) => approvesName(snapshot, view, subject, now))) return;
    const fix = 'name it in a destination; local data approves nothing';
    problems.push(warning(code, at, `no identity approves ${text}`, fix));
  };
  for (const { name, at } of input.records) check('record-unapproved', name, at);
  for (const { name, at } of input.redirects) check('redirect-unapproved', name, at);
}
