import type { z } from 'zod';
import type { Position } from '../../policy/problem.ts';
import { HOLE, type YamlFile } from '../files/yaml.ts';
import type { Problems } from '../problems.ts';
import { meantTime, quote } from '../units.ts';
import {
  closest,
  exampleOf,
  keysOf,
  literalsOf,
  type Path,
  type Schema,
  schemaAt,
  takes,
  titleOf,
  valueAt,
} from './wanted.ts';

/** What is left of data once every part that was refused is taken out: anything may be missing. */
export type Repaired<T> = T extends readonly (infer Item)[]
  ? (Repaired<Item> | undefined)[]
  : T extends object
    ? { [Key in keyof T]?: Repaired<T[Key]> | undefined }
    : T;

/**
 * Holds the data of a file against its schema: reports each key and kind that is wrong, where it is written, and takes
 * it out of the data, so that the rest can be read on. Null where the file as a whole is of the wrong kind.
 */
export function checkShape<T>(schema: z.ZodType<T>, file: YamlFile, problems: Problems): Repaired<T> | null {
  const parsed = schema.safeParse(file.data);
  if (parsed.success) return file.data as Repaired<T>;
  const issues = parsed.error.issues.flatMap((issue) => flatten(issue as Issue, [], file.data));
  for (const issue of issues) report(issue, schema as unknown as Schema, file, problems);
  if (
    issues.some(({ path, code }) => path.length === 0 && code !== 'unrecognized_keys' && code !== 'missing')
  )
    return null;
  for (const issue of issues) takeOut(issue, file.data, problems);
  return file.data as Repaired<T>;
}

/** The parts of zod's issues that are used here. */
interface Issue {
  readonly code: string;
  readonly path: Path;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
  readonly origin?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly errors?: readonly (readonly Issue[])[];
}

/** Resolves unions: the branch whose kind fits tells what is wrong; where none fits, the kind is. */
function flatten(issue: Issue, above: Path, data: unknown): Issue[] {
  const path = [...above, ...issue.path];
  const value = valueAt(data, path);
  // A value that was no longer there when it was looked at is a key that is missing.
  if (value === undefined && issue.code !== 'unrecognized_keys') return [{ code: 'missing', path }];
  if (issue.code !== 'invalid_union') return [{ ...issue, path }];
  const fitting = issue.errors?.find((branch) => !branch.some(isWrongKind));
  if (fitting === undefined) return [{ code: 'invalid_type', path }];
  return fitting.flatMap((inner) => flatten(inner, path, data));
}

function isWrongKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union';
}

/** One place that does not fit, with all that a message may want. */
interface Misfit {
  readonly value: unknown;
  readonly wanted: Schema | null;
  /** The key, or what stands for it in a list. */
  readonly name: string;
  readonly at: Position;
  /** What was written for a scalar, and whether without quotes. */
  readonly source: string;
  readonly plain: boolean;
}

function report(issue: Issue, schema: Schema, { data, marks }: YamlFile, problems: Problems): void {
  const { path } = issue;
  const value = valueAt(data, path);
  if (value === HOLE) return;
  const last = path.at(-1);
  const parent = valueAt(data, path.slice(0, -1)) as object;
  const written = last === undefined ? null : marks.written(parent, last);
  const misfit: Misfit = {
    value,
    wanted: schemaAt(schema, path, data),
    name: last === undefined ? 'the file' : typeof last === 'number' ? 'an entry' : last,
    at: last === undefined ? marks.position(0) : marks.value(parent, last),
    source: written?.source ?? '',
    plain: written?.plain ?? false,
  };
  const { name, at, wanted } = misfit;
  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys ?? []) {
        const known = keysOf(wanted);
        const fix = closest(key, known) ?? `remove it; known here: ${known.join(', ')}`;
        const message = `${quote(key)} is no key that this version knows here`;
        problems.error('key-unknown', marks.key(value as object, key), message, fix);
      }
      break;
    case 'missing': {
      const example = exampleOf(wanted);
      const fix = example === null ? `write ${name}` : `write it, such as ${name}: ${example}`;
      problems.error('key-missing', marks.container(parent), `${name} is missing`, fix);
      break;
    }
    case 'too_small':
    case 'too_big':
      reportBound(issue, misfit, problems);
      break;
    case 'custom':
      problems.error('value-text', at, `${name} is blank or holds control characters`, 'write plain text');
      break;
    case 'invalid_value': {
      const fix = `write ${(issue.values ?? []).map(String).join(' or ')}`;
      problems.error('value-choice', at, `${name} is ${describe(value)}`, fix);
      break;
    }
    default:
      reportKind(misfit, problems);
  }
}

