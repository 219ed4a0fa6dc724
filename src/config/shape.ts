import type { z } from 'zod';
import type { Position } from '../policy/problem.ts';
import type { Marks } from './marks.ts';
import type { Problems } from './problems.ts';
import { quote } from './units.ts';
import { HOLE, type YamlFile } from './yaml.ts';

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

type Path = readonly (string | number)[];

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

function report(issue: Issue, schema: Schema, { data, marks }: YamlFile, problems: Problems): void {
  const { path } = issue;
  const value = valueAt(data, path);
  if (value === HOLE) return;
  const last = path.at(-1);
  const parent = valueAt(data, path.slice(0, -1)) as object;
  const at = last === undefined ? marks.position(0) : marks.value(parent, last);
  const wanted = schemaAt(schema, path, data);
  const name = last === undefined ? 'the file' : typeof last === 'number' ? 'an entry' : last;
  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys ?? []) {
        const known = keysOf(wanted);
        const fix = closest(key, known) ?? `remove it; known here: ${known.join(', ')}`;
        problems.error(
          'key-unknown',
          marks.key(value as object, key),
          `${quote(key)} is no key that this version knows here`,
          fix,
        );
      }
      break;
    case 'missing': {
      const example = wanted?.meta()?.examples?.[0];
      const fix = example === undefined ? `write ${last}` : `write it, such as ${last}: ${String(example)}`;
      problems.error('key-missing', marks.container(parent), `${last} is missing`, fix);
      break;
    }
    case 'too_small':
    case 'too_big':
      reportBound(issue, value, name, at, problems);
      break;
    case 'custom': {
      const message = `${name} is blank or holds control characters`;
      problems.error('value-text', at, message, 'write plain text');
      break;
    }
    case 'invalid_value':
      problems.error(
        'value-choice',
        at,
        `${name} is ${describe(value)}`,
        `write ${(issue.values ?? []).map(String).join(' or ')}`,
      );
      break;
    default:
      reportKind(value, parent, last, name, wanted, at, marks, problems);
  }
}

function reportBound(issue: Issue, value: unknown, name: string, at: Position, problems: Problems): void {
  if (issue.origin === 'string' || issue.origin === 'array') {
    problems.error('value-empty', at, `${name} is empty`, `write what belongs there, or remove the key`);
    return;
  }
  const fix =
    issue.code === 'too_small' ? `write at least ${issue.minimum}` : `write at most ${issue.maximum}`;
  problems.error('value-range', at, `${name} is ${String(value)}`, fix);
}

function reportKind(
  value: unknown,
  parent: object,
  last: string | number | undefined,
  name: string,
  wanted: Schema | null,
  at: Position,
  marks: Marks,
  problems: Problems,
): void {
  const title = wanted?.meta()?.title ?? 'something else';
  const written = last === undefined ? null : marks.written(parent, last);
  const source = written?.source ?? '';
  const number = takes(wanted, 'number');
  if (value === null) {
    problems.error('value-empty', at, `${name} is empty`, `write ${title}, or remove it`);
  } else if (number && typeof value === 'symbol' && Number.isSafeInteger(Number(source))) {
    const message = `${source} is not written as a plain whole number`;
    problems.error('yaml-number', at, message, `write ${Number(source)}`);
  } else if (!number && written?.plain && typeof value !== 'string' && takes(wanted, 'string')) {
    const kind = typeof value === 'boolean' ? `the truth value ${value}` : `the number ${Number(source)}`;
    const message = `YAML reads ${source} as ${kind}; ${title} is wanted`;
    problems.error('yaml-quote', at, message, unitFix(title, source) ?? `quote it: "${source}"`);
  } else {
    const message = `${name} is ${describe(value)}; ${title} is wanted`;
    problems.error('value-kind', at, message, kindFix(value, source, title, wanted));
  }
}

