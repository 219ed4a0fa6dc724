import type {
  DestinationInput,
  PolicyInput,
  RecordInput,
  RedirectInput,
  RuleInput,
  RuleTerms,
} from '../../policy/input.ts';
import { type Pattern, patternText } from '../../policy/pattern/pattern.ts';
import type { Position } from '../../policy/problem.ts';
import type { Seconds } from '../../wire/quantity.ts';
import { TextFault } from '../problems.ts';
import type { PolicyFile } from '../schema/policy-schema.ts';
import type { Repaired } from '../schema/shape.ts';
import { parseDuration, quote } from '../units.ts';
import { type Addition, readAddition } from './additions.ts';
import { IDENTIFIER_FIX, readIdentity } from './identities.ts';
import { relativeTo } from './lists.ts';
import { parseRdata, parseRecordType } from './records.ts';
import {
  DEFAULT_GRANTS,
  isIdentifier,
  nameAt,
  oneLine,
  type PolicyContext,
  patternAt,
  readGrants,
  readPrivate,
  readRule,
} from './rules.ts';

type Written = Repaired<PolicyFile>;
type WrittenDestination = NonNullable<NonNullable<Written['destinations']>[string]>;

/** TTL in seconds of a record that says nothing of its own: a change of the policy is seen within a minute. */
const DEFAULT_TTL: Seconds = 60;

/** What one file of a policy says. */
export interface PolicyPart extends PolicyInput {
  readonly additions: readonly Addition[];
}

/** One policy file as data. Whatever is wrong is reported and left out; names stay defined, so that nothing seems unknown. */
export function readPolicyFile(written: Written, context: PolicyContext): PolicyPart {
  const destinations = Object.entries(written.destinations ?? {}).map(([name, destination]) =>
    readDestination(name, destination, written.destinations!, context),
  );
  return {
    destinations,
    identities: (written.identities ?? []).flatMap((identity) =>
      identity === undefined ? [] : [readIdentity(identity, context)],
    ),
    additions: (written.additions ?? []).flatMap((addition) => readAddition(addition, context)),
    records: (written.records ?? []).flatMap((record) => readRecord(record, context) ?? []),
    redirects: (written.redirects ?? []).flatMap((redirect) => readRedirect(redirect, context) ?? []),
  };
}

function readDestination(
  name: string,
  written: WrittenDestination | undefined,
  holder: object,
  context: PolicyContext,
): DestinationInput {
  const { marks, problems } = context;
  const at = marks.key(holder, name);
  if (!isIdentifier(name)) {
    problems.error('identifier-form', at, `${quote(name)} cannot name a destination`, IDENTIFIER_FIX);
  }
  if (written === undefined) return { name, rules: [], lists: [], at };
  const grants = readGrants(written, DEFAULT_GRANTS, context);
  const who = {
    destination: name,
    owner: oneLine(written.owner),
    reason: oneLine(written.reason),
    approvedBy: null,
  };
  const terms = context.terms.intern({ ...who, ...grants });
  const rules = (written.names ?? []).flatMap((entry, index): RuleInput[] => {
    if (entry === undefined) return [];
    if (typeof entry === 'string') {
      const pattern = patternAt(written.names!, index, entry, context);
      return pattern === null ? [] : [{ pattern, terms, at: marks.value(written.names!, index) }];
    }
    const reason = entry.reason === undefined ? who.reason : oneLine(entry.reason);
    const rule = readRule(entry, { ...who, reason }, grants, context);
    return rule === null ? [] : [rule];
  });
  warnTwice(name, rules, problems);
  const lists = (written.names_from ?? []).flatMap((path, index) => {
    if (path === undefined) return [];
    const entry = marks.value(written.names_from!, index);
    if (path === '') {
      problems.error('value-empty', entry, 'the path of a list is empty', 'write the path of a text file');
      return [];
    }
    const stray = pathFault(path);
    if (stray !== null) {
      problems.error('list-form', entry, stray.message, stray.fix);
      problems.lose();
      return [];
    }
    return context.lists.read(relativeTo(marks.file, path), terms, entry) ?? [];
  });
  const empty = (written.names ?? []).length + (written.names_from ?? []).length === 0;
  // A key that was refused may have been meant for one of these.
  if (empty && !problems.lost) {
    problems.warn(
      'destination-empty',
      at,
      `${name} holds no names`,
      'write names or names_from, or delete it',
    );
  }
  return { name, rules, lists, at };
}

