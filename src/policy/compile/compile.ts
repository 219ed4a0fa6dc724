import type { EpochSeconds } from '../../wire/quantity.ts';
import type { EntryInput, IdentityInput, ListInput, PolicyInput, RuleInput, RuleTerms } from '../input.ts';
import { indexLookAlikes } from '../lookalike/look-alikes.ts';
import { type Pattern, parsePattern } from '../pattern/pattern.ts';
import { PatternFault } from '../pattern/pattern-fault.ts';
import type { SuffixTable } from '../pattern/suffix.ts';
import { error, type Position, type Problem, warning } from '../problem.ts';
import { type Identity, NODE, type Snapshot } from '../snapshot.ts';
import { PRIVATE_REVERSE, SPECIAL, SPECIAL_NAMES, type SpecialName } from '../special.ts';
import { approvedDomains } from './approved-domains.ts';
import { claimAddresses, claimCertificates } from './claims.ts';
import { checkExpected, compileExpected, expectedNames } from './expected-names.ts';
import { compileLocals } from './locals.ts';
import { checkNesting } from './nesting.ts';
import { Rulebook } from './rulebook.ts';
import { warnOfTwins } from './twice.ts';
import { checkRule, checkUnapproved } from './vet.ts';
import { joinViews, Views } from './views.ts';
import { MAX_WRITTEN_OUT, namesWrittenOut } from './written-out.ts';

/**
 * Compiles a policy into a snapshot. Problems are of meaning: names that are defined twice or not at all, claims that
 * collide, wildcards that reach too far, data that nobody can see. The snapshot is for use only if none is an error.
 * `now` is seconds since 1970; `salt` is 32 random bits for the tree's hash.
 */
export function compile(
  input: PolicyInput,
  suffixes: SuffixTable,
  options: { readonly now: EpochSeconds; readonly salt: number },
): { snapshot: Snapshot; problems: Problem[] } {
  const problems: Problem[] = [];
  const book = new Rulebook(options.salt);
  const specials = placeSpecialNames(book);
  const locals = compileLocals(input, book, problems);
  const build: Build = { book, suffixes, problems, now: options.now, locals: locals.names, sets: new Map() };
  const views = new Views(book);
  const used = new Set<string>();

  for (const destination of input.destinations) {
    if (build.sets.has(destination.name)) {
      const fix = 'rename one, or move its names into the other';
      problems.push(
        error(
          'destination-duplicate',
          destination.at,
          `destination ${destination.name} is defined twice`,
          fix,
        ),
      );
      continue;
    }
    build.sets.set(destination.name, addSet(build, destination.name, destination.rules, destination.lists));
  }
  const expected = compileExpected(input.identities, suffixes, options, problems);
  const names = new Set<string>();
  const identities = input.identities.map((identity, index) => {
    if (names.has(identity.name)) {
      const message = `identity ${identity.name} is defined twice`;
      problems.push(error('identity-duplicate', identity.at, message, 'rename one, or join them'));
    }
    names.add(identity.name);
    return {
      ...compileIdentity(build, views, identity, index, used),
      expected: expectedNames(identity),
      expectedView: expected.views[index]!,
    };
  });
  for (const destination of input.destinations) {
    if (used.has(destination.name)) continue;
    const fix = 'name it in an identity, or delete it';
    problems.push(
      warning('destination-unused', destination.at, `no identity allows ${destination.name}`, fix),
    );
  }
  const addresses = claimAddresses(input.identities, problems);
  const certificates = claimCertificates(input.identities, problems);

  const tree = book.tree.done();
  const done = book.done();
  const snapshot: Snapshot = {
    tree,
    ...done,
    lookAlikes: indexLookAlikes(approvedDomains(tree, done.postings, suffixes), options.salt),
    expected: expected.tree,
    sets: book.sets,
    views: views.all,
    identities,
    addresses,
    certificates,
    specials,
    locals: locals.byNode,
  };
  checkUnapproved(input, snapshot, options.now, problems);
  checkNesting(snapshot, problems);
  warnOfTwins(input, snapshot, problems);
  checkExpected(input.identities, snapshot, options.now, problems);
  return { snapshot, problems };
}

interface Build {
  readonly book: Rulebook;
  readonly suffixes: SuffixTable;
  readonly problems: Problem[];
  readonly now: EpochSeconds;
  readonly locals: readonly Uint8Array[];
  /** Set by destination. */
  readonly sets: Map<string, number>;
}

function placeSpecialNames(book: Rulebook): Map<number, SpecialName> {
  const specials = new Map<number, SpecialName>();
  const { tree } = book;
  const above = (node: number): void => {
    for (let at = node; at !== 0; at = tree.parentOf(at)) book.flag(tree.parentOf(at), NODE.ABOVE_SPECIAL);
  };
  for (const { name, text } of SPECIAL_NAMES) {
    const node = tree.insert(name);
    specials.set(node, text);
    book.flag(node, NODE.SPECIAL);
    // Nothing is answered at the canary or below: its ancestors exist only where a policy says so.
    if (text === SPECIAL.CANARY) book.flag(node, NODE.CANARY);
    else above(node);
  }
  for (const zone of PRIVATE_REVERSE) book.flag(tree.insert(zone), NODE.PRIVATE_REVERSE);
  return specials;
}

