import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { CODES } from '../src/config/codes.ts';
import { load, loadPolicyOnly } from '../src/config/load.ts';
import {
  anchors,
  blocks,
  consoleBlocks,
  linesContained,
  linesMatch,
  links,
  PAGES,
  page,
  sentences,
  USER_PAGES,
} from './docs.ts';

/** A reader at 2 a.m. has lost the beginning of a longer sentence. */
const MOST_WORDS = 30;

const options = { env: {}, now: Date.UTC(2026, 10, 20) / 1000, salt: 1 };

/** What the server file of an example names and a test does not make: files of certificates and tokens. */
const MISSING = new Set(['file-missing', 'trust-empty', 'identity-unreachable']);

for (const path of USER_PAGES) {
  for (const { command, expected } of consoleBlocks(page(path), 'console')) {
    t.test(`${path}: ${command}`, async (t) => {
      const [program, ...args] = command.split(' ');
      t.equal(program, 'namegate');
      const { stdout } = spawnSync(process.execPath, ['src/main.ts', ...args], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      t.ok(linesMatch(stdout, expected), `prints what the page shows, not:\n${stdout}`);
    });
  }
}

t.test('each policy that a page shows loads, with no error and no warning', async (t) => {
  for (const { path, text, line } of examples('yaml policy')) {
    const dir = t.testdir({ 'policy.yaml': text });
    const { problems, snapshot } = loadPolicyOnly(`${dir}/policy.yaml`, options);
    t.same(problems, [], `${path}:${line}`);
    t.ok((snapshot?.identities.length ?? 0) > 0, 'it has an identity');
  }
});

t.test('each server file that a page shows loads, but for the files that it names', async (t) => {
  const policy = /```yaml policy\n([\s\S]*?)```/.exec(page('README.md'))?.[1] ?? '';
  for (const { path, text, line } of examples('yaml server')) {
    const dir = t.testdir({ 'server.yaml': text, policy: { 'policy.yaml': policy } });
    const { problems } = load(`${dir}/server.yaml`, options);
    t.same(
      problems.filter(({ code, severity }) => severity === 'error' && !MISSING.has(code)),
      [],
      `${path}:${line}`,
    );
  }
});

t.test('each file of tokens that a page shows loads', async (t) => {
  const policy = /```yaml policy\n([\s\S]*?)```/.exec(page('README.md'))?.[1] ?? '';
  const server =
    'listen: [udp://127.0.0.1:5300]\npolicy: policy/\nadmin: { on: "http://127.0.0.1:9154", tokens: tokens.yaml }\n';
  for (const { path, text, line } of examples('yaml tokens')) {
    const dir = t.testdir({ 'server.yaml': server, 'tokens.yaml': text, policy: { 'p.yaml': policy } });
    t.same(load(`${dir}/server.yaml`, options).problems, [], `${path}:${line}`);
  }
});

t.test('a yaml block says what it is, unless it is a fragment of something else', async (t) => {
  for (const path of USER_PAGES) {
    for (const { kind, text, line } of blocks(page(path))) {
      if (kind !== 'yaml') continue;
      t.notMatch(text, /^(?:listen|upstreams|policy|destinations|identities|tokens):/m, `${path}:${line}`);
    }
  }
});

t.test('docs/problems.md lists every problem code with its meaning, and no other', async (t) => {
  const rows = [...page('docs/problems.md').matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)];
  t.same(
    rows.map(([, code, text]) => [code, text]),
    Object.entries(CODES),
  );
});

t.test('docs/operations.md lists every log event, and no other', async (t) => {
  const union = /type LogEvent =([^;]*);/.exec(readFileSync('src/report/log.ts', 'utf8'))?.[1] ?? '';
  const events = new Set([...union.matchAll(/'([a-z-]+)'/g)].map(([, event]) => event));
  t.ok(events.size > 10);
  const table = /\| event \| says \|\n([\s\S]*?)\n\n/.exec(page('docs/operations.md'))?.[1] ?? '';
  const cells = [...table.matchAll(/^\| ([^|]*) \|/gm)].map(([, cell = '']) => cell).join();
  const told = [...cells.matchAll(/`([a-z-]+)`/g)].map(([, event]) => event);
  t.same(told.toSorted(), [...events].toSorted());
});

t.test('docs/ says every key of the two schemas', async (t) => {
  const text = USER_PAGES.map(page).join('\n');
  for (const name of ['server', 'policy']) {
    const schema: unknown = JSON.parse(readFileSync(`config/schemas/${name}.schema.json`, 'utf8'));
    for (const key of keysOf(schema)) {
      t.ok(new RegExp(`\`${key}\`|(?:^|[{ ,\`])${key}:`, 'm').test(text), `${key} of the ${name} file`);
    }
  }
});