/** Of `names` alone: a list may be large, and is often made by a program. */
function warnTwice(
  destination: string,
  rules: readonly RuleInput[],
  problems: PolicyContext['problems'],
): void {
  const seen = new Map<RuleTerms, Map<string, Position>>();
  for (const { pattern, terms, at } of rules) {
    const same = seen.get(terms) ?? new Map<string, Position>();
    seen.set(terms, same);
    const key = keyOf(pattern);
    const first = same.get(key);
    if (first === undefined) {
      same.set(key, at);
      continue;
    }
    const message = `${patternText(pattern)} stands in ${destination} twice; the first is in line ${first.line}`;
    problems.warn('pattern-twice', at, message, 'remove one');
  }
}

/** The same for the same pattern. Of an exact name it is its octets: writing tens of thousands of names as text takes a while. */
function keyOf(pattern: Pattern): string {
  if (pattern.kind !== 'exact') return patternText(pattern);
  const { buffer, byteOffset, length } = pattern.name;
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}

/** What is no path of a list, though it was meant as one. */
function pathFault(path: string): { readonly message: string; readonly fix: string } | null {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    const message = `${quote(path)} is a URL; a list is a file beside the policy`;
    return {
      message,
      fix: 'fetch it, look through it, and keep it beside the policy: names_from: [lists/names.txt]',
    };
  }
  if (path.includes('\\') || /^[A-Za-z]:/.test(path)) {
    const fix = `write ${path.replace(/^[A-Za-z]:\\?/, '').replaceAll('\\', '/')}`;
    return { message: `${quote(path)} has backslashes; paths have slashes`, fix };
  }
  return null;
}

function readRecord(
  written: NonNullable<Written['records']>[number],
  context: PolicyContext,
): RecordInput | null {
  if (written === undefined) return null;
  const { marks, problems } = context;
  const name = nameAt(written, 'name', written.name, 'the name of a record', context);
  const ttl = readTtl(written, context);
  const type = written.type === undefined ? null : parseRecordType(written.type);
  if (type instanceof TextFault) problems.fault(type, marks.inside(written, 'type', type.offset));
  if (type === null || type instanceof TextFault || written.data === undefined) return null;
  const rdata = parseRdata(type, written.data);
  if (rdata instanceof TextFault) problems.fault(rdata, marks.inside(written, 'data', rdata.offset));
  if (name === null || rdata instanceof TextFault) return null;
  return { name, type, ttl, rdata, at: marks.value(written, 'name') };
}

function readTtl(
  written: { ttl?: Seconds | string | undefined },
  { marks, problems }: PolicyContext,
): Seconds {
  const { ttl } = written;
  if (typeof ttl !== 'string') return ttl ?? DEFAULT_TTL;
  const duration = parseDuration(ttl);
  if (duration instanceof TextFault) {
    problems.fault(duration, marks.inside(written, 'ttl', duration.offset));
    return DEFAULT_TTL;
  }
  if (duration % 1000 === 0) return duration / 1000;
  problems.error(
    'value-range',
    marks.value(written, 'ttl'),
    `${ttl} is not whole seconds`,
    'write whole seconds',
  );
  return DEFAULT_TTL;
}

function readRedirect(
  written: NonNullable<Written['redirects']>[number],
  context: PolicyContext,
): RedirectInput | null {
  if (written === undefined) return null;
  const name = nameAt(written, 'name', written.name, 'the name of a redirect', context);
  const to = nameAt(written, 'to', written.to, 'the target of a redirect', context);
  const grant = written.private === undefined ? false : readPrivate(written.private, context);
  if (name === null || to === null) return null;
  return { name, to, private: grant, at: context.marks.value(written, 'name') };
}
