import { readFileSync } from 'node:fs';
import t from 'tap';
import { RUNTIME_OPTIONS } from '../../src/cli/process/runtime-options.ts';

/** Each way to start the program gives Node the same options, in the same order. */

/** What stands between `node` and the program, in each line that starts it. */
const STARTS = /[/\s`]node"?,? ((?:"?--[\w=-]+"?,? )+)"?\S*\bmain\.[jt]s/g;

const PLACES = [
  { file: 'package.json', starts: 1 },
  { file: 'packaging/systemd/namegate.service', starts: 2 },
  { file: 'packaging/container/namegate', starts: 1 },
  { file: 'Dockerfile', starts: 1 },
  { file: 'docs/operations.md', starts: 1 },
];

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

for (const { file, starts } of PLACES) {
  t.test(`${file} gives the options`, async (t) => {
    const found = [...read(file).matchAll(STARTS)].map(([, given = '']) =>
      given
        .replaceAll(/[",]/g, '')
        .split(' ')
        .filter((option) => option !== ''),
    );
    t.equal(found.length, starts);
    for (const given of found) t.strictSame(given, [...RUNTIME_OPTIONS]);
  });
}

t.test('so does the launcher', async (t) => {
  const [, list = ''] = /^const RUNTIME_OPTIONS = \[(.*)\];$/m.exec(read('bin/namegate.js')) ?? [];
  const given = [...list.matchAll(/'([^']+)'/g)].map(([, option]) => option);
  t.strictSame(given, [...RUNTIME_OPTIONS]);
});
