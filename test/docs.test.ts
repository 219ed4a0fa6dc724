import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import t from 'tap';
import { CODES } from '../src/config/codes.ts';
import { loadPolicyOnly } from '../src/config/load.ts';
import { consoleBlocks, linesMatch, PAGES, page, USER_PAGES } from './docs.ts';

for (const path of USER_PAGES) {
  for (const { command, expected } of consoleBlocks(page(path), 'console')) {
    t.test(`${path}: ${command}`, async (t) => {
      const [program, ...args] = command.split(' ');
      t.equal(program, 'namegate');
      const { stdout } = spawnSync(process.execPath, ['src/main.ts', ...args], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      t.ok(linesMatch(stdout, expected), `prints what the page shows, not:\n${stdout}`);
    });
  }
}

t.test('docs/policy.md: the policy by example loads, with no error and no warning', async (t) => {
  const policy = /```yaml policy\n([\s\S]*?)```/.exec(page('docs/policy.md'))?.[1] ?? '';
  t.not(policy, '');
  const dir = t.testdir({ 'policy.yaml': policy });
  const { problems, snapshot } = loadPolicyOnly(`${dir}/policy.yaml`, {
    env: {},
    now: Date.UTC(2026, 10, 20) / 1000,
    salt: 1,
  });
  t.same(problems, []);
  t.equal(snapshot?.identities.length, 1);
});

t.test('docs/problems.md lists every problem code with its meaning, and no other', async (t) => {
  const rows = [...page('docs/problems.md').matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)];
  t.same(
    rows.map(([, code, text]) => [code, text]),
    Object.entries(CODES),
  );
});

t.test('files that the pages name are there', async (t) => {
  for (const path of PAGES) {
    for (const file of page(path).match(/\b(?:config|packaging|src)\/[\w./-]+\w|Dockerfile/g) ?? []) {
      t.ok(
        existsSync(file) || (path === 'ARCHITECTURE.md' && existsSync(`src/${file}`)),
        `${file} in ${path}`,
      );
    }
  }
});

t.test('the README is one page', async (t) => {
  t.ok(page('README.md').split('\n').length <= 200);
});
