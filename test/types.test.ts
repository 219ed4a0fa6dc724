import t from 'tap';
import { complaints, ROOT } from './compiler.ts';

/** What the types catch that cost nothing at run time: one planted mistake each, under the options of this repository. */

const HEAD = `import type { Kind } from '${ROOT}src/outbox/event.ts';
import { type Course, COURSE } from '${ROOT}src/resolve/story/turn.ts';
import { type Milliseconds, type RrType, type Seconds, unreachable } from '${ROOT}src/wire/quantity.ts';

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
  const files = Object.fromEntries(ROWS.map(([line], i) => [`row${i}.ts`, `${HEAD}${line}\n`]));
  const all = complaints(t.testdir(), files);
  for (const [i, [line, code]] of ROWS.entries()) {
    const said = all.filter((each) => each.includes(`row${i}.ts(`));
    if (code === null) t.same(said, [], line);
    else t.match(said, [new RegExp(`error ${code}: `)], line);
  }
});
