import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Export, exportsOf } from './architecture/exports.ts';
import { ROOT } from './compiler.ts';

/** What is loaded while the process or a test runs, which the compiler does not follow. */
const LOADED: ReadonlySet<string> = new Set([
  'assembly/feed/feed-parts.ts runFeed',
  'cli/process/signals.ts Signals',
  'cli/program.ts run',
]);

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