function addSet(
  build: Build,
  destination: string | null,
  rules: readonly RuleInput[],
  lists: readonly ListInput[],
): number {
  const set = build.book.openSet(destination);
  for (const rule of rules) addRule(build, rule.pattern, rule.terms, rule.at);
  for (const list of lists) addList(build, list);
  build.book.closeSet(build.locals);
  return set;
}

function addRule(build: Build, pattern: Pattern, terms: RuleTerms, at: Position): void {
  checkRule(pattern, terms, at, build.suffixes, build.now, build.problems);
  if (build.book.writtenOut + namesWrittenOut(pattern) > MAX_WRITTEN_OUT) {
    const message = `patterns with labels in front of a brace stand for more than ${MAX_WRITTEN_OUT} names in all`;
    const fix = 'put the brace into the first label, write a smaller range, or a wildcard';
    build.problems.push(error('pattern-family-size', at, message, fix));
    return;
  }
  build.book.add(pattern, terms, at.file, at.line);
}

/** One pattern a line; `#` starts a comment, blank lines are nothing. */
function addList(build: Build, list: ListInput): void {
  const { text } = list;
  let line = 0;
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    line++;
    const raw = text.slice(start, end);
    start = end + 1;
    const comment = raw.indexOf('#');
    const bare = (comment < 0 ? raw : raw.slice(0, comment)).trim();
    if (bare === '') continue;
    const pattern = parsePattern(bare);
    const column = raw.indexOf(bare) + 1;
    if (pattern instanceof PatternFault) {
      const at = { file: list.file, line, column: column + pattern.offset };
      build.problems.push(error(pattern.code, at, pattern.message, pattern.fix));
    } else {
      addRule(build, pattern, list.terms, { file: list.file, line, column });
    }
  }
}

function compileIdentity(
  build: Build,
  views: Views,
  input: IdentityInput,
  index: number,
  used: Set<string>,
): Omit<Identity, 'expected' | 'expectedView'> {
  checkIdentity(build, input);
  const own = resolveEntries(build, input.allow, used);
  const exceptions = input.exceptions.length === 0 ? [] : [addSet(build, null, input.exceptions, [])];
  const names = new Set<string>();
  const stages = input.stages.map((stage) => {
    if (names.has(stage.name)) {
      build.problems.push(
        error('stage-duplicate', stage.at, `stage ${stage.name} is defined twice`, 'rename one'),
      );
    }
    names.add(stage.name);
    const sets = resolveEntries(build, stage.entries, used);
    return {
      name: stage.name,
      view: views.intern(stage.kind === 'only' ? [] : own, [...sets, ...exceptions]),
    };
  });
  const view = views.intern(own, exceptions);
  return {
    index,
    name: input.name,
    owner: input.owner,
    reviewBy: input.reviewBy,
    workload: input.workload,
    auditUntil: input.mode === 'audit' ? input.auditUntil : 0,
    limits: input.limits,
    search: input.search,
    addresses: input.addresses.map(({ text }) => text),
    certificates: input.certificates.map(({ text }) => text),
    ...input.terms,
    view,
    everywhere: joinViews([view, ...stages.map((stage) => stage.view)]),
    stages,
    at: input.at,
  };
}

/** The sets that entries stand for: one for each destination, and one for all that is written on the spot. */
function resolveEntries(build: Build, entries: readonly EntryInput[], used: Set<string>): number[] {
  const sets: number[] = [];
  const spot: RuleInput[] = [];
  for (const entry of entries) {
    if ('pattern' in entry) {
      spot.push(entry);
      continue;
    }
    const set = build.sets.get(entry.destination);
    used.add(entry.destination);
    if (set !== undefined) {
      sets.push(set);
      continue;
    }
    const known = [...build.sets.keys()].slice(0, 10).join(', ');
    const fix =
      known === ''
        ? `define it under destinations`
        : `define it under destinations, or name one of: ${known}`;
    build.problems.push(
      error('destination-unknown', entry.at, `there is no destination ${entry.destination}`, fix),
    );
  }
  if (spot.length > 0) sets.push(addSet(build, null, spot, []));
  return sets;
}

function checkIdentity({ problems, now }: Build, input: IdentityInput): void {
  const { name, at } = input;
  if (input.reviewBy === null) {
    problems.push(
      warning('review-missing', at, `${name} has no review_by`, 'write the date of the next review'),
    );
  } else if (input.reviewBy <= now) {
    problems.push(
      warning('review-passed', at, `the review of ${name} is overdue`, 'review it, and write the next date'),
    );
  }
  if (input.mode === 'audit') {
    const message = `${name} is in audit mode: what it may not resolve is resolved and recorded`;
    problems.push(
      input.auditUntil <= now
        ? warning(
            'audit-ended',
            at,
            `${name}'s audit has ended: its policy is enforced`,
            'write mode: enforce',
          )
        : warning('audit', at, message, 'write mode: enforce when the record is clean'),
    );
  }
}
