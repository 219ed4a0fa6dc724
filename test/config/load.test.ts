import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { MAX_FILE } from '../../src/config/files/look.ts';
import { load, loadPolicyOnly } from '../../src/config/load.ts';
import { contentOf, isLoaded } from '../../src/config/loaded.ts';
import { MAX_PROBLEMS } from '../../src/config/problems.ts';
import { isError } from '../../src/policy/problem.ts';
import { amount } from '../amount.ts';
import { asNobody, unreachableForNobody } from '../nobody.ts';
import { brief, loadFrom, NOW, POLICY, problemsOf, put, SERVER, write } from './harness.ts';

const OPTIONS = { env: {}, now: NOW, salt: 7 };
const FOLDER = SERVER.replace('policy.yaml', 'policy/');

t.test('a good load', async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': POLICY });
  const result = loadFrom(dir);
  t.same(brief(dir, result), []);
  t.ok(isLoaded(result));
  t.equal(result.snapshot!.identities[0]!.name, 'me');
  t.equal(result.settings!.policy, join(dir, 'policy.yaml'));
  t.same(result.files, [join(dir, 'namegate.yaml'), join(dir, 'policy.yaml')]);
  t.match(result.hash, /^[0-9a-f]{64}$/);
  t.equal(loadFrom(dir).hash, result.hash);
});

t.test('every mistake of every file is told at once, in order, of form and of meaning', async (t) => {
  const told = problemsOf(t, {
    'namegate.yaml': 'listen: [udp://localhost]\npolicy: policy/\nadmin: x\ncache: { size: 1 }\n',
    'policy/a.yaml': `destinations:
  one: { owner: o, names: ["*.com", a.example, "b c"] }
  two: { owner: o, reason: r, names: [*.x.example], names_from: [nosuch.txt, list.txt] }
`,
    'policy/list.txt': '# names\na.example\n  *.x.*\n\nhttps://x\n',
    'policy/b.yaml': `identities:
  - { name: me, owner: o, from: { addresses: [10.0.0.0/8] }, allow: [one, nosuch] }
  - { name: me, owner: o, review_by: 2027-01-01, from: { addresses: [10.0.0.0/8] }, allow: [two] }
`,
    'policy/c.yml': 'a: [\n',
    'policy/d.yaml': '',
  });
  t.same(told, [
    'namegate.yaml:1:16 url-form',
    'namegate.yaml:3:8 admin-form',
    'namegate.yaml:4:16 yaml-quote',
    'policy/a.yaml:2:3 key-missing',
    'policy/a.yaml:2:28 public-suffix',
    'policy/a.yaml:2:50 pattern-character',
    'policy/a.yaml:3:39 yaml-alias',
    'policy/a.yaml:3:66 file-missing',
    'policy/b.yaml:2:13 review-missing?',
    // Not `nosuch`: it may be defined in c.yml, which could not be read.
    'policy/b.yaml:3:13 identity-duplicate',
    'policy/b.yaml:3:70 address-claimed',
    'policy/c.yml:1:4 yaml-syntax',
    'policy/d.yaml:1:1 yaml-empty',
    'policy/list.txt:3:7 pattern-star',
    'policy/list.txt:5:1 pattern-url',
  ]);
});

t.test('an error leaves neither settings nor snapshot; a warning leaves both', async (t) => {
  const dir = write(t, { 'namegate.yaml': `${SERVER}admin: x\n`, 'policy.yaml': POLICY });
  t.match(loadFrom(dir), { settings: null, snapshot: null });
  put(dir, {
    'namegate.yaml': SERVER,
    'policy.yaml': `${POLICY}records: [{ name: a.example, type: A, data: 192.0.2.1 }]\n`,
  });
  const result = loadFrom(dir);
  t.same(brief(dir, result), ['policy.yaml:6:19 record-unapproved?']);
  t.ok(isLoaded(result));
});

t.test('a folder is its *.yaml and *.yml, hidden ones left out, links followed', async (t) => {
  const destination = (name: string): string =>
    `destinations: { ${name}: { owner: o, reason: r, names: [${name}.example] } }\n`;
  const dir = write(t, {
    'namegate.yaml': FOLDER,
    'policy/b.yaml': `${POLICY}    allow: [one, two, three]\n`,
    'policy/a.yml': destination('one'),
    'policy/.hidden.yaml': 'broken: [',
    'policy/..data/x.yaml': 'broken: [',
    'policy/notes.txt': 'broken: [',
    'policy/deeper/c.yaml': 'broken: [',
    'policy/..real/three.yaml': destination('three'),
    'policy/two.yaml': destination('two'),
  });
  symlinkSync('..real/three.yaml', join(dir, 'policy/three.yaml'));
  const result = loadFrom(dir);
  t.same(brief(dir, result), []);
  t.same(
    result.files.map((file) => relative(dir, file)),
    ['namegate.yaml', 'policy', 'policy/a.yml', 'policy/b.yaml', 'policy/three.yaml', 'policy/two.yaml'],
  );
});

