import { FOREVER, type RestrictedRanges, type RuleInput, type RuleTerms } from '../../policy/input.ts';
import type { Pattern } from '../../policy/pattern/pattern.ts';
import type { Position } from '../../policy/problem.ts';
import { DEFAULT_BUDGETS } from '../../settings/settings.ts';
import { isMetaType, typeFromText } from '../../wire/iana.ts';
import { nameToText } from '../../wire/name.ts';
import type { Prefix } from '../../wire/prefix.ts';
import type { EpochSeconds } from '../../wire/quantity.ts';
import { parsePrefix } from '../addresses.ts';
import { readBudget } from '../budgets.ts';
import type { FileReader } from '../files/files.ts';
import type { Marks } from '../files/marks.ts';
import { type AsciiName, readExactName, readPattern } from '../names.ts';
import { readPorts } from '../port-list.ts';
import { type Problems, TextFault } from '../problems.ts';
import type { WrittenBudget } from '../schema/budget-schema.ts';
import { parseTime, quote } from '../units.ts';
import { CONVERTED_FIX, type Lists } from './lists.ts';

/** What the reading of one policy file needs. */
export interface PolicyContext {
  readonly marks: Marks;
  readonly problems: Problems;
  readonly reader: FileReader;
  readonly lists: Lists;
  readonly terms: TermPool;
}

/** The keys of a rule as a file writes them; those that were refused are missing. */
export interface WrittenTerms {
  readonly types?: readonly (string | undefined)[] | undefined;
  readonly until?: string | undefined;
  readonly private?: boolean | readonly (string | undefined)[] | undefined;
  readonly shared_zone?: 'accept' | undefined;
  readonly max_labels?: number | undefined;
  readonly max_label_length?: number | undefined;
  readonly budget?: WrittenBudget | undefined;
  readonly fallback?: string | undefined;
  readonly ports?: readonly (string | undefined)[] | undefined;
  readonly keep?: 'lease' | undefined;
}

/** What a rule grants, apart from who says so. */
export type Grants = Omit<RuleTerms, 'destination' | 'owner' | 'reason' | 'approvedBy'>;

export const DEFAULT_GRANTS: Grants = {
  types: null,
  until: FOREVER,
  private: false,
  sharedZone: false,
  maxLabels: 127,
  maxLabelLength: 63,
  budget: null,
  fallback: null,
  ports: null,
  keep: null,
};

/** The keys that `holder` has, over `defaults`. */
export function readGrants(holder: WrittenTerms, defaults: Grants, context: PolicyContext): Grants {
  return {
    types: holder.types === undefined ? defaults.types : readTypes(holder.types, context),
    until: readTime(holder, 'until', context) ?? defaults.until,
    private: holder.private === undefined ? defaults.private : readPrivate(holder.private, context),
    sharedZone: holder.shared_zone === undefined ? defaults.sharedZone : true,
    maxLabels: holder.max_labels ?? defaults.maxLabels,
    maxLabelLength: holder.max_label_length ?? defaults.maxLabelLength,
    budget: readBudget(holder, 'budget', DEFAULT_BUDGETS.lease_wildcard, context) ?? defaults.budget,
    fallback:
      holder.fallback === undefined ? defaults.fallback : readFallback(holder.fallback, holder, context),
    ports: holder.ports === undefined ? defaults.ports : readPorts(holder.ports, context),
    keep: holder.keep ?? defaults.keep,
  };
}

/** A sentence, or `redirect NAME`. A sentence may begin with that word too. */
function readFallback(
  text: string,
  holder: WrittenTerms,
  { marks, problems }: PolicyContext,
): RuleTerms['fallback'] {
  const [, word = '', name = ''] = /^(\s*redirect\s+)(\S+)\s*$/i.exec(text) ?? [];
  if (name === '') return { text: oneLine(text), redirect: null };
  const read = readExactName(name, 'a fallback');
  if ('name' in read) {
    const to = nameToText(read.name);
    return { text: `redirect ${to}`, redirect: to };
  }
  problems.fault(read, marks.inside(holder, 'fallback', word.length + read.offset));
  problems.lose();
  return null;
}

/** Seconds since 1970, or null where nothing is written or it was refused. */
export function readTime<Key extends string>(
  holder: { readonly [name in Key]?: string | undefined },
  key: Key,
  { marks, problems }: PolicyContext,
): EpochSeconds | null {
  const text = holder[key];
  if (text === undefined) return null;
  const time = parseTime(text);
  if (!(time instanceof TextFault)) return time;
  problems.fault(time, marks.inside(holder, key, time.offset));
  return null;
}

function readTypes(list: readonly (string | undefined)[], { marks, problems }: PolicyContext): number[] {
  const types = new Set<number>();
  list.forEach((text, index) => {
    if (text === undefined) return;
    const type = typeFromText(text);
    if (type === null) {
      const fix = 'write a mnemonic such as AAAA or TXT, or TYPEn';
      problems.error('type-unknown', marks.value(list, index), `${quote(text)} is no type`, fix);
    } else if (isMetaType(type)) {
      const message = `${text} is a question about more than one name or type`;
      problems.error('type-meta', marks.value(list, index), message, 'name the types that the job needs');
    } else types.add(type);
  });
  return [...types].sort((a, b) => a - b);
}

