import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Export, exportsOf } from './architecture/exports.ts';
import { unreadCounters } from './architecture/unread.ts';
import { ROOT } from './compiler.ts';

/** What is loaded while the process or a test runs, which the compiler does not follow. */
const LOADED: ReadonlySet<string> = new Set([
  'assembly/feed/feed-parts.ts runFeed',
  'cli/process/signals.ts Signals',
  'cli/program.ts run',
]);

/** Counters that are read with all of the object that they stand in: it is spread, or looked through. */
const GIVEN_WHOLE: readonly string[] = [
  'admin/leases/lease-book.ts ran_out',
  'policy/learn/proposal.ts once',
  'stub/dispatcher.ts dials',
  'upstream/server-counts.ts silent',
];

function needless(all: readonly Export[]): string[] {
  return all
    .filter(({ isUsed, isUsedInside, isUsedOutside }) => !isUsed && !(isUsedInside && isUsedOutside))
    .map(({ file, name }) => `${file} ${name}`);
}

t.test('what a file of src exports is used by another, or is a part that a test tries alone', async (t) => {
  const all = exportsOf(join(ROOT, 'tsconfig.json'), join(ROOT, 'src/'));
  t.ok(all.length > 1000, `${all.length} were seen`);
  t.same(
    needless(all).filter((each) => !LOADED.has(each)),
    [],
    'without `export`, or out of the file',
  );
});

t.test('an export that nobody needs is seen', async (t) => {
  const folder = `${t.testdir({ src: {}, test: {} })}/`;
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write('src/a.ts', 'export const used = 1;\nexport function alone() {}\nexport class Own {}\nnew Own();\n');
  write(
    'src/b.ts',
    "import { used } from './a.ts';\nused;\nexport const tried = 1;\nexport const part = 1;\npart;\n",
  );
  write('src/c.ts', "import { alone } from './a.ts';\nconst inside = 1;\ninside;\n");
  write('test/b.test.ts', "import { part, tried } from '../src/b.ts';\ntried;\npart;\n");
  const compilerOptions = { types: [], noUnusedLocals: false };
  const project = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['src', 'test'] };
  write('tsconfig.json', JSON.stringify(project));
  const all = exportsOf(join(folder, 'tsconfig.json'), join(folder, 'src/'));
  t.same(needless(all).sort(), ['a.ts Own', 'a.ts alone', 'b.ts tried']);
});

t.test('no counter of src is raised and never read', async (t) => {
  const found = unreadCounters(join(ROOT, 'tsconfig.build.json'), join(ROOT, 'src/'));
  t.same(
    found.map(({ file, name }) => `${file} ${name}`).sort(),
    GIVEN_WHOLE,
    'it goes to a metric, or out of the file',
  );
});

t.test('a counter that nobody reads is seen', async (t) => {
  const folder = `${t.testdir()}/`;
  const text = `interface Counters { seen: number; lost: number; taken: number }
export class A {
  readonly counters: Counters = { seen: 0, lost: 0, taken: 0 };
  #rounds = 0;
  #turns = 0;
  hear(by: number): number {
    this.counters.seen++;
    this.counters.lost += by;
    this.counters.taken++;
    this.#rounds++;
    this.#turns++;
    if (this.#turns > 5) this.#rounds = 0;
    const { taken } = this.counters;
    return this.counters.seen + taken;
  }
}
`;
  writeFileSync(join(folder, 'a.ts'), text);
  const project = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: { types: [] }, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  const found = unreadCounters(join(folder, 'tsconfig.json'), folder);
  t.same(found.map(({ name }) => name).sort(), ['#rounds', 'lost']);
});
