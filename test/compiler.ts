/** The compiler of this repository, for sources that a test writes. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** What the compiler says of files in a folder, a line each: `FILE(LINE,COLUMN): error CODE: TEXT`. Under our own options. */
export function complaints(folder: string, files: Readonly<Record<string, string>>): string[] {
  const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
    readonly compilerOptions: object;
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const options = {
    ...compilerOptions,
    typeRoots: [join(ROOT, 'node_modules/@types')],
    rewriteRelativeImportExtensions: false,
    noUnusedLocals: false,
  };
  const project = { compilerOptions: options, files: Object.keys(files) };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  // What tap loads into each process would not let the compiler start.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    encoding: 'utf8',
    env,
  });
  return stdout.split('\n').filter((line) => line !== '');
}