function reportBound(issue: Issue, { value, name, at }: Misfit, problems: Problems): void {
  if (issue.origin === 'string' || issue.origin === 'array') {
    problems.error('value-empty', at, `${name} is empty`, 'write what belongs there, or remove the key');
    return;
  }
  const fix =
    issue.code === 'too_small' ? `write at least ${issue.minimum}` : `write at most ${issue.maximum}`;
  problems.error('value-range', at, `${name} is ${String(value)}`, fix);
}

function reportKind(misfit: Misfit, problems: Problems): void {
  const { value, wanted, name, at, source, plain } = misfit;
  const title = titleOf(wanted);
  const number = takes(wanted, 'number');
  if (value === null) {
    problems.error('value-empty', at, `${name} is empty`, `write ${title}, or remove it`);
  } else if (number && typeof value === 'symbol' && Number.isSafeInteger(Number(source))) {
    const message = `${source} is not written as a plain whole number`;
    problems.error('yaml-number', at, message, `write ${Number(source)}`);
  } else if (!number && plain && typeof value !== 'string' && takes(wanted, 'string')) {
    const kind = typeof value === 'boolean' ? `the truth value ${value}` : `the number ${Number(source)}`;
    const message = `YAML reads ${source} as ${kind}; ${title} is wanted`;
    problems.error('yaml-quote', at, message, plainFix(misfit));
  } else {
    problems.error('value-kind', at, `${name} is ${describe(value)}; ${title} is wanted`, kindFix(misfit));
  }
}

/** What a bare number or truth value becomes: quotes alone make a text of it, and not always one that is wanted. */
function plainFix({ wanted, source, value }: Misfit): string {
  const title = titleOf(wanted);
  const digits = /^\d+$/.test(source);
  if (digits && title === 'a duration') return `write ${Number(source)}s`;
  if (digits && title === 'a size') return `write ${Number(source)}B, or with KiB, MiB or GiB`;
  if (digits && title === 'a type') return `write TYPE${Number(source)}, or its mnemonic`;
  if (title === 'a time') return meantTime(source) ?? `write a time, such as ${exampleOf(wanted)}`;
  if (!FREE_TEXTS.has(title)) {
    const example = exampleOf(wanted);
    const whole = example === null ? `write ${title}` : `write ${title}, such as ${example}`;
    return value === false ? `remove it, or ${whole}` : whole;
  }
  return `quote it: "${source}"`;
}

/** Titles of values that any text can be. */
const FREE_TEXTS: ReadonlySet<string> = new Set([
  'text',
  'a text',
  'a name',
  'a destination',
  'a destination or a map { name, reason }',
  'a pattern',
  'a pattern or a map with name',
  'an identity',
  'a zone',
  'a suffix',
]);

function kindFix({ value, wanted, source }: Misfit): string {
  if (typeof value === 'string') {
    if (takes(wanted, 'boolean') && /^(y|yes|on|true)$/i.test(value)) return 'write true';
    if (takes(wanted, 'boolean') && /^(n|no|off|false)$/i.test(value)) return 'write false';
    const literal = closest(value, literalsOf(wanted));
    if (literal !== null) return literal;
    if (takes(wanted, 'array')) return `write a list: [${source}]`;
  }
  // A text that ends in a colon is a key without a value: fe80::, say.
  const keys =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  if (takes(wanted, 'string') && keys.length === 1 && keys[0]![1] === null) {
    return `remove the colon at its end, or quote it: ${quote(`${keys[0]![0]}:`)}`;
  }
  const example = exampleOf(wanted);
  return example === null ? `write ${titleOf(wanted)}` : `write ${titleOf(wanted)}, such as ${example}`;
}

function describe(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object') return 'a map';
  return typeof value === 'symbol' ? (value.description ?? '') : String(value);
}

function takeOut({ code, path, keys }: Issue, data: unknown, problems: Problems): void {
  problems.lose();
  const holder = valueAt(data, code === 'unrecognized_keys' ? path : path.slice(0, -1)) as Record<
    string,
    unknown
  >;
  if (code === 'unrecognized_keys') for (const key of keys ?? []) delete holder[key];
  // What was refused stays as a key, so that a name which is defined stays defined.
  else if (holder !== undefined && code !== 'missing') holder[path.at(-1)!] = undefined;
}
