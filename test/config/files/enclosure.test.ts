import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Enclosure } from '../../../src/config/files/enclosure.ts';
import { formatProblem } from '../../../src/config/files/excerpt.ts';
import { MAX_FILE } from '../../../src/config/files/look.ts';
import { loadPolicyOnly } from '../../../src/config/load.ts';
import { isLoaded, type LoadResult } from '../../../src/config/loaded.ts';
import { brief, loadFrom, NOW, POLICY, put, SERVER, write } from '../harness.ts';

const FOLDER = SERVER.replace('policy.yaml', 'policy/');
const OPTIONS = { env: {}, now: NOW, salt: 7 };
const OUTSIDE = 'policy/a.yaml:1:56 file-outside';

function policyWith(list: string): string {
  return `destinations: { d: { owner: o, reason: r, names_from: [${list}] } }\n${POLICY}    allow: [d]\n`;
}

/** All that `check` would print, and the problems as JSON and logs have them. */
function shown({ problems, sources }: LoadResult): string {
  const text = problems.map((problem) => formatProblem(problem, sources, { color: false }));
  return [...text, JSON.stringify(problems)].join('\n');
}

/** What stands outside, in a form that no reader of it could miss. */
const MARK = 'marked-word-outside';
const SECRET = `root:${MARK}:19000:0\n${MARK} ${MARK}\n*${MARK}\n`;

interface Case {
  readonly what: string;
  readonly list: string;
  readonly want: string;
  readonly arrange?: (dir: string) => void;
}

const link = (to: string, from: string) => (dir: string) => {
  mkdirSync(join(dir, from, '..'), { recursive: true });
  symlinkSync(to, join(dir, from));
};

const CASES: readonly Case[] = [
  { what: 'an absolute path', list: '/etc/passwd', want: OUTSIDE },
  { what: 'an absolute path that is not there', list: '/nosuch/passwd', want: OUTSIDE },
  { what: 'a way up', list: '../secret.txt', want: OUTSIDE },
  { what: 'a way up and down', list: 'lists/../../secret.txt', want: OUTSIDE },
  { what: 'a way up to a sibling with the same beginning', list: '../policy-2/secret.txt', want: OUTSIDE },
  { what: 'the policy folder itself', list: '.', want: OUTSIDE },
  { what: '/proc', list: '/proc/self/environ', want: OUTSIDE },
  { what: 'a device', list: '/dev/zero', want: OUTSIDE },
  { what: 'a link', list: 'l.txt', want: OUTSIDE, arrange: link('../secret.txt', 'policy/l.txt') },
  { what: 'an absolute link', list: 'l.txt', want: OUTSIDE, arrange: link('/etc/passwd', 'policy/l.txt') },
  {
    what: 'a chain of links, the last one of which leaves',
    list: 'a.txt',
    want: OUTSIDE,
    arrange: (dir) => {
      link('b.txt', 'policy/a.txt')(dir);
      link('lists/c.txt', 'policy/b.txt')(dir);
      link('../../secret.txt', 'policy/lists/c.txt')(dir);
    },
  },
  {
    what: 'a chain of links that leaves and comes back',
    list: 'a.txt',
    want: '',
    arrange: (dir) => {
      link('../way.txt', 'policy/a.txt')(dir);
      link('policy/good.txt', 'way.txt')(dir);
    },
  },
  {
    what: 'a folder that is a link',
    list: 'lists/secret.txt',
    want: OUTSIDE,
    arrange: link('../outside', 'policy/lists'),
  },
  { what: 'a link to /proc', list: 'l', want: OUTSIDE, arrange: link('/proc/self/environ', 'policy/l') },
  { what: 'a link to a descriptor', list: 'l', want: OUTSIDE, arrange: link('/proc/self/fd/0', 'policy/l') },
  { what: 'a link to a device', list: 'l', want: OUTSIDE, arrange: link('/dev/zero', 'policy/l') },
  { what: 'a link to a terminal', list: 'l', want: OUTSIDE, arrange: link('/dev/ptmx', 'policy/l') },
  {
    what: 'a link into nothing',
    list: 'l',
    want: 'policy/a.yaml:1:56 file-missing',
    arrange: link('gone', 'policy/l'),
  },
  {
    what: 'a link to itself',
    list: 'l',
    want: 'policy/a.yaml:1:56 file-unreadable',
    arrange: link('l', 'policy/l'),
  },
  {
    what: 'a pipe',
    list: 'pipe',
    want: 'policy/a.yaml:1:56 file-kind',
    arrange: (dir) => void execFileSync('mkfifo', [join(dir, 'policy/pipe')]),
  },
  {
    what: 'a folder',
    list: 'lists',
    want: 'policy/a.yaml:1:56 file-kind',
    arrange: (dir) => put(dir, { 'policy/lists/x': '' }),
  },
  {
    what: 'a huge file',
    list: 'huge',
    want: 'policy/a.yaml:1:56 file-size',
    arrange: (dir) => {
      put(dir, { 'policy/huge': '' });
      truncateSync(join(dir, 'policy/huge'), MAX_FILE + 1);
    },
  },
  // Whoever can make a hard link in the folder can write there beside git: no path tells it from a file of its own.
  {
    what: 'a hard link',
    list: 'l.txt',
    want: '',
    arrange: (dir) => linkSync(join(dir, 'good.txt'), join(dir, 'policy/l.txt')),
  },
  { what: 'a file of the folder', list: 'good.txt', want: '' },
  { what: 'a file of the folder, by a detour', list: './x/../good.txt', want: '' },
  { what: 'a link inside', list: 'l.txt', want: '', arrange: link('good.txt', 'policy/l.txt') },
  {
    what: "a ConfigMap's ..data",
    list: 'mounted.txt',
    want: '',
    arrange: (dir) => {
      put(dir, { 'policy/..2026_11_20/mounted.txt': 'a.example\n' });
      link('..2026_11_20', 'policy/..data')(dir);
      link('..data/mounted.txt', 'policy/mounted.txt')(dir);
    },
  },
];

