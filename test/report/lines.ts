import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a child ended, and what it wrote until then. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly text: string;
}

const root = new URL('../../', import.meta.url);

/** Runs `script` in a process of its own, with the exports of these files of src/report. Its descriptor 2 is `stderr`. */
export function child(
  script: string,
  imports: 'log.ts' | 'log-sink.ts',
  stderr: 'pipe' | number = 'pipe',
): ChildProcess {
  const name = imports === 'log.ts' ? 'createLog' : 'Sink';
  const url = new URL(`src/report/${imports}`, root).href;
  const prelude = `import fs from 'node:fs'; import { ${name} } from ${JSON.stringify(url)};`;
  return spawn(process.execPath, ['--input-type=module', '--eval', prelude + script], {
    stdio: ['ignore', 'ignore', stderr],
    cwd: fileURLToPath(root),
    // Nothing of the test runner's loaders.
    env: { PATH: process.env['PATH'] },
  });
}

/** Reads what a child writes until it ends. Kills it after five seconds: its signal is then SIGKILL. */
export function ended(process: ChildProcess): Promise<Ended> {
  let text = '';
  process.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const timer = setTimeout(() => process.kill('SIGKILL'), 5000);
  return new Promise((resolve) => {
    process.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, text });
    });
  });
}

export function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
