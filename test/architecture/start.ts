import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** `import` and `export … from` with a value in it: what Node loads with the file. `import()` is loaded when it is reached. */
const STATIC = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;

/** What Node loads before the first line of `file` runs: packages by name, and paths of our own files. */
export function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(STATIC)) {
    if (specifier.startsWith('.')) loadedWith(join(dirname(file), specifier), seen);
    else seen.add(specifier);
  }
  return seen;
}