function scene(t: Parameters<typeof write>[0], { list, arrange }: Pick<Case, 'list' | 'arrange'>): string {
  const dir = write(t, {
    'namegate.yaml': FOLDER,
    'policy/a.yaml': policyWith(list),
    'policy/good.txt': 'a.example\n',
    'good.txt': 'a.example\n',
    'secret.txt': SECRET,
    'outside/secret.txt': SECRET,
    'policy-2/secret.txt': SECRET,
  });
  arrange?.(dir);
  return dir;
}

for (const { what, list, want, arrange } of CASES) {
  t.test(`names_from: ${what}`, async (t) => {
    const dir = scene(t, { list, ...(arrange && { arrange }) });
    for (const result of [loadFrom(dir), loadPolicyOnly(join(dir, 'policy'), OPTIONS)]) {
      t.equal(brief(dir, result).join(' '), want);
      t.notMatch(shown(result), MARK);
      t.notOk(
        [...result.sources.values()].some((text) => text.includes(MARK)),
        'and nothing of it is kept',
      );
    }
  });
}

t.test('a policy file that links elsewhere is not read', async (t) => {
  for (const [to, name] of [
    ['../secret.txt', 'evil.yaml'],
    ['/etc/passwd', 'evil.yml'],
    ['/proc/self/environ', 'evil.yaml'],
  ] as const) {
    const dir = scene(t, { list: 'good.txt', arrange: link(to, `policy/${name}`) });
    const result = loadFrom(dir);
    t.same(brief(dir, result), [`policy/${name}:1:1 file-outside`]);
    t.notMatch(shown(result), MARK);
  }
  const dir = write(t, { 'namegate.yaml': SERVER, 'secret.txt': SECRET, 'sub/x': '' });
  symlinkSync('../secret.txt', join(dir, 'sub/policy.yaml'));
  const alone = loadPolicyOnly(join(dir, 'sub/policy.yaml'), OPTIONS);
  t.same(brief(dir, alone), ['sub/policy.yaml:1:1 file-outside'], 'a single file as well');
  t.notMatch(shown(alone), MARK);
});

t.test('policy.may_read allows folders, and these alone', async (t) => {
  const server = (folders: string): string =>
    `${FOLDER.replace('policy/', `{ path: policy/, may_read: [${folders}] }`)}`;
  const dir = scene(t, { list: '../lists/a.txt, linked.txt' });
  put(dir, { 'lists/a.txt': 'a.example\n', 'lists/b.txt': 'b.example\n' });
  symlinkSync('../lists/b.txt', join(dir, 'policy/linked.txt'));
  t.same(brief(dir, loadFrom(dir)), [OUTSIDE, 'policy/a.yaml:1:72 file-outside']);
  put(dir, { 'namegate.yaml': server('lists/') });
  const result = loadFrom(dir);
  t.same(brief(dir, result), []);
  t.ok(isLoaded(result));
  t.equal(result.snapshot!.rules.count, 2);
  put(dir, { 'namegate.yaml': server('list') });
  t.same(brief(dir, loadFrom(dir)).length, 2, 'a folder whose name begins alike is another one');
  put(dir, { 'namegate.yaml': server('""') });
  t.same(brief(dir, loadFrom(dir))[0], 'namegate.yaml:3:37 value-empty');
  put(dir, { 'namegate.yaml': FOLDER.replace('policy/', '{ path: "" }') });
  t.same(brief(dir, loadFrom(dir)), ['namegate.yaml:3:17 value-empty']);
  put(dir, { 'namegate.yaml': FOLDER.replace('policy/', '{ may_read: [lists] }') });
  t.same(brief(dir, loadFrom(dir)), ['namegate.yaml:3:1 key-missing']);
  put(dir, { 'namegate.yaml': server('/') });
  t.same(brief(dir, loadFrom(dir)), [], 'the root holds everything');
});

