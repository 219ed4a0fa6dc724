import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { CODES } from '../src/config/codes.ts';
import { loadPolicyOnly } from '../src/config/load.ts';
import { consoleBlocks, linesMatch } from './readme.ts';

const README = readFileSync('README.md', 'utf8');

for (const { command, expected } of consoleBlocks(README, 'console')) {
  t.test(`README: ${command}`, async (t) => {
    const [program, ...args] = command.split(' ');
    t.equal(program, 'namegate');
    const { stdout } = spawnSync(process.execPath, ['src/main.ts', ...args], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    t.ok(linesMatch(stdout, expected), `prints what the README shows, not:\n${stdout}`);
  });
}

t.test('README: the policy by example loads, with no error and no warning', async (t) => {
  const policy = /```yaml policy\n([\s\S]*?)```/.exec(README)?.[1] ?? '';
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

t.test('README lists every problem code with its meaning, and no other', async (t) => {
  const table = README.slice(README.indexOf('<!-- problem codes'));
  const rows = [...table.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, code, text]) => [code, text]);
  t.same(rows, Object.entries(CODES));
});

t.test('README: files that it names are there', async (t) => {
  for (const path of README.match(/\b(?:config|packaging|src)\/[\w./-]+\w|Dockerfile/g) ?? []) {
    t.ok(existsSync(path), path);
  }
});