t.test('what is not there, or cannot be read, is a problem and not an empty policy', async (t) => {
  const dir = write(t, { 'namegate.yaml': FOLDER });
  const all = (): string[] => brief(dir, loadFrom(dir));
  t.same(all(), ['namegate.yaml:3:9 file-missing']);
  put(dir, { 'policy/readme.txt': '' });
  t.same(all(), ['namegate.yaml:3:9 policy-empty']);
  symlinkSync('nowhere.yaml', join(dir, 'policy/dangling.yaml'));
  t.same(all(), ['policy/dangling.yaml:1:1 file-missing']);
  rmSync(join(dir, 'policy/dangling.yaml'));
  symlinkSync('loop.yaml', join(dir, 'policy/loop.yaml'));
  t.same(all(), ['policy/loop.yaml:1:1 file-unreadable']);
  rmSync(join(dir, 'policy/loop.yaml'));
  put(dir, { 'policy/folder.yaml/x': '' });
  t.same(all(), ['policy/folder.yaml:1:1 file-kind']);
  rmSync(join(dir, 'policy/folder.yaml'), { recursive: true });
  execFileSync('mkfifo', [join(dir, 'policy/pipe.yaml')]);
  t.same(all(), ['policy/pipe.yaml:1:1 file-kind'], 'a pipe is not waited for');
  rmSync(join(dir, 'policy/pipe.yaml'));
  put(dir, { 'policy/large.yaml': '' });
  truncateSync(join(dir, 'policy/large.yaml'), MAX_FILE + 1);
  t.same(all(), ['policy/large.yaml:1:1 file-size']);
  rmSync(join(dir, 'policy/large.yaml'));
  put(dir, { 'policy/bytes.yaml': Buffer.from([0x61, 0x3a, 0x20, 0xff]) });
  t.same(all(), ['policy/bytes.yaml:1:4 file-encoding']);
  rmSync(join(dir, 'namegate.yaml'));
  t.same(all(), ['namegate.yaml:1:1 file-missing']);
  for (const path of ['a\0b', '']) {
    t.match(load(path, OPTIONS).problems, [{ code: /^file-/ }], JSON.stringify(path));
    t.match(loadPolicyOnly(path, OPTIONS).problems, [{ code: /^(file|policy)-/ }], JSON.stringify(path));
  }
});

t.test('a file without permission', { skip: unreachableForNobody(process.cwd()) }, async (t) => {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': POLICY });
  chmodSync(join(dir, 'policy.yaml'), 0);
  t.same(
    brief(
      dir,
      asNobody(() => loadFrom(dir)),
    ),
    ['namegate.yaml:3:9 file-unreadable'],
  );
  const folder = write(t, {
    'namegate.yaml': SERVER.replace('policy.yaml', 'policy/'),
    'policy/a.yaml': POLICY,
  });
  chmodSync(join(folder, 'policy'), 0);
  const told = brief(
    folder,
    asNobody(() => loadFrom(folder)),
  );
  chmodSync(join(folder, 'policy'), 0o755);
  t.same(told, ['namegate.yaml:3:9 file-unreadable'], 'its folder: it lies outside of nothing');
});

t.test('BOM and CRLF are tolerated everywhere', async (t) => {
  const crlf = (text: string): string => `\ufeff${text.replaceAll('\n', '\r\n')}`;
  const policy = `destinations: { d: { owner: o, reason: r, names_from: [list.txt] } }\n${POLICY}    allow: [d]\n`;
  const dir = write(t, {
    'namegate.yaml': crlf(SERVER),
    'policy.yaml': crlf(policy),
    'list.txt': crlf('a.example # one\n\n*.b.example\n'),
  });
  const result = loadFrom(dir);
  t.same(brief(dir, result), []);
  t.equal(result.snapshot!.rules.count, 2);
});

t.test('lists: lines keep their numbers, U-labels are converted and shown', async (t) => {
  const policy = `destinations: { d: { owner: o, reason: r, names_from: [lists/a.txt, lists/a.txt] } }\n${POLICY}    allow: [d]\n`;
  const told = problemsOf(t, {
    'policy.yaml': policy,
    'lists/a.txt':
      '# ünïcode comments are fine\na.example\n  bücher.example  # ä\n日本。example\n\n*.bad.*\nö.example\n',
  });
  t.same(told, [
    'lists/a.txt:2:1 pattern-twice?',
    'lists/a.txt:3:3 name-converted?',
    'lists/a.txt:4:3 name-idn',
    // The list is named twice, and compiled for each.
    'lists/a.txt:6:7 pattern-star',
    'lists/a.txt:6:7 pattern-star',
  ]);
});

