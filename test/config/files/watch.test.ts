import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { folderEvents } from '../../../src/config/files/events.ts';
import { FileWatch } from '../../../src/config/files/watch.ts';
import type { LoadResult } from '../../../src/config/loaded.ts';
import { loadFrom, POLICY, put, SERVER, write } from '../harness.ts';

const FOLDER = SERVER.replace('policy.yaml', 'policy/');
/** Longer than any test: what is seen then was seen by an event. */
const NEVER = 600_000;

/** Loads, watches, and loads again at each change, as the server does. */
class Follower {
  readonly results: LoadResult[];
  readonly errors: Error[] = [];
  readonly watch: FileWatch;

  constructor(t: Test, dir: string, how: { poll: number; settle?: number; events?: boolean }) {
    this.results = [loadFrom(dir)];
    this.watch = new FileWatch({
      files: () => this.last.files,
      barred: () => this.last.barred,
      hash: () => this.last.hash,
      onChange: () => {
        this.results.push(loadFrom(dir));
      },
      onError: (error) => {
        this.errors.push(error);
      },
      settle: how.settle ?? 20,
      poll: how.poll,
      ...(how.events === false ? {} : { events: folderEvents }),
    });
    t.teardown(() => this.watch.close());
  }

  get last(): LoadResult {
    return this.results.at(-1)!;
  }

  get names(): string {
    return (this.last.snapshot?.identities ?? []).map(({ name }) => name).join();
  }

  /** Waits until what was loaded last is as wanted. */
  async until(t: Test, what: string, wanted: () => boolean): Promise<void> {
    // Only a failure lasts so long: each turn waits for the timers of a watch in the same process.
    for (let turn = 0; turn < 2_000 && !wanted(); turn++) await sleep(10);
    t.ok(wanted(), `${what} (${this.results.length} loads)`);
  }
}

const named = (name: string, address = '127.0.0.1'): string =>
  POLICY.replace('name: me', `name: ${name}`).replace('127.0.0.1', address);

for (const [how, watch] of [
  ['events', { poll: NEVER }],
  ['events and polls', { poll: 50 }],
  ['polls', { poll: 50, events: false }],
] as const) {
  t.test(`seen by ${how}`, async (t) => {
    const dir = write(t, { 'namegate.yaml': FOLDER, 'policy/a.yaml': named('one') });
    const follower = new Follower(t, dir, watch);
    const file = join(dir, 'policy/a.yaml');
    // chokidar needs a moment before its watches stand.
    await sleep(300);

    writeFileSync(file, named('two'));
    await follower.until(t, 'an edit in place', () => follower.names === 'two');

    writeFileSync(join(dir, 'policy/.a.tmp'), named('six'));
    renameSync(join(dir, 'policy/.a.tmp'), file);
    await follower.until(t, 'a rename over it, of the same size', () => follower.names === 'six');

    writeFileSync(join(dir, 'policy/b.yaml'), named('new', '127.0.0.2'));
    await follower.until(t, 'a new file', () => follower.names === 'six,new');

    rmSync(join(dir, 'policy/b.yaml'));
    await follower.until(t, 'a file is gone', () => follower.names === 'six');

    writeFileSync(join(dir, 'namegate.yaml'), `${FOLDER}admin: x\n`);
    await follower.until(t, 'a mistake in the server file', () => follower.last.settings === null);
    writeFileSync(join(dir, 'namegate.yaml'), FOLDER);
    await follower.until(t, 'and its correction', () => follower.names === 'six');

    rmSync(file);
    await follower.until(
      t,
      'the last file is gone',
      () => follower.last.problems[0]?.code === 'policy-empty',
    );
    writeFileSync(file, named('again'));
    await follower.until(t, 'and back', () => follower.names === 'again');
    t.same(follower.errors, []);
  });
}

t.test('a whole folder that goes and comes back is seen', async (t) => {
  const dir = write(t, { 'namegate.yaml': FOLDER, 'policy/a.yaml': named('one') });
  const follower = new Follower(t, dir, { poll: 50 });
  renameSync(join(dir, 'policy'), join(dir, 'aside'));
  await follower.until(t, 'gone', () => follower.last.problems[0]?.code === 'file-missing');
  put(dir, { 'aside/a.yaml': named('two') });
  renameSync(join(dir, 'aside'), join(dir, 'policy'));
  await follower.until(t, 'back', () => follower.names === 'two');
});

