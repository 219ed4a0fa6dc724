import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../../src/journal/folder.ts';
import { isJournal } from '../../src/report/journald.ts';
import { some } from '../amount.ts';
import { policyOf } from './changes.ts';
import { house, MAIN, Namegate, Process, until } from './namegate.ts';

/** Where its words go: files that are full or closed, journald, a state folder that cannot be. */

const skip = process.platform !== 'linux';

t.test('an output that is full or closed stops nothing', { skip }, async (t) => {
  const all = ['>/dev/full', '2>/dev/full', '>&- 2>&-', '>/dev/full 2>/dev/full', '>&-', '2>&-'];
  for (const arrange of some(all, 0, 1, 2)) {
    const folder = join(t.testdirName, arrange.replace(/\W+/g, '_'));
    mkdirSync(folder, { recursive: true });
    house(t, { policy: policyOf('local.example'), settings: 'metrics: http://127.0.0.61:0' }, folder);
    const server = new Process(t, folder, { under: ['sh', '-c', `exec "$@" ${arrange}`, 'sh'] });
    // It has printed what it prints at its start.
    await until(
      () => listens(server.child.pid ?? 0),
      () => `${arrange}: it does not serve`,
    );
    server.kill('SIGHUP');
    server.kill('SIGTERM');
    t.same(await server.ended, { code: 0, signal: null }, arrange);
  }
});

/** Whether a process has a listening TCP socket on 127.0.0.61. */
function listens(pid: number): boolean {
  try {
    readFileSync(`/proc/${pid}/stat`);
    return /^ *\d+: 3D00007F:\w+ \S+ 0A/m.test(readFileSync(`/proc/${pid}/net/tcp`, 'latin1'));
  } catch {
    return false;
  }
}

t.test('a state folder that cannot be: where, what to write, exit 1', { skip }, async (t) => {
  const all = ['/proc/x', '/dev/null/x', '/proc/x/y/z', '/sys/x'];
  for (const state of all) t.throws(() => makeFolder(state), state);
  for (const state of some(all, 0, 1)) {
    const folder = join(t.testdirName, state.replace(/\W/g, '_'));
    mkdirSync(folder, { recursive: true });
    const settings = `state: ${state}\nadmin: unix:${join(folder, 'admin.sock')}`;
    const server = new Process(t, house(t, { policy: policyOf('local.example'), settings }, folder));
    t.same(await server.ended, { code: 1, signal: null }, state);
    t.match(server.stderr, `the state folder ${state} cannot be used`);
    t.match(server.stderr, /write a folder of your own at state:/);
  }
  const deep = join(t.testdirName, 'a', 'b', 'c');
  makeFolder(deep);
  makeFolder(deep);
  t.equal(fstatSync(openedFolder(t, deep)).mode & 0o777, 0o700);
});

function openedFolder(t: Test, path: string): number {
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  return fd;
}

t.test('lines for journald begin with their priority', { skip }, async (t) => {
  const folder = house(t, { policy: policyOf('local.example') });
  const file = join(folder, 'journal');
  const fd = openSync(file, 'a');
  const { dev, ino } = fstatSync(fd, { bigint: true });
  t.ok(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino}` }));
  t.notOk(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino + 1n}` }), 'another file');
  t.notOk(isJournal(fd, {}));
  const run = (config: string) =>
    spawn(
      'env',
      ['-u', 'NODE_OPTIONS', process.execPath, '--disable-sigusr1', MAIN, 'serve', '--config', config],
      {
        stdio: ['ignore', fd, fd],
        cwd: '/',
        env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` },
      },
    );
  const read = (): string[] => readFileSync(file, 'utf8').trimEnd().split('\n');
  const child = run(join(folder, 'namegate.yaml'));
  t.teardown(() => child.kill('SIGKILL'));
  await until(() => read().some((line) => line.includes('"event":"ready"')));
  await until(() => read().some((line) => line.startsWith('  policy')));
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
  for (const line of read().filter((one) => one.includes('{"level"'))) {
    t.match(line, line.includes('"level":"info"') ? /^<6>\{/ : /^<[347]>\{/);
  }
  t.match(
    read().find((line) => line.startsWith('  policy')),
    `  policy     ${join(folder, 'policy')}`,
    'a whole path',
  );
  const broken = run(join(folder, 'nothing.yaml'));
  await new Promise((resolve) => broken.once('close', resolve));
  t.match(read().at(-1), /^<3>namegate: not started/);
  closeSync(fd);
});

t.test('warnings are told once, and counted from then on', async (t) => {
  const warned = policyOf('local.example').replace(/ +review_by:.*\n/, '');
  const server = await new Namegate(t, house(t, { policy: warned })).started();
  for (let reload = 1; reload <= 3; reload++) {
    server.write('policy/test.yaml', `${warned}# ${reload}\n`);
    server.kill('SIGHUP');
    await server.logged('policy-loaded', reload);
  }
  const problems = server.events('policy-problem');
  t.same(
    problems.map(({ level, before }) => [level, before]),
    [1, 2, 3].map(() => ['info', 1]),
  );
  await server.stop(t);
});