t.test('one list of many destinations is read and kept once', async (t) => {
  const destinations = Array.from(
    { length: 20 },
    (_, i) => `  d${i}: { owner: o, reason: r, names_from: [list.txt] }\n`,
  );
  const dir = write(t, {
    'namegate.yaml': SERVER,
    'policy.yaml': `destinations:\n${destinations.join('')}${POLICY}    allow: [d0]\n`,
    'list.txt': 'a.example\n',
  });
  const result = loadFrom(dir);
  t.equal(result.problems.filter(isError).length, 0);
  t.equal(result.files.filter((file) => file.endsWith('list.txt')).length, 1);
});

t.test('a thousand lists', async (t) => {
  const files: Record<string, string> = {};
  const lists = Array.from({ length: 1_000 }, (_, i) => `l/${i}.txt`);
  for (const [i, list] of lists.entries()) {
    files[list] = Array.from({ length: 100 }, (_, j) => `h${j}.z${i}.example\n`).join('');
  }
  const policy = `destinations: { d: { owner: o, reason: r, names_from: [${lists.join(', ')}] } }\n${POLICY}    allow: [d]\n`;
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': policy, ...files });
  const result = loadFrom(dir);
  t.same(result.problems, []);
  t.equal(result.snapshot!.rules.count, 100_000);
});

t.test('problems of one file are bounded, and say so', async (t) => {
  const policy = `destinations: { d: { owner: o, reason: r, names_from: [list.txt] } }\n${POLICY}    allow: [d]\n`;
  const dir = write(t, {
    'namegate.yaml': SERVER,
    'policy.yaml': policy,
    'list.txt': 'a..b\n'.repeat(5_000),
  });
  const { problems } = loadFrom(dir);
  t.equal(problems.length, MAX_PROBLEMS + 1);
  t.equal(problems.at(-1)!.code, 'problems-more');
  put(dir, { 'policy.yaml': `identities: [${'1, '.repeat(5_000)}]\n` });
  const bad = loadFrom(dir).problems;
  t.equal(bad.length, MAX_PROBLEMS + 1);
  t.equal(bad.at(-1)!.code, 'problems-more');
});

t.test(
  'the content is that of files and exceptions: an exception that comes or goes is a change',
  async (t) => {
    const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': POLICY });
    const file = join(dir, 'namegate.yaml');
    const exception = {
      id: 'x1',
      identity: 'me',
      name: 'a.example',
      types: null,
      until: NOW + 600,
      reason: 'test',
      approvedBy: 'somebody',
    };
    const without = load(file, OPTIONS);
    const loaded = (changed: object) =>
      load(file, { ...OPTIONS, exceptions: [{ ...exception, ...changed }] });
    const contents = [without, ...[{}, { name: 'b.example' }, { until: NOW + 700 }].map(loaded)].map(
      ({ content }) => content,
    );
    t.equal(new Set(contents).size, contents.length);
    t.equal(loaded({}).content, contents[1], 'the same again is the same');
    t.equal(loaded({}).hash, without.hash, 'the files are the same');
  },
);

t.test('the hash changes with content and with what is there, and with nothing else', async (t) => {
  const dir = write(t, { 'namegate.yaml': FOLDER, 'policy/a.yaml': POLICY, 'policy/readme.txt': '' });
  const first = loadFrom(dir).hash;
  put(dir, {
    'policy/readme.txt': 'more',
    'policy/.hidden.yaml': 'x',
    'other.yaml': 'x',
    'policy/a.yaml': POLICY,
  });
  t.equal(loadFrom(dir).hash, first, 'files that are not read, and the same content written again');
  const seen = new Set([first]);
  const next = (what: string): void => {
    const { hash } = loadFrom(dir);
    t.notOk(seen.has(hash), what);
    seen.add(hash);
  };
  put(dir, { 'policy/a.yaml': `${POLICY}# a comment\n` });
  next('content');
  put(dir, { 'policy/b.yaml': 'destinations: {}\n' });
  next('a new file');
  put(dir, { 'policy/b.yaml': 'broken: [' });
  next('a broken file');
  rmSync(join(dir, 'policy/b.yaml'));
  rmSync(join(dir, 'policy/a.yaml'));
  next('an empty folder');
  rmSync(join(dir, 'policy'), { recursive: true });
  next('no folder');
  rmSync(join(dir, 'namegate.yaml'));
  next('nothing');
});