for (const [how, poll] of [
  ['an event', NEVER],
  ['a poll', 50],
] as const) {
  t.test(`the swap of a ConfigMap's ..data is seen by ${how}`, async (t) => {
    const dir = write(t, { 'namegate.yaml': FOLDER, 'policy/..v1/a.yaml': named('one') });
    const policy = join(dir, 'policy');
    symlinkSync('..v1', join(policy, '..data'));
    symlinkSync('..data/a.yaml', join(policy, 'a.yaml'));
    const follower = new Follower(t, dir, { poll });
    t.equal(follower.names, 'one');
    await sleep(300);
    for (const [version, name] of [
      ['..v2', 'two'],
      ['..v3', 'six'],
    ] as const) {
      mkdirSync(join(policy, version));
      writeFileSync(join(policy, version, 'a.yaml'), named(name));
      symlinkSync(version, join(policy, '..data_tmp'));
      renameSync(join(policy, '..data_tmp'), join(policy, '..data'));
      // The old folder stays: nothing but the link says that anything changed.
      await follower.until(t, version, () => follower.names === name);
    }
  });
}

t.test('what no event tells is polled: the target of a link, a list far away', async (t) => {
  const dir = write(t, {
    'namegate.yaml': FOLDER.replace('policy/', '{ path: policy/, may_read: [far, real] }'),
    'policy/a.yaml': `destinations: { d: { owner: o, reason: r, names_from: [../far/list.txt] } }\n${POLICY}    allow: [d]\n`,
    'real/b.yaml': named('linked', '127.0.0.2'),
    'far/list.txt': 'a.example\n',
  });
  symlinkSync('../real/b.yaml', join(dir, 'policy/b.yaml'));
  const follower = new Follower(t, dir, { poll: 50 });
  t.equal(follower.names, 'me,linked');
  writeFileSync(join(dir, 'real/b.yaml'), named('target', '127.0.0.2'));
  await follower.until(t, 'the target of a link', () => follower.names === 'me,target');
  t.equal(follower.last.snapshot!.rules.count, 1);
  writeFileSync(join(dir, 'far/list.txt'), 'a.example\nb.example\n');
  await follower.until(t, 'a list', () => follower.last.snapshot?.rules.count === 2);
});

t.test(
  'a link that led outside is seen when it comes back, and what stands outside is no change',
  async (t) => {
    const dir = write(t, {
      'namegate.yaml': FOLDER,
      'policy/a.yaml': named('me'),
      'real/b.yaml': 'no: policy\n',
    });
    put(dir, { 'policy/..real/b.yaml': named('linked', '127.0.0.2') });
    symlinkSync('../real/b.yaml', join(dir, 'policy/b.yaml'));
    const follower = new Follower(t, dir, { poll: 50 });
    t.equal(follower.last.problems[0]?.code, 'file-outside');
    const loads = follower.results.length;
    writeFileSync(join(dir, 'real/b.yaml'), 'no: policy, again\n');
    symlinkSync('..real/b.yaml', join(dir, 'policy/.next'));
    renameSync(join(dir, 'policy/.next'), join(dir, 'policy/b.yaml'));
    await follower.until(t, 'the link', () => follower.names === 'me,linked');
    t.equal(follower.results.length, loads + 1);
  },
);

t.test('a file that is half written is a problem until it is whole', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const follower = new Follower(t, dir, { poll: 50 });
  const file = join(dir, 'policy.yaml');
  const whole = named('whole');
  writeFileSync(file, '');
  await follower.until(t, 'empty', () => follower.last.problems[0]?.code === 'yaml-empty');
  writeFileSync(file, whole.slice(0, 20));
  await follower.until(
    t,
    'half',
    () => follower.last.snapshot === null && follower.last.problems[0]?.code !== 'yaml-empty',
  );
  writeFileSync(file, whole);
  await follower.until(t, 'whole', () => follower.names === 'whole');
});