/** Where quotes alone would not do: what else a bare number needs. */
function unitFix(title: string, source: string): string | null {
  if (!/^\d+$/.test(source)) return null;
  if (title === 'a duration') return `write ${Number(source)}s`;
  if (title === 'a size') return `write ${Number(source)}B, or with KiB, MiB or GiB`;
  return title === 'a type' ? `write TYPE${Number(source)}, or its mnemonic` : null;
}

function kindFix(value: unknown, source: string, title: string, wanted: Schema | null): string {
  if (typeof value === 'string' && takes(wanted, 'boolean')) {
    if (/^(y|yes|on|true)$/i.test(value)) return 'write true';
    if (/^(n|no|off|false)$/i.test(value)) return 'write false';
  }
  const literal = typeof value === 'string' ? closest(value, literalsOf(wanted)) : null;
  if (literal !== null) return literal;
  if (typeof value === 'string' && takes(wanted, 'array')) return `write a list: [${source}]`;
  const example = wanted?.meta()?.examples?.[0];
  return example === undefined ? `write ${title}` : `write ${title}, such as ${String(example)}`;
}

function describe(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object') return 'a map';
  return typeof value === 'symbol' ? (value.description ?? '') : String(value);
}

/** The known key that `key` was probably meant to be, as a fix, or null. */
function closest(key: string, known: readonly string[]): string | null {
  const wanted = key.toLowerCase().replaceAll('-', '_');
  const near = known
    .map((name) => ({ name, distance: editDistance(wanted, name) }))
    .filter(({ name, distance }) => distance <= Math.min(2, Math.floor(name.length / 2)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? null : `write ${near.name}`;
}

/** Insertions, deletions, substitutions and swaps of neighbours that lead from one text to the other (optimal string alignment). */
function editDistance(a: string, b: string): number {
  // Longer keys are no slips of one of ours.
  if (Math.abs(a.length - b.length) > 2) return 3;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
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

function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** The parts of zod's schemas that are used here. */
interface Schema {
  readonly def: {
    readonly type: string;
    readonly innerType?: Schema;
    readonly element?: Schema;
    readonly valueType?: Schema;
    readonly shape?: Readonly<Record<string, Schema>>;
    readonly options?: readonly Schema[];
    readonly values?: readonly unknown[];
  };
  meta(): { readonly title?: string; readonly examples?: readonly unknown[] } | undefined;
}

/** The schema of what stands at a path. In a union it is the branch that has the next key. */
function schemaAt(schema: Schema, path: Path, data: unknown): Schema | null {
  let at: Schema | null = schema;
  let value = data;
  for (const key of path) {
    at = child(at, key);
    value = valueAt(value, [key]);
    if (at === null) return null;
  }
  // Of a union, a map is judged by the branch for maps.
  const bare = unwrap(at);
  const isMapValue = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (bare.def.type === 'union' && isMapValue)
    return bare.def.options?.find((one) => unwrap(one).def.shape) ?? bare;
  return bare;
}

function child(schema: Schema | null, key: string | number): Schema | null {
  if (schema === null) return null;
  const { def } = unwrap(schema);
  if (def.options !== undefined) {
    return def.options.map((option) => child(option, key)).find((found) => found !== null) ?? null;
  }
  if (typeof key === 'number') return def.element ?? null;
  return def.shape?.[key] ?? def.valueType ?? null;
}

function unwrap(schema: Schema): Schema {
  return schema.def.type === 'optional' && schema.def.innerType ? unwrap(schema.def.innerType) : schema;
}

function keysOf(schema: Schema | null): string[] {
  return Object.keys(schema?.def.shape ?? {});
}

/** Texts that stand for themselves among the branches of a union. */
function literalsOf(schema: Schema | null): string[] {
  return (schema?.def.options ?? []).flatMap((option) => (unwrap(option).def.values ?? []).map(String));
}

/** Whether a kind of value is one that a schema takes, also as a branch of a union. */
function takes(schema: Schema | null, type: 'string' | 'number' | 'boolean' | 'array'): boolean {
  if (schema === null) return false;
  return (
    schema.def.type === type || (schema.def.options?.some((option) => takes(unwrap(option), type)) ?? false)
  );
}