export function readPrivate(
  written: boolean | readonly (string | undefined)[],
  context: PolicyContext,
): RestrictedRanges {
  if (typeof written === 'boolean') return written;
  return readPrefixes(written, context).map(({ prefix }) => prefix);
}

/** Address prefixes, those that are none reported. */
export function readPrefixes(
  list: readonly (string | undefined)[],
  { marks, problems }: PolicyContext,
): { readonly prefix: Prefix; readonly text: string; readonly at: Position }[] {
  return list.flatMap((text, index) => {
    if (text === undefined) return [];
    const prefix = parsePrefix(text);
    if (!(prefix instanceof TextFault)) return [{ prefix, text, at: marks.value(list, index) }];
    problems.fault(prefix, marks.inside(list, index, prefix.offset));
    problems.lose();
    return [];
  });
}

/** A dot behind an odd number of backslashes. */
const ESCAPED_DOT = /(?<=(?<!\\)(?:\\\\)*)\\\./;
const ESCAPED_DOTS = new RegExp(ESCAPED_DOT, 'g');

/** The pattern that is the value of `key`, or null with a problem. U-labels are converted and shown. */
export function patternAt(
  holder: object,
  key: string | number,
  text: string,
  context: PolicyContext,
): Pattern | null {
  const read = readPattern(text);
  if (!('pattern' in read)) {
    context.problems.fault(read, context.marks.inside(holder, key, read.offset));
    context.problems.lose();
    return null;
  }
  showConverted(text, read.ascii, context.marks.value(holder, key), context.problems);
  const dot = text.search(ESCAPED_DOT);
  if (dot >= 0) {
    const message = `${quote(text)} has a label with a dot inside, which hardly any name has`;
    const fix = `write ${text.replaceAll(ESCAPED_DOTS, '.')} for the name with dots between labels`;
    context.problems.warn('pattern-dot', context.marks.inside(holder, key, dot), message, fix);
  }
  return read.pattern;
}

/** The exact name that is the value of `key`, or null with a problem. */
export function nameAt(
  holder: object,
  key: string | number,
  text: string | undefined,
  what: string,
  { marks, problems }: Pick<PolicyContext, 'marks' | 'problems'>,
): Uint8Array | null {
  if (text === undefined) return null;
  const read = readExactName(text, what);
  if ('name' in read) {
    showConverted(text, read.ascii, marks.value(holder, key), problems);
    return read.name;
  }
  problems.fault(read, marks.inside(holder, key, read.offset));
  problems.lose();
  return null;
}

function showConverted(text: string, ascii: AsciiName, at: Position, problems: Problems): void {
  if (ascii.converted)
    problems.warn('name-converted', at, `${text} is ${ascii.text} on the wire`, CONVERTED_FIX);
}

/** A rule from a map with `name` and terms, or null where its name was refused. */
export function readRule(
  entry: WrittenTerms & { readonly name?: string | undefined },
  who: Pick<RuleTerms, 'destination' | 'owner' | 'reason' | 'approvedBy'>,
  defaults: Grants,
  context: PolicyContext,
): RuleInput | null {
  const grants = readGrants(entry, defaults, context);
  if (entry.name === undefined) return null;
  const pattern = patternAt(entry, 'name', entry.name, context);
  if (pattern === null) return null;
  warnUnused(entry, pattern.kind, context);
  return {
    pattern,
    terms: context.terms.intern({ ...who, ...grants }),
    at: context.marks.value(entry, 'name'),
  };
}

/** Keys that say something about wildcards, written on a rule that is none. */
function warnUnused(entry: WrittenTerms, kind: Pattern['kind'], { marks, problems }: PolicyContext): void {
  if (kind === 'globstar') return;
  const wildcard = kind === 'star';
  const unused = (
    wildcard ? ['max_labels'] : ['max_labels', 'max_label_length', 'shared_zone', 'budget']
  ) as (keyof WrittenTerms)[];
  for (const key of unused) {
    if (entry[key] === undefined) continue;
    const message = wildcard ? 'a star stands for exactly one label' : 'the pattern is no wildcard';
    problems.warn('term-unused', marks.key(entry, key), `${key} changes nothing: ${message}`, 'remove it');
  }
}

/** Rules with equal terms share one object. */
export class TermPool {
  readonly #known = new Map<string, RuleTerms>();

  intern(terms: RuleTerms): RuleTerms {
    const {
      destination,
      owner,
      reason,
      types,
      until,
      private: grant,
      sharedZone,
      maxLabels,
      maxLabelLength,
      budget,
      fallback,
      ports,
      keep,
      approvedBy,
    } = terms;
    const key = JSON.stringify([
      destination,
      owner,
      reason,
      types,
      until,
      grant,
      sharedZone,
      maxLabels,
      maxLabelLength,
      budget,
      fallback,
      ports,
      keep,
      approvedBy,
    ]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, terms);
    return terms;
  }
}

/** Prose in one line: runs of white space are one space. */
export function oneLine(text: string | undefined): string {
  return (text ?? '').trim().replace(/\s+/g, ' ');
}

const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Whether a text can name a destination, an identity or a group: letters, digits, - and _. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}
