import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal.ts';

/** Runs `namegate ARGS` inside this process: what verbs print and their exit codes are the same. */
export async function say(args: readonly string[]): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const out = {
    write: (text: string) => {
      stdout += text;
    },
  };
  const err = {
    write: (text: string) => {
      stderr += text;
    },
  };
  const code = await run(args, new Terminal(out, err, {}));
  return { code, stdout, stderr };
}

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** Runs `namegate ARGS` as a process of its own, with a small environment. */
export function namegate(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return command([process.execPath, MAIN, ...args], options);
}

/** Runs any command; it is killed after 20 s. */
export function command([program = '', ...args]: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    // The test runner puts its own modules into every Node below it; `env -i` takes them out again.
    const path = `PATH=${process.env['PATH'] ?? ''}`;
    const variables = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
    const child = spawn('env', ['-i', path, ...variables, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