t.test('the same content again is no change', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const follower = new Follower(t, dir, { poll: 30 });
  const file = join(dir, 'policy.yaml');
  for (let i = 0; i < 5; i++) {
    writeFileSync(file, readFileSync(file));
    await sleep(60);
  }
  put(dir, { 'other.txt': 'x' });
  await sleep(200);
  t.equal(follower.results.length, 1);
  writeFileSync(file, named('two'));
  await follower.until(t, 'another content is', () => follower.names === 'two');
});

t.test('a write that leaves size and date as they were is still found', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const file = join(dir, 'policy.yaml');
  const follower = new Follower(t, dir, { poll: 30 });
  await sleep(200);
  const { atime, mtime, ino } = statSync(file);
  writeFileSync(file, named('two'));
  utimesSync(file, atime, mtime);
  t.equal(statSync(file).ino, ino);
  await follower.until(t, 'same size, inode and date', () => follower.names === 'two');
});

t.test('a change between the load and the watch is found', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const { files, hash } = loadFrom(dir);
  writeFileSync(join(dir, 'policy.yaml'), named('two'));
  let changes = 0;
  const watch = new FileWatch({
    files: () => files,
    hash: () => hash,
    onChange: () => changes++,
    events: folderEvents,
    poll: NEVER,
    settle: 20,
  });
  t.teardown(() => watch.close());
  for (let turn = 0; turn < 2_000 && changes === 0; turn++) await sleep(10);
  await sleep(200);
  t.equal(changes, 1, 'and told once, though nobody loaded it');
});

t.test('pause and resume', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const follower = new Follower(t, dir, { poll: 30 });
  follower.watch.pause();
  writeFileSync(join(dir, 'policy.yaml'), named('two'));
  await sleep(300);
  t.equal(follower.names, 'one');
  follower.watch.resume();
  await follower.until(t, 'seen after the pause', () => follower.names === 'two');
});

t.test('after close nothing is told, and an onChange that throws is told as an error', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const { files, hash } = loadFrom(dir);
  const errors: string[] = [];
  let calls = 0;
  const onChange = (): void => {
    calls++;
    throw new Error('a bug');
  };
  const onError = (error: Error): void => {
    errors.push(error.message);
  };
  const watch = new FileWatch({
    files: () => files,
    hash: () => hash,
    onChange,
    onError,
    events: folderEvents,
    poll: 30,
    settle: 10,
  });
  writeFileSync(join(dir, 'policy.yaml'), named('two'));
  for (let turn = 0; turn < 2_000 && errors.length === 0; turn++) await sleep(10);
  t.same(errors, ['a bug']);
  await watch.close();
  const before = calls;
  writeFileSync(join(dir, 'policy.yaml'), named('three'));
  await sleep(200);
  t.equal(calls, before);
  await watch.close();
});

t.test('a storm of events delays a look only so long', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const { files, hash } = loadFrom(dir);
  let happened: (path: string) => void = () => {};
  let changes = 0;
  const watch = new FileWatch({
    files: () => files,
    hash: () => hash,
    onChange: () => changes++,
    events: (_folders, onPath) => {
      happened = onPath;
      return { add() {}, unwatch() {}, close: async () => {} };
    },
    poll: NEVER,
    settle: 60,
  });
  t.teardown(() => watch.close());
  const file = join(dir, 'policy.yaml');
  writeFileSync(file, named('two'));
  let events = 0;
  for (; changes === 0 && events < 400; events++) {
    happened(file);
    await sleep(5);
  }
  t.ok(changes > 0, `a look while they go on, at the ${events}th`);
});

t.test('a watch does not keep a process alive', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': named('one') });
  const url = (path: string): string => new URL(`../../../src/config/${path}`, import.meta.url).href;
  put(dir, {
    'run.ts': `import { load } from '${url('load.ts')}';
import { folderEvents } from '${url('files/events.ts')}';
import { FileWatch } from '${url('files/watch.ts')}';
const result = load('namegate.yaml', { env: {}, now: 0, salt: 1 });
new FileWatch({ files: () => result.files, hash: () => result.hash, onChange() {}, events: folderEvents });
console.log('watching');
`,
  });
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const run = promisify(execFile)(process.execPath, ['run.ts'], { cwd: dir, timeout: 10_000 });
  t.equal((await run).stdout, 'watching\n');
});
