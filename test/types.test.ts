import t from 'tap';
import { complaints, ROOT } from './compiler.ts';

/** What the types catch that cost nothing at run time: one planted mistake each, under the options of this repository. */

const HEAD = `import type { Kind } from '${ROOT}src/outbox/event.ts';
import { COURSE, type Turn } from '${ROOT}src/resolve/story/turn.ts';
import { type ClockOffset, type EpochMilliseconds, type EpochSeconds, type Milliseconds, type Monotonic, type RrType, type Seconds, type SinceBoot, type Times, unreachable } from '${ROOT}src/wire/quantity.ts';

type Course = Turn['course'];
export const wait = (time: Milliseconds): Milliseconds => time;
export const until = (moment: Monotonic): Monotonic => moment;
export const on = (moment: EpochSeconds): EpochSeconds => moment;
export const seconds: Seconds = 5;
export const now: Monotonic = 5;
export const wall: EpochMilliseconds = 5;
export const epoch: EpochSeconds = 5;
export const boot: SinceBoot = 5;
export const offset: ClockOffset = 5;
export const times: Times<Monotonic> = new Float64Array(2);
export const type: RrType = 1;
`;

/** A line, and the code of what the compiler says of it; null for nothing. */
const ROWS: readonly (readonly [line: string, code: string | null])[] = [
  ['wait(250);', null],
  ['wait(1000 * seconds);', null],
  ['wait(seconds);', 'TS2379'],
  ['wait(type);', 'TS2379'],
  ['wait(now);', 'TS2379'],
  ['until(now + 250);', null],
  ['until(now);', null],
  ['until(wall);', 'TS2379'],
  ['until(epoch);', 'TS2379'],
  ['until(boot);', 'TS2379'],
  ['until(offset);', 'TS2379'],
  ['until(times[0] ?? 0);', null],
  ['wait(times[0] ?? 0);', 'TS2345'],
  ['times[0] = wall;', 'TS2375'],
  ['until(seconds);', 'TS2379'],
  ['on(wall / 1000);', null],
  ['on(wall);', 'TS2379'],
  ['on(seconds);', 'TS2379'],
  ['on(now);', 'TS2379'],
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

t.test(
  'seconds are no milliseconds, one clock is not another, and a switch that lacks a case does not compile',
  async (t) => {
    const files = Object.fromEntries(ROWS.map(([line], i) => [`row${i}.ts`, `${HEAD}${line}\n`]));
    const all = complaints(t.testdir(), files);
    for (const [i, [line, code]] of ROWS.entries()) {
      const said = all.filter((each) => each.includes(`row${i}.ts(`));
      if (code === null) t.same(said, [], line);
      else t.match(said, [new RegExp(`error ${code}: `)], line);
    }
  },
);
