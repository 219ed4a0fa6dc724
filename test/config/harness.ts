import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Test } from 'tap';
import { load } from '../../src/config/load.ts';
import type { LoadResult } from '../../src/config/loaded.ts';

/** 2026-11-20T00:00:00Z, in seconds. */
export const NOW = Date.UTC(2026, 10, 20) / 1000;

export const SERVER = `listen: [udp://127.0.0.1:5300]
upstreams: { default: { servers: [udp://192.0.2.53] } }
policy: policy.yaml
`;

/** A policy without problems; tests add to it. */
export const POLICY = `identities:
  - name: me
    owner: team
    review_by: 2027-03-31
    from: { addresses: [127.0.0.1] }
`;

/** Writes files into a folder of the test's own, and returns it. */
export function write(t: Test, files: Readonly<Record<string, string | Buffer>>): string {
  const dir = t.testdir({});
  put(dir, files);
  return dir;
}

export function put(dir: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
}

export function loadFrom(dir: string, env: Record<string, string> = {}): LoadResult {
  return load(join(dir, 'namegate.yaml'), { env, now: NOW, salt: 7 });
}

/** Problems as `file:line:column code`, the file relative to `dir`; warnings with a `?` behind the code. */
export function brief(dir: string, result: LoadResult): string[] {
  return result.problems.map(({ at, code, severity }) => {
    const file = at.file.startsWith(dir) ? relative(dir, at.file) : at.file;
    return `${file}:${at.line}:${at.column} ${code}${severity === 'warning' ? '?' : ''}`;
  });
}

/** Loads a server file and a policy, and gives the problems of both in brief. */
export function problemsOf(t: Test, files: Readonly<Record<string, string | Buffer>>): string[] {
  const dir = write(t, { 'namegate.yaml': SERVER, 'policy.yaml': POLICY, ...files });
  return brief(dir, loadFrom(dir));
}
