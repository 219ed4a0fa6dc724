import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { optionsFor, RUNTIME_OPTIONS, STUB_OPTIONS } from '../../src/cli/process/runtime-options.ts';
import { freePort } from '../interop/process.ts';
import { clientFiles } from '../stub/peers.ts';

/** Each way to start the program gives Node the same options, in the same order. */

/** What stands between `node` and the program, in each line that starts it. */
const STARTS = /[/\s`]node"?,? ((?:"?--[\w=-]+"?,? )+)"?\S*\bmain\.[jt]s/g;

const PLACES = [
  { file: 'package.json', starts: 1 },
  { file: 'packaging/systemd/namegate.service', starts: 2 },
  { file: 'packaging/systemd/namegate-enforce.service', starts: 1 },
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
  for (const [name, options] of Object.entries({ RUNTIME_OPTIONS, STUB_OPTIONS })) {
    const [, list = ''] =
      new RegExp(`^const ${name} = \\[(.*)\\];$`, 'm').exec(read('bin/namegate.js')) ?? [];
    const given = [...list.matchAll(/'([^']+)'/g)].map(([, option]) => option);
    t.strictSame(given, [...options]);
  }
});

/** The arguments that a process runs with once it has said something, up to the program's own. */
async function startedWith(command: readonly string[], env: Record<string, string>): Promise<string[]> {
  // The test runner puts options into every Node below it; `env -i` takes them out again.
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const path = `PATH=${process.env['PATH'] ?? ''}`;
  const child = spawn('env', ['-i', path, ...variables, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    const line = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0');
    return line.slice(
      1,
      line.findIndex((word) => word.endsWith('main.ts')),
    );
  } finally {
    child.kill();
    await once(child, 'exit');
  }
}

const linux = { skip: process.platform !== 'linux' };

t.test('a stub that was started without an option starts over with it', linux, async (t) => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const { cert, key, ca } = clientFiles(t);
  const stub = async (): Promise<string[]> => {
    const [listen, server] = [await freePort(), await freePort()];
    const at = ['--listen', `127.0.0.1:${listen}`, '--server', `tls://127.0.0.1:${server}`];
    return ['stub', ...at, '--cert', cert, '--key', key, '--ca', ca];
  };
  const all = optionsFor('stub');
  t.strictSame(all, [...RUNTIME_OPTIONS, ...STUB_OPTIONS]);
  t.strictSame(optionsFor('serve'), RUNTIME_OPTIONS);
  const node = process.execPath;
  t.strictSame(await startedWith([node, main, ...(await stub())], {}), [...all], 'without any');
  const some = [...RUNTIME_OPTIONS];
  t.strictSame(
    await startedWith([node, ...some, main, ...(await stub())], {}),
    [...STUB_OPTIONS, ...some],
    'with those that all verbs have',
  );
  const own = ['--max_semi_space_size=4', '--disable-sigusr1'];
  t.strictSame(
    await startedWith([node, ...own, main, ...(await stub())], {}),
    [...all.filter((option) => !/semi-space|sigusr1/.test(option)), ...own],
    'values of the caller stay',
  );
  t.strictSame(
    await startedWith([node, main, ...(await stub())], { NODE_OPTIONS: '--max-semi-space-size=2' }),
    all.filter((option) => !option.startsWith('--max-semi-space-size')),
    'those of the environment too',
  );
});
