import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mixesOf } from './architecture/time-kinds.ts';
import { ROOT } from './compiler.ts';

t.test('no sum, difference or comparison of src mixes kinds of time', async (t) => {
  const { mixes, sums } = mixesOf(join(ROOT, 'tsconfig.build.json'), join(ROOT, 'src/'));
  t.same(
    mixes.map(({ file, line, message }) => `${file.slice(ROOT.length)}:${line}: ${message}`),
    [],
  );
  t.ok(sums > 400, `${sums} were seen`);
});

const HEAD = `import type { ClockOffset, EpochMilliseconds, EpochSeconds, Milliseconds, Monotonic, Seconds, SinceBoot, Times } from '${ROOT}src/wire/quantity.ts';
declare const now: Monotonic, until: Monotonic, wall: EpochMilliseconds, epoch: EpochSeconds, boot: SinceBoot;
declare const wait: Milliseconds, ttl: Seconds, offset: ClockOffset, maybe: Monotonic | null, times: Times<Monotonic>;
declare function after(wait: Milliseconds): void;
declare function at(moment: Monotonic): void;
declare function by(clock: () => Monotonic): void;
declare const performance: { now(): number };
`;

/** A line, and what is wrong with it; null for nothing. */
const ROWS: readonly (readonly [line: string, message: string | null])[] = [
  ['at(now + wait);', null],
  ['at(wait + until);', null],
  ['at(now + ttl * 1000);', null],
  ['at(1000 * ttl + now);', null],
  ['at(maybe ?? now + 250);', null],
  ['after(until - now);', null],
  ['after(Math.max(0, until - now));', null],
  ['if (wall / 1000 > epoch) after(wait);', null],
  ['if (until <= 0 || now > until - 5) after(wait);', null],
  ['at(wall - offset);', null],
  ['export const x: EpochMilliseconds = now + offset;', null],
  ['export const y: ClockOffset = wall - now;', null],
  ['after(now - times[0]!);', null],
  ['times[1] = now + wait;', null],
  ['if (times[0]! > wall) after(wait);', 'Monotonic beside EpochMilliseconds'],
  ['times[1] = until - now;', 'Milliseconds goes where Monotonic is wanted'],
  ['if (now > wall) after(wait);', 'Monotonic beside EpochMilliseconds'],
  ['if (now === boot) after(wait);', 'Monotonic beside SinceBoot'],
  ['if (epoch < wall) after(wait);', 'EpochSeconds beside EpochMilliseconds'],
  ['if (now > wait) after(wait);', 'Monotonic beside Milliseconds'],
  ['if (until - now < ttl) after(wait);', 'Milliseconds beside Seconds'],
  ['at(Math.min(until, wall));', 'Monotonic beside EpochMilliseconds'],
  ['at(now + ttl);', 'Monotonic + Seconds'],
  ['at(now + until);', 'Monotonic + Monotonic'],
  ['after(wait - now);', 'Milliseconds - Monotonic'],
  ['after(wall - boot);', 'EpochMilliseconds - SinceBoot'],
  ['at(until - now);', 'Milliseconds goes where Monotonic is wanted'],
  ['after(now + wait);', 'Monotonic goes where Milliseconds is wanted'],
  ['after(Math.max(0, epoch - 5));', 'EpochSeconds goes where Milliseconds is wanted'],
  ['const left = until - now; at(left);', 'Milliseconds goes where Monotonic is wanted'],
  ['const left = until - now; if (left > ttl) after(left);', 'Milliseconds beside Seconds'],
  ['export const z = (): Monotonic => until - now;', 'Milliseconds goes where Monotonic is wanted'],
  ['at(performance.now());', null],
  ['at(performance.now() + wait);', null],
  ['by(performance.now);', null],
  ['by(() => performance.now());', null],
  ['if (Date.now() / 1000 > epoch) after(wait);', null],
  ['export const o: ClockOffset = Date.now() - performance.now();', null],
  ['at(Date.now());', 'EpochMilliseconds goes where Monotonic is wanted'],
  ['by(Date.now);', 'EpochMilliseconds goes where Monotonic is wanted'],
  ['by(() => Date.now());', 'EpochMilliseconds goes where Monotonic is wanted'],
  ['if (Date.now() > now) after(wait);', 'EpochMilliseconds beside Monotonic'],
  ['const read = Date.now(); at(read);', 'EpochMilliseconds goes where Monotonic is wanted'],
  ['let kept = now; kept = until - now; at(kept);', 'Milliseconds goes where Monotonic is wanted'],
];

t.test('a mix of kinds is seen where one is planted', async (t) => {
  const folder = t.testdir();
  for (const [i, [line]] of ROWS.entries()) writeFileSync(join(folder, `row${i}.ts`), `${HEAD}${line}\n`);
  const project = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: { types: [] }, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  const { mixes } = mixesOf(join(folder, 'tsconfig.json'), folder);
  for (const [i, [line, message]] of ROWS.entries()) {
    const said = mixes.filter(({ file }) => file.endsWith(`/row${i}.ts`));
    t.same(
      said.map((mix) => mix.message),
      message === null ? [] : [message],
      line,
    );
  }
});