t.test('each command that a page shows exists, with these options', async (t) => {
  const rows = page('docs/commands.md').split('\n');
  for (const path of PAGES) {
    for (const { command, where } of commandsOf(path)) {
      const [verb = '', ...rest] = command.split(' ');
      const row = rows.find((row) => row.startsWith(`| \`namegate ${verb}`)) ?? '';
      t.not(row, '', `${where}: ${command}`);
      for (const option of rest.filter((word) => word.startsWith('--'))) {
        const shared = ['--config', '--admin', '--token-file', '--json', '--help'].includes(option);
        t.ok(shared || row.includes(option), `${where}: ${verb} ${option}`);
      }
    }
  }
});

t.test('links of the pages lead somewhere', async (t) => {
  for (const path of PAGES) {
    for (const { path: to, anchor } of links(page(path))) {
      const target = to === '' ? path : normalize(join(dirname(path), to));
      t.ok(existsSync(target), `${path}: ${to}`);
      if (anchor !== '' && existsSync(target))
        t.ok(anchors(page(target)).has(anchor), `${path}: ${to}#${anchor}`);
    }
  }
});

t.test('files that the pages name are there', async (t) => {
  for (const path of PAGES) {
    for (const file of page(path).match(/\b(?:config|packaging|src|test)\/[\w./-]+\w|Dockerfile/g) ?? []) {
      t.ok(existsSync(file) || existsSync(`src/${file}`) || /[A-Z]{3,}/.test(file), `${file} in ${path}`);
    }
  }
});

t.test(`no sentence has more than ${MOST_WORDS} words`, async (t) => {
  for (const path of PAGES) {
    const long = sentences(page(path)).filter(({ words }) => words > MOST_WORDS);
    t.same(
      long.map(({ text, line, words }) => `${path}:${line}: ${words} words: ${text}`),
      [],
      path,
    );
  }
});

t.test('the README is one page', async (t) => {
  t.ok(page('README.md').split('\n').length <= 200);
});

t.test('a reader of pages', async (t) => {
  const text = 'One two.\n\n```sh\na b c. d\n```\n\n- Three `x y z` four. Five (six).\n  Seven:\n| a | b |\n';
  t.same(
    sentences(text).map(({ words, line }) => [words, line]),
    [
      [2, 1],
      [3, 7],
      [2, 7],
      [1, 7],
    ],
  );
  t.same(links('[a](b.md#c) [d](#e) [f](https://g.example/) `[h](i)`'), [
    { path: 'b.md', anchor: 'c' },
    { path: '', anchor: 'e' },
  ]);
  t.same([...anchors('# A b, `c`\n## The client’s "x"\n')], ['a-b-c', 'the-clients-x']);
  t.ok(linesContained('a\nb  c d\ne\n', ['b c', 'e']));
  t.notOk(linesContained('e\nb c\n', ['b c', 'e']), 'the order counts');
});

/** What a page writes behind `namegate`, in shell blocks and in running text. */
function commandsOf(path: string): { command: string; where: string }[] {
  const text = page(path);
  const shell = blocks(text)
    .filter(({ kind }) => kind === 'sh' || kind === 'console')
    .flatMap(({ text, line }) =>
      [...text.matchAll(/^(?:\$ )?(?:bin\/namegate\.js|namegate) (.*)$/gm)].map(([, command = '']) => ({
        command: command.replace(/ #.*/, ''),
        where: `${path}:${line}`,
      })),
    );
  const spans = text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`namegate ([a-z][^`\n]*)`/g);
  return [...shell, ...[...spans].map(([, command = '']) => ({ command, where: path }))];
}

function examples(kind: string): { path: string; text: string; line: number }[] {
  const found = USER_PAGES.flatMap((path) =>
    blocks(page(path))
      .filter((block) => block.kind === kind)
      .map(({ text, line }) => ({ path, text, line })),
  );
  if (found.length === 0) throw new Error(`no page shows ${kind}`);
  return found;
}

/** Every property name of a JSON schema. */
function keysOf(schema: unknown): Set<string> {
  const keys = new Set<string>();
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [word, value] of Object.entries(node)) {
      if (word === 'properties') for (const key of Object.keys(value as object)) keys.add(key);
      walk(value);
    }
  };
  walk(schema);
  return keys;
}
