import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../', import.meta.url));
const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');

const PLANTED = `export async function open(): Promise<void> {}
export function start(): void {
  open();
}
`;

/** What the linter says of one file, under the rules of this repository. */
function lint(folder: string, text: string): { readonly code: number | null; readonly said: string } {
  const rules = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(folder, 'biome.json'), JSON.stringify({ linter: rules['linter'] }));
  writeFileSync(join(folder, 'planted.ts'), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [biome, 'lint', '--colors=off', '.'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { code: status, said: stdout + stderr };
}

t.test('the linter finds a promise that nobody waits for', async (t) => {
  const folder = t.testdir();
  const floating = lint(folder, PLANTED);
  t.equal(floating.code, 1);
  t.match(floating.said, /noFloatingPromises/);
  for (const waited of ['void open()', 'open().catch(() => {})']) {
    t.equal(lint(folder, PLANTED.replace('  open()', `  ${waited}`)).code, 0, waited);
  }
});