t.test('check PATH: a policy file, a folder of them, or a server file', async (t) => {
  const dir = write(t, {
    'namegate.yaml': FOLDER,
    'policy/a.yaml': POLICY,
    'braces.yaml': `{ "listen": [ "udp://127.0.0.1" ], "policy": "policy" }`,
  });
  const only = (path: string) => loadPolicyOnly(join(dir, path), OPTIONS);
  for (const path of ['policy/a.yaml', 'policy']) {
    const result = only(path);
    t.same(result.problems, [], path);
    t.equal(result.settings, null);
    t.equal(result.snapshot!.identities.length, 1);
  }
  for (const path of ['namegate.yaml', 'braces.yaml']) t.ok(isLoaded(only(path)), path);
  put(dir, { 'namegate.yaml': `listen: [\npolicy: policy/\n`, 'p.yaml': 'identities: [\n' });
  t.match(only('namegate.yaml').problems, [{ code: 'yaml-syntax' }]);
  t.match(only('p.yaml').problems, [{ code: 'yaml-syntax' }]);
  t.match(only('nosuch').problems, [{ code: 'file-missing', at: { line: 1, column: 1 } }]);
  t.match(only('policy/a.yaml').files, [join(dir, 'policy/a.yaml')]);
});

t.test('paths in problems are as the server file was named', async (t) => {
  const dir = write(t, { 'sub/namegate.yaml': FOLDER, 'sub/policy/a.yaml': 'x: 1\n' });
  const here = process.cwd();
  t.teardown(() => process.chdir(here));
  process.chdir(dir);
  const result = load('sub/namegate.yaml', OPTIONS);
  t.match(result.problems, [{ at: { file: 'sub/policy/a.yaml' } }]);
  t.equal(result.sources.get('sub/policy/a.yaml'), 'x: 1\n');
  t.ok(result.files.every((file) => file.startsWith('/')));
});

t.test('a load never throws, and is null exactly where an error is', async (t) => {
  const dir = write(t, { 'namegate.yaml': FOLDER });
  const sources = ['namegate.yaml', 'policy/default.yaml'].map((file) =>
    readFileSync(new URL(`../../config/${file}`, import.meta.url), 'utf8'),
  );
  const scrap = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(
      '*.x',
      '&a',
      '!t',
      '---\n',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '\t',
      '#',
      '~',
      '010',
      '1.5',
    ),
    fc.constantFrom(
      'name:',
      'names:',
      'until:',
      '\n',
      '\n  ',
      '\r\n',
      '|',
      '>',
      '? ',
      '<<:',
      '__proto__:',
      'true',
      '\0',
    ),
  );
  const edit = fc.record({ at: fc.nat(10_000), cut: fc.nat(40), scrap });
  const codes = new Set<string>();
  let good = 0;
  const property = fc.property(
    fc.constantFrom(0, 1),
    fc.array(edit, { minLength: 1, maxLength: 4 }),
    (which, edits) => {
      let text = sources[which]!;
      for (const { at, cut, scrap } of edits) {
        const start = at % (text.length + 1);
        text = text.slice(0, start) + scrap + text.slice(start + cut);
      }
      put(dir, {
        'namegate.yaml': which === 0 ? text : FOLDER,
        'policy/p.yaml': which === 1 ? text : POLICY,
      });
      const result = loadFrom(dir);
      for (const { code } of result.problems) codes.add(code);
      const failed = result.problems.some(isError);
      if (!failed) good++;
      if (failed !== (result.settings === null) || failed !== (result.snapshot === null))
        throw new Error(text);
      for (const { at, message, fix } of result.problems) {
        const lines = result.sources.get(at.file)?.split('\n');
        if (lines === undefined || at.line < 1 || at.column < 1)
          throw new Error(`${at.file}:${at.line}:${at.column}`);
        if (at.line > lines.length || at.column > lines[at.line - 1]!.length + 1)
          throw new Error(JSON.stringify(at));
        if (message === '' || fix === '') throw new Error('a problem without words');
      }
    },
  );
  fc.assert(property, { numRuns: amount(250, 400), seed: 20261120 });
  t.ok(codes.size > 15, [...codes].join(' '));
  t.ok(good > 0);
});

t.test('an exception for a name that namegate answers by itself is refused, whichever it is', async (t) => {
  for (const name of [
    'localhost',
    'a.localhost',
    'use-application-dns.net',
    'a.resolver.arpa',
    'x._why.namegate.internal',
  ]) {
    const exception = `{ name: ${name}, until: 2027-01-01, reason: r, approved_by: a }`;
    t.same(
      problemsOf(t, { 'policy.yaml': `${POLICY}    exceptions: [${exception}]\n` }),
      ['policy.yaml:6:26 special-name'],
      name,
    );
  }
});

t.test('the content of a load is that of its files and of its exceptions', async (t) => {
  const one = { pattern: 'a.example' } as unknown as Parameters<typeof contentOf>[1][number];
  t.equal(contentOf('files', [one]), contentOf('files', [one]));
  t.not(contentOf('files', [one]), contentOf('files', []), 'an exception alone is a change');
  t.not(contentOf('files', []), contentOf('other', []));
});
