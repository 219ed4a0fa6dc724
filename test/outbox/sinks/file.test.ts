import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { FileSinkSetting } from '../../../src/settings/alert-settings.ts';
import { once, Rig, TERMS, until, upTo } from './rig.ts';

function setting(path: string, more: Partial<FileSinkSetting> = {}): FileSinkSetting {
  return { ...TERMS, type: 'file', path, size: 2 ** 26, keep: 2, ...more };
}

function seqs(...paths: readonly string[]): number[] {
  const lines = paths.flatMap((path) => readFileSync(path, 'utf8').split('\n').slice(0, -1));
  return lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
}

t.test('lines of JSON, readable by the group alone', async (t) => {
  const path = join(t.testdir(), 'new/alerts.jsonl');
  const rig = new Rig(t);
  await rig.use(setting(path));
  rig.deny(600);
  await until('all is written', () => rig.acknowledged());
  t.same(seqs(path), upTo(600));
  t.equal(statSync(path).mode & 0o777, 0o640);
});

t.test('a reload waits for what is being written: it is no trouble', async (t) => {
  const path = join(t.testdir(), 'alerts.jsonl');
  const rig = new Rig(t);
  await rig.use(setting(path));
  for (let i = 0; i < 40; i++) {
    rig.deny(256, () => ({ text: 'x'.repeat(1_000) }));
    rig.sinks.renew();
    await new Promise((resolve) => setTimeout(resolve, i % 4));
    rig.sinks.renew();
  }
  await until('all is written', () => rig.acknowledged());
  t.strictSame(rig.states, []);
  t.same(seqs(path), upTo(40 * 256));
});

t.test('a file that is full makes way, and the oldest goes', async (t) => {
  const path = join(t.testdir(), 'alerts.jsonl');
  const rig = new Rig(t);
  await rig.use(setting(path, { size: 1_000 }));
  for (let i = 0; i < 5; i++) {
    rig.deny(10);
    await until('it is written', () => rig.acknowledged());
  }
  t.same(seqs(`${path}.2`, `${path}.1`, path), upTo(50).slice(20));
  t.throws(() => statSync(`${path}.3`));
});

t.test('half a line of a run before is taken out', async (t) => {
  const path = join(t.testdir(), 'alerts.jsonl');
  writeFileSync(path, '{"seq":-1}\n{"seq":-2,"na');
  const rig = new Rig(t);
  await rig.use(setting(path));
  rig.deny(2);
  await until('it is written', () => rig.acknowledged());
  t.same(seqs(path), [-1, 1, 2]);
});

t.test('a file that was moved away, with SIGHUP and without, is begun anew', async (t) => {
  const path = join(t.testdir(), 'alerts.jsonl');
  const rig = new Rig(t);
  await rig.use(setting(path));
  for (const to of ['a', 'b']) {
    rig.deny(2);
    await until('it is written', () => rig.acknowledged());
    renameSync(path, `${path}.${to}`);
    if (to === 'b') await rig.use(setting(path));
  }
  rig.deny(2);
  await until('it is written', () => rig.acknowledged());
  t.same(
    [seqs(`${path}.a`), seqs(`${path}.b`), seqs(path)],
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  );
});

t.test('copytruncate of logrotate loses nothing that is written after', async (t) => {
  const path = join(t.testdir(), 'alerts.jsonl');
  const rig = new Rig(t);
  await rig.use(setting(path));
  rig.deny(2);
  await until('it is written', () => rig.acknowledged());
  writeFileSync(path, '');
  rig.deny(2);
  await until('it is written', () => rig.acknowledged());
  t.same(seqs(path), [3, 4]);
});

t.test('what is no file holds up nobody, and is said', async (t) => {
  const rig = new Rig(t);
  const dir = rig.folder;
  const [pipe, folder, good] = [join(dir, 'pipe'), join(dir, 'folder'), join(dir, 'good')];
  execFileSync('mkfifo', [pipe]);
  mkdirSync(folder);
  await rig.use(
    setting(pipe, { name: 'pipe' }),
    setting(folder, { name: 'folder' }),
    setting('/proc/version/x', { name: 'nowhere' }),
    setting(good, { name: 'good' }),
  );
  rig.deny(3);
  await until('the good one has all', () => rig.acknowledged('good'));
  await until(
    'the others say why',
    () => rig.sinks.states.filter(({ status }) => status === 'waiting').length === 3,
  );
  t.match(rig.sinks.states, [
    { reason: /pipe: / },
    { reason: /folder: .*EISDIR/ },
    { reason: /nowhere|version/ },
    { status: 'ok' },
  ]);
  t.equal(rig.store.cursor('pipe'), 0);
});

t.test(
  'a full disk: what did not fit is written whole once there is room',
  { skip: noMount() },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'namegate-full-'));
    const dir = join(folder, 'small');
    mkdirSync(dir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]);
    t.teardown(() => {
      execFileSync('umount', ['-l', dir]);
      rmSync(folder, { recursive: true });
    });
    const path = join(dir, 'alerts.jsonl');
    const ballast = join(dir, 'ballast');
    const other = join(folder, 'other.jsonl');
    const rig = new Rig(t);
    await rig.use(setting(path), setting(other, { name: 'other', size: 2 ** 26 }));
    rig.deny(20);
    await until('the first are there', () => rig.acknowledged());
    try {
      for (;;) appendFileSync(ballast, Buffer.alloc(4_096));
    } catch {}
    rig.deny(200);
    await until('it says why', () => /ENOSPC/.test(rig.sinks.states[0]?.reason ?? ''));
    await until('the other sink has all', () => rig.acknowledged('other'));
    writeFileSync(ballast, '');
    execFileSync('mount', ['-o', 'remount,size=4m', dir]);
    await until('all is written', () => rig.acknowledged());
    t.same(once(seqs(path)), upTo(220));
  },
);

function noMount(): string | false {
  return process.getuid?.() === 0 ? false : 'needs root to mount';
}
