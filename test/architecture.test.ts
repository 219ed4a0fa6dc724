import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Breach, breaches, print } from './architecture/house.ts';
import { dependenciesOf, tokensOf } from './architecture/source.ts';
import { loadedWith } from './architecture/start.ts';
import { boundsOfRealTime } from './architecture/wall-clock.ts';

const root = fileURLToPath(new URL('../src/', import.meta.url));

t.test('src keeps the house rules', async (t) => {
  const tree = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'README.md') continue;
    const path = join(entry.parentPath, entry.name);
    tree.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'));
  }
  t.ok(tree.has('main.ts'), `${tree.size} files were read`);
  let imports = 0;
  for (const text of tree.values()) imports += dependenciesOf(tokensOf(text)).length;
  t.ok(imports >= tree.size / 2, `${imports} imports were seen`);
  t.strictSame(breaches(tree).map(print), []);
});

t.test('each room says what it is for, what it may know and where to begin', async (t) => {
  const rooms = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  t.ok(rooms.length > 10, `${rooms.length} rooms`);
  for (const { name } of rooms) {
    const path = join(root, name, 'README.md');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const [title, purpose, known, begin] = text.trim().split('\n\n');
    t.equal(
      title,
      `# ${name}`,
      `src/${name}/README.md: title, purpose, 'It may know: …', 'Begin with \`file.ts\`'`,
    );
    t.ok(purpose, `${name} says what it is for`);
    t.match(known, /^It may know: ./);
    t.match(begin, /^Begin with `/);
    for (const [, file = ''] of text.matchAll(/`([a-z/.-]+\.ts)`/g)) {
      t.ok(existsSync(join(root, name, file)) || existsSync(join(root, file)), `${name} names ${file}`);
    }
  }
});

t.test('a server starts without what it needs for a moment or not at all', async (t) => {
  const loaded = loadedWith(join(root, 'cli/process/serve-verb.ts'));
  t.ok(loaded.has(join(root, 'server.ts')) && loaded.has('pino'), 'what it does need is seen');
  const large = ['yaml', 'zod', 'tldts', 'fastify', '@fastify/swagger', 'jose', 'dns2'];
  t.strictSame(
    large.filter((name) => loaded.has(name)),
    [],
    'files are read in a thread, and the admin API is loaded where there is one',
  );
});

t.test('a stub loads what it forwards with, and nothing of policy, answers or files of YAML', async (t) => {
  const loaded = loadedWith(join(root, 'cli/process/stub-verb.ts'));
  t.ok(loaded.has(join(root, 'stub/stub.ts')), 'what it does need is seen');
  const packages = [...loaded].filter((name) => !name.startsWith(root) && !name.startsWith('node:')).sort();
  t.strictSame(
    packages,
    ['commander', 'ipaddr.js', 'pino'],
    'each package costs each job memory; koffi comes with the first socket',
  );
  const rooms = new Set(
    [...loaded].filter((name) => name.startsWith(root)).map((name) => name.slice(root.length).split('/')[0]),
  );
  for (const room of ['server.ts', 'admin', 'cache', 'identity', 'journal', 'detect', 'outbox'])
    t.notOk(rooms.has(room), room);
});

t.test('nobody imports node:http, which loads undici', async (t) => {
  const found: string[] = [];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!path.endsWith('.ts')) continue;
    if (/^(?:import|export)\s+(?!type\b)[^'";]*from 'node:http'/m.test(readFileSync(path, 'utf8')))
      found.push(path);
  }
  t.strictSame(found, [], 'take it from socket/node-http.ts');
});

/** Tests that bound the real clock all the same, and why a busy machine does not break them. */
const REAL_TIME: Readonly<Record<string, string>> = {
  'architecture.test.ts': 'examples of what is refused',
  'fuzz/target.ts': 'beside the processor time of the server, and it tries again',
  'identity/judge.test.ts': 'the least of 300 rounds',
  'policy/decide/cost.test.ts': 'the least of 20 rounds',
  'server/lease-quarantine.test.ts': 'it tries again with a longer quarantine',
  'server/limits.test.ts': 'it decides which of two bounds on a count holds',
};

t.test('no test bounds the real clock, which a busy machine breaks', async (t) => {
  const found = new Set<string>();
  const tests = fileURLToPath(new URL('.', import.meta.url));
  for (const entry of readdirSync(tests, { recursive: true, withFileTypes: true })) {
    const path = relative(tests, join(entry.parentPath, entry.name)).split(sep).join('/');
    // Load is what those are about: they judge a time beside another of the same run.
    if (!entry.isFile() || !path.endsWith('.ts') || /^(?:hostile|soak)\//.test(path)) continue;
    const lines = boundsOfRealTime(readFileSync(join(tests, path), 'utf8'));
    if (lines.length > 0) found.add(path);
    if (REAL_TIME[path] === undefined)
      t.same(lines, [], `${path}: use running, worked or the order of events`);
  }
  t.same([...found].sort(), Object.keys(REAL_TIME).sort(), 'nothing is excepted that need not be');
});

t.test('bounds of the real clock are seen', async (t) => {
  const now = ['performance', 'now()'].join('.');
  const rows: [string, number[]][] = [
    [`const from = ${now};\nt.ok(${now} - from < 500);`, [2]],
    [`const from = ${now};\nconst took = ${now} - from;\nt.ok(took <= LIMIT);`, [3]],
    [`const [a] = x;\nlet end = 0;\nend = ${now};\nconst begun = ${now};\nt.ok(end - begun < 9_000);`, [5]],
    [`slowest = Math.max(slowest, Date.now() - from);\nt.ok(slowest < 250);`, [2]],
    [`while (x !== 1 && Date.now() - start < 4000) {}`, [1]],
    [`const from = ${now};\nt.ok(${now} - from > 500);`, []],
    [`const from = ${now};\nt.ok(${now} - from < 30_000);`, []],
    [`const from = running();\nt.ok(running() - from < 500);`, []],
    [`const end = Date.now() + 30_000;\nif (Date.now() > end) throw new Error();`, []],
    [`// t.ok(${now} - from < 500)`, []],
  ];
  for (const [text, lines] of rows) t.same(boundsOfRealTime(text), lines, text);
});

/** The breaches of a small tree in which `files` stand beside one sound file of each room that is needed. */
function breachesWith(files: Record<string, string>): Breach[] {
  const sound = {
    'wire/name.ts': 'export const ROOT = 0;\n',
    'policy/view.ts': "import { ROOT } from '../wire/name.ts';\n",
  };
  return breaches(new Map(Object.entries({ ...sound, ...files })));
}

function rulesOf(files: Record<string, string>): string[] {
  return breachesWith(files).map(({ rule, file, line }) => `${rule} ${file}:${line}`);
}

t.test('the checker reports each kind of breach', async (t) => {
  t.strictSame(rulesOf({}), [], 'a sound tree has none');

  t.test('ranks', async (t) => {
    const up = "import { ROOT } from '../policy/view.ts';\n";
    t.strictSame(rulesOf({ 'wire/a.ts': up }), ['rank wire/a.ts:1'], 'to a higher rank');
    t.strictSame(rulesOf({ 'wire/a.ts': up.replace('{', 'type {') }), ['rank wire/a.ts:1'], 'types too');
    t.strictSame(rulesOf({ 'detect/a.ts': up }), ['rank detect/a.ts:1'], 'to a room of the same rank');
    t.strictSame(rulesOf({ 'cache/a.ts': "\nexport * from '../listen/b.ts';\n", 'listen/b.ts': '' }), [
      'rank cache/a.ts:2',
    ]);
    t.strictSame(rulesOf({ 'wire/a.ts': "export { x } from '../policy/view.ts';" }), ['rank wire/a.ts:1']);
    t.strictSame(rulesOf({ 'wire/a.ts': "const x = await import('../policy/view.ts');" }), [
      'rank wire/a.ts:1',
    ]);
    t.strictSame(rulesOf({ 'wire/a.ts': "type X = import('../policy/view.ts').X;" }), ['rank wire/a.ts:1']);
    t.strictSame(rulesOf({ 'wire/a.ts': "import '../policy/view.ts';" }), ['rank wire/a.ts:1']);
    t.strictSame(rulesOf({ 'server.ts': "import './cli/a.ts';", 'cli/a.ts': '' }), ['rank server.ts:1']);
    t.strictSame(rulesOf({ 'cli/a.ts': "import '../server.ts';", 'server.ts': '' }), []);
    t.strictSame(rulesOf({ 'cache/a.ts': "import '../resolve/p.ts';", 'resolve/p.ts': '' }), []);
    t.strictSame(rulesOf({ 'policy/a.ts': "import './view.ts';" }), [], 'within a room');
  });

  t.test('rooms, names and length', async (t) => {
    t.strictSame(rulesOf({ 'attic/a.ts': '' }), ['room attic/a.ts:0']);
    t.strictSame(rulesOf({ 'other.ts': '' }), ['room other.ts:0']);
    for (const name of ['wire/utils.ts', 'wire/types.ts', 'wire/helpers/a.ts', 'wire/common.ts']) {
      t.strictSame(rulesOf({ [name]: '' }), [`name ${name}:0`]);
    }
    t.strictSame(rulesOf({ 'wire/table.json': '{}' }), ['name wire/table.json:0']);
    t.strictSame(rulesOf({ 'wire/a.ts': 'x;\n'.repeat(320) }), []);
    t.strictSame(rulesOf({ 'wire/a.ts': 'x;\n'.repeat(321) }), ['length wire/a.ts:0']);
  });

  t.test('one word, one meaning', async (t) => {
    const type = 'export interface Entry {}\n';
    t.strictSame(rulesOf({ 'policy/a.ts': type, 'cache/b.ts': type }), ['twice policy/a.ts:1']);
    t.strictSame(rulesOf({ 'report/a.ts': `\n${type}`, 'resolve/b.ts': 'export type Entry = 1;' }), [
      'twice report/a.ts:2',
    ]);
    t.strictSame(rulesOf({ 'cache/a.ts': type, 'listen/b.ts': type }), ['twice cache/a.ts:1']);
    t.strictSame(rulesOf({ 'policy/a.ts': type, 'resolve/b.ts': 'interface Entry {}' }), [], 'their own');
    t.strictSame(
      rulesOf({ 'policy/a.ts': "export type { E } from './b.ts';", 'policy/b.ts': 'export type E = 1;' }),
      [],
    );
    t.strictSame(rulesOf({ 'policy/a.ts': '', 'resolve/story/a.ts': '' }), ['twice policy/a.ts:0']);
    t.strictSame(rulesOf({ 'cache/a.ts': '', 'cli/history/a.ts': '' }), ['twice cache/a.ts:0'], 'any room');
    t.strictSame(rulesOf({ 'cache/a.ts': '', 'cli/a-verb.ts': '' }), []);
  });

  t.test('dead exports', async (t) => {
    t.strictSame(rulesOf({ 'wire/a.ts': '\nexport function left() {}\n' }), ['dead wire/a.ts:2']);
    for (const text of [
      'export const left = 1;',
      'export class left {}',
      'export async function* left() {}',
      'export abstract class left {}',
    ]) {
      t.strictSame(rulesOf({ 'wire/a.ts': text }), ['dead wire/a.ts:1'], text);
    }
    const used = "import { left } from './a.ts';\nleft();";
    t.strictSame(rulesOf({ 'wire/a.ts': 'export function left() {}', 'wire/b.ts': used }), []);
    t.strictSame(rulesOf({ 'wire/a.ts': 'export const left = 1;\nleft + 1;' }), []);
    t.strictSame(rulesOf({ 'wire/a.ts': 'export interface Left {}' }), [], 'the shape of what is given');
  });

  t.test('switches', async (t) => {
    const cases = "switch (x.kind) {\n  case 'a':\n    break;\n";
    t.strictSame(rulesOf({ 'wire/a.ts': `\n${cases}}` }), ['switch wire/a.ts:2']);
    t.strictSame(rulesOf({ 'cli/a.ts': `${cases}}` }), ['switch cli/a.ts:1'], 'in every room');
    t.strictSame(rulesOf({ 'wire/a.ts': `${cases}  default:\n    unreachable(x);\n}` }), []);
    const inner = `switch (y) {\n  case 1: {\n    ${cases}  default: break;\n}\n  }\n}`;
    t.strictSame(rulesOf({ 'wire/a.ts': inner }), ['switch wire/a.ts:1'], 'the default of another is none');
    t.strictSame(rulesOf({ 'wire/a.ts': '// switch (x) {}\nconst y = z.switch(x);' }), []);
  });

  t.test('times', async (t) => {
    for (const text of [
      'function f(now: number): void {}',
      'interface X { readonly sentAt: number | null }',
      'interface X { until?: number; }',
      'interface X { readonly now: () => number }',
      'interface X { epoch(): number; }',
      'class X { get freshUntil(): number { return 1; } }',
      'class X { #begunAt = -1; }',
      'class X { readonly idleMs = RETRY_MS; }',
      'const RETRY_MS = 5_000;',
      'const answer_ttl = (ttl: number) => ttl;',
    ]) {
      t.strictSame(rulesOf({ 'cache/a.ts': text }), ['time cache/a.ts:1'], text);
    }
    for (const text of [
      'function f(now: Monotonic): void {}',
      'interface X { readonly sentAt: Monotonic | null }',
      'const RETRY_MS: Milliseconds = 5_000;',
      'const now = clock.monotonic();',
      'const x = isLate ? until : number;',
      'const x = { until: 5 };',
      'const ages: Map<string, number> = new Map();',
      'function entryAt(at: number): number {}',
      'call(x.now(), y);',
    ]) {
      t.strictSame(rulesOf({ 'cli/a.ts': text }), [], text);
    }
  });

  t.test('purity', async (t) => {
    const impure = [
      "import { createHash } from 'node:crypto';",
      "import type { Socket } from 'node:net';",
      'const now = Date.now();',
      'const now = new Date();',
      'const now = new Date;',
      'const now = Date();',
      'const now = Math.random();',
      "const now = Date['now']();",
      'const now = performance.now();',
      'setTimeout(f, 1);',
      'console.log(1);',
      'if (process.platform) {}',
      'const p = b ? process : c;',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: source text with a template in it
      'const p = `a ${`b ${process.pid}`} c`;',
      "globalThis['pro' + 'cess'];",
      'const { now } = globalThis;',
    ];
    for (const text of impure) t.strictSame(rulesOf({ 'resolve/a.ts': text }), ['pure resolve/a.ts:1'], text);
    const pure = [
      'const at = new Date(seconds * 1000).toISOString();',
      'const at = Date.parse(text);',
      'const x = Math.floor(1);',
      'const b = Buffer.alloc(2);',
      '// process.exit()',
      '/* console.log(1) */',
      "const x = 'process.exit()';",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
      'const x = `process ${a} console`;',
      'const x = /process/.test(y) / 2;',
      'const x = clock.performance.now;',
      'const x = { process: 1, console: 2 };',
      'interface X { readonly process: string; console?: number }',
    ];
    for (const text of pure) t.strictSame(rulesOf({ 'resolve/a.ts': text }), [], text);
    t.strictSame(rulesOf({ 'cache/a.ts': impure.join('\n') }), [], 'rank 4 may');
  });

  t.test('packages', async (t) => {
    t.strictSame(rulesOf({ 'config/a.ts': "import { z } from 'zod';" }), []);
    t.strictSame(rulesOf({ 'cli/a.ts': "import { z } from 'zod';" }), ['package cli/a.ts:1']);
    t.strictSame(rulesOf({ 'wire/a.ts': "import 'zod';" }), ['package wire/a.ts:1']);
    t.strictSame(
      rulesOf({ 'cli/a.ts': "import 'zod/v4';" }),
      ['package cli/a.ts:1'],
      'a subpath is the package',
    );
    t.strictSame(rulesOf({ 'report/log.ts': "import { pino } from 'pino';" }), []);
    t.strictSame(rulesOf({ 'report/metrics.ts': "import { pino } from 'pino';" }), [
      'package report/metrics.ts:1',
    ]);
    t.strictSame(rulesOf({ 'config/a.ts': "createRequire(import.meta.url)('koffi');" }), [
      'package config/a.ts:1',
    ]);
    t.strictSame(rulesOf({ 'config/a.ts': "const pad = require('left-pad');" }), ['package config/a.ts:1']);
    t.strictSame(rulesOf({ 'config/a.ts': 'const pad = require(name);' }), ['import config/a.ts:1']);
    t.strictSame(rulesOf({ 'config/a.ts': 'const require = createRequire(import.meta.url);' }), []);
    t.strictSame(rulesOf({ 'listen/a.ts': "import 'left-pad';" }), ['package listen/a.ts:1']);
    t.strictSame(rulesOf({ 'listen/a.ts': "import '@scope/left-pad/x';" }), ['package listen/a.ts:1']);
    t.strictSame(
      rulesOf({ 'listen/a.ts': "import 'fs';" }),
      ['package listen/a.ts:1'],
      'a builtin has its prefix',
    );
  });

  t.test('imports and cycles', async (t) => {
    t.strictSame(rulesOf({ 'listen/a.ts': "import './gone.ts';" }), ['import listen/a.ts:1']);
    t.strictSame(
      rulesOf({ 'listen/a.ts': "import '../../package.json';" }),
      ['import listen/a.ts:1'],
      'out of src',
    );
    t.strictSame(rulesOf({ 'listen/a.ts': 'import(name);' }), ['import listen/a.ts:1'], 'computed');
    t.strictSame(rulesOf({ 'listen/a.ts': "import('./b' + c);", 'listen/b.ts': '' }), [
      'import listen/a.ts:1',
    ]);
    t.strictSame(rulesOf({ 'listen/a.ts': 'import.meta.url;' }), []);
    t.strictSame(rulesOf({ 'wire/a.ts': "import './a.ts';" }), ['cycle wire/a.ts:1'], 'a file and itself');
    const [cycle, ...more] = breachesWith({
      'wire/a.ts': "import './b.ts';",
      'wire/b.ts': "import './c.ts';",
      'wire/c.ts': "import type { A } from './a.ts';",
    });
    t.equal(cycle?.rule, 'cycle');
    t.equal(cycle?.message, 'wire/a.ts → wire/b.ts → wire/c.ts → wire/a.ts');
    t.strictSame(more, []);
  });

  t.throws(() => tokensOf("const x = 'a\n';"), 'source that it cannot read is not passed over');
  t.throws(() => tokensOf('const x = `a'), 'nor half a template');
});
