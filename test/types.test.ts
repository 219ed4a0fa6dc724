import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** What the types catch that cost nothing at run time: one planted mistake each, under the options of this repository. */

const root = fileURLToPath(new URL('../', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
  readonly compilerOptions: object;
};

const HEAD = `import type { Kind } from '${root}src/outbox/event.ts';
import { type Course, COURSE } from '${root}src/resolve/story/turn.ts';
import { type Milliseconds, type RrType, type Seconds, unreachable } from '${root}src/wire/quantity.ts';

export const wait = (time: Milliseconds): Milliseconds => time;
export const seconds: Seconds = 5;
export const type: RrType = 1;
`;

/** A line, and the code of what the compiler says of it; null for nothing. */
const ROWS: readonly (readonly [line: string, code: string | null])[] = [
  ['wait(250);', null],
  ['wait(1000 * seconds);', null],
  ['wait(seconds);', 'TS2379'],
  ['wait(type);', 'TS2379'],
  [
    'export const a = (course: Course): number => { switch (course.kind) { case COURSE.NONE: return 1; default: return unreachable(course.kind); } };',
    'TS2345',
  ],
  [
    "export const b = (kind: Kind): number => { switch (kind) { case 'deny': return 1; default: return unreachable(kind); } };",
    'TS2345',
  ],
  [
    "export const c = (kind: 'deny'): number => { switch (kind) { case 'deny': return 1; default: return unreachable(kind); } };",
    null,
  ],
];

t.test('seconds are no milliseconds, and a switch that lacks a case does not compile', async (t) => {
  const folder = t.testdir();
  const names = ROWS.map(([line], i) => {
    writeFileSync(join(folder, `row${i}.ts`), `${HEAD}${line}\n`);
    return `row${i}.ts`;
  });
  const typeRoots = [join(root, 'node_modules/@types')];
  const options = {
    ...compilerOptions,
    typeRoots,
    rewriteRelativeImportExtensions: false,
    noUnusedLocals: false,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: names }));
  // What tap loads into each process would not let the compiler start.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
    env,
  });
  for (const [i, [line, code]] of ROWS.entries()) {
    const said = stdout.split('\n').filter((each) => each.includes(`row${i}.ts(`));
    if (code === null) t.same(said, [], line);
    else t.match(said, [new RegExp(`error ${code}: `)], line);
  }
});