t.test('what the kernel makes up is no file, also where it may be read', async (t) => {
  const dir = scene(t, { list: '/proc/self/environ, /proc/self/status, /sys/kernel/profiling' });
  put(dir, { 'namegate.yaml': FOLDER.replace('policy/', '{ path: policy/, may_read: [/proc, /sys] }') });
  const told = brief(dir, loadFrom(dir)).map((line) => line.split(' ')[1]);
  t.ok(
    told.length === 3 && told.every((code) => code === 'file-kind' || code === 'file-missing'),
    told.join(),
  );
});

t.test('the policy folder may be a link, and be switched while it is read', async (t) => {
  const dir = write(t, {
    'namegate.yaml': FOLDER,
    'rev-1/a.yaml': policyWith('l.txt'),
    'rev-1/l.txt': 'a.example\n',
  });
  put(dir, { 'rev-2/a.yaml': policyWith('l.txt'), 'rev-2/l.txt': 'a.example\nb.example\n' });
  symlinkSync('rev-1', join(dir, 'policy'));
  const before = loadFrom(dir);
  t.same(brief(dir, before), []);
  symlinkSync('rev-2', join(dir, 'next'));
  renameSync(join(dir, 'next'), join(dir, 'policy'));
  const after = loadFrom(dir);
  t.same(brief(dir, after), []);
  t.not(before.hash, after.hash);
  t.same(before.barred, []);
});

t.test('a link that leaves is followed by what it leads to, and seen when it comes back', async (t) => {
  const dir = scene(t, { list: 'l.txt', arrange: link('../secret.txt', 'policy/l.txt') });
  const { barred, hash, files } = loadFrom(dir);
  t.same(barred, [join(dir, 'policy/l.txt')]);
  t.ok(files.includes(join(dir, 'policy/l.txt')));
  put(dir, { 'secret.txt': 'changed\n' });
  t.equal(loadFrom(dir).hash, hash, 'what stands outside has no part in the hash');
  unlinkSync(join(dir, 'policy/l.txt'));
  symlinkSync('good.txt', join(dir, 'policy/l.txt'));
  const mended = loadFrom(dir);
  t.not(mended.hash, hash);
  t.same(brief(dir, mended), []);
  rmSync(join(dir, 'policy'), { recursive: true });
});

t.test('what was opened is looked at, not what the path says', async (t) => {
  const dir = scene(t, { list: 'good.txt' });
  const within = new Enclosure([join(dir, 'policy')]);
  for (const [path, inside] of [
    ['policy/good.txt', true],
    ['secret.txt', false],
    ['policy-2/secret.txt', false],
  ] as const) {
    const fd = openSync(join(dir, path), 'r');
    t.equal(within.holdsOpen(fd, join(dir, 'policy/good.txt'), fstatSync(fd)), inside, path);
    closeSync(fd);
  }
});

t.test('a path that changes all the time never gives what stands outside', async (t) => {
  const dir = scene(t, { list: 'deep/l.txt' });
  put(dir, { 'policy/in/l.txt': 'a.example\n', 'out/l.txt': SECRET });
  // A file and its folder, in turn inside, outside and a link.
  const swap = `
    const { symlinkSync, renameSync, unlinkSync } = require('node:fs');
    process.chdir(${JSON.stringify(dir)});
    const ends = ['in', '../out', '..', '/proc/self'];
    for (let i = 0; ; i++) { 
      symlinkSync(ends[i % ends.length], 'next');
      renameSync('next', 'policy/deep');
      renameSync('policy/in', 'policy/in-2');
      symlinkSync('../out', 'policy/in');
      unlinkSync('policy/in');
      renameSync('policy/in-2', 'policy/in');
    }`;
  const child = spawn(process.execPath, ['-e', swap], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let good = 0;
  try {
    for (let i = 0; i < 400; i++) {
      const result = loadPolicyOnly(join(dir, 'policy'), OPTIONS);
      if ([...result.sources.values()].some((text) => text.includes(MARK))) t.fail('the secret was read');
      if (result.problems.length === 0) good++;
    }
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  t.pass(`${good} of 400 loads met the good file`);
});
