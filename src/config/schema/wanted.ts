import { editDistance } from '../edit-distance.ts';

/** The parts of zod's schemas that are used to say what is wanted somewhere. */
export interface Schema {
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

/** Keys from the top of a file's data to a value in it. */
export type Path = readonly (string | number)[];

/** The value at a path, or undefined where there is none. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** The schema of what stands at a path. In a union it is the branch that has the next key. */
export function schemaAt(schema: Schema, path: Path, data: unknown): Schema | null {
  let at: Schema | null = schema;
  for (const key of path) {
    at = child(at, key);
    if (at === null) return null;
  }
  // Of a union, a map is judged by the branch for maps.
  const bare = unwrap(at);
  const value = valueAt(data, path);
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (bare.def.type === 'union' && isMap)
    return bare.def.options?.find((one) => unwrap(one).def.shape) ?? bare;
  return bare;
}

/** What a schema wants, in words. */
export function titleOf(schema: Schema | null): string {
  return schema?.meta()?.title ?? 'something else';
}

/** A value as it could be written, or null. */
export function exampleOf(schema: Schema | null): string | null {
  const example = schema?.meta()?.examples?.[0];
  return example === undefined ? null : String(example);
}

export function keysOf(schema: Schema | null): string[] {
  return Object.keys(schema?.def.shape ?? {});
}

/** Texts that stand for themselves among the branches of a union. */
export function literalsOf(schema: Schema | null): string[] {
  return (schema?.def.options ?? []).flatMap((option) => (unwrap(option).def.values ?? []).map(String));
}

/** Whether a kind of value is one that a schema takes, also as a branch of a union. */
export function takes(schema: Schema | null, type: 'string' | 'number' | 'boolean' | 'array'): boolean {
  if (schema === null) return false;
  return (
    schema.def.type === type || (schema.def.options?.some((option) => takes(unwrap(option), type)) ?? false)
  );
}

/** Which of the known words was probably meant, as a fix, or null. */
export function closest(word: string, known: readonly string[]): string | null {
  const wanted = word.toLowerCase().replaceAll('-', '_');
  const near = known
    .map((name) => ({ name, distance: editDistance(wanted, name) }))
    .filter(({ name, distance }) => distance <= Math.min(2, Math.floor(name.length / 2)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? null : `write ${near.name}`;
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
