import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A Node and the npm beside it that belong to the machine, not to this checkout. */
export interface SystemNode {
  readonly node: string;
  /** Empty where the machine has a Node without npm. */
  readonly npm: string;
  /** It has `process.execve`. */
  readonly execve: boolean;
  /** 24.12 or newer. */
  readonly recent: boolean;
  /** PATH without the folders that npm puts in front for its scripts. */
  readonly path: string;
}

/** The machine's own Node, from version 20, or null. What npm puts in front of PATH is passed over. */
export function systemNode(): SystemNode | null {
  const folders = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && !/node_modules\/\.bin$|node-gyp-bin$/.test(folder));
  const path = folders.join(delimiter);
  const node = find('node', folders);
  if (node === null) return null;
  const { stdout } = spawnSync(
    'env',
    ['-u', 'NODE_OPTIONS', node, '-p', 'typeof process.execve + process.versions.node'],
    {
      encoding: 'utf8',
    },
  );
  const [, execve, major, minor] = /^([a-z]+)(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (Number(major ?? 0) < 20) return null;
  const recent = Number(major) > 24 || (Number(major) === 24 && Number(minor) >= 12);
  return { node, npm: find('npm', folders) ?? '', execve: execve === 'function', recent, path };
}

function find(name: string, folders: readonly string[]): string | null {
  for (const folder of folders) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not here: the next folder.
    }
  }
  return null;
}

/**
 * The environment that a user's shell would give: without what npm and the test runner add. The runner wraps
 * `spawn` and adds NODE_OPTIONS again, so a program under test is started through `env -u NODE_OPTIONS`.
 */
export function userEnvironment(path: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_|_?TAP|NODE_OPTIONS$|INIT_CWD$|NAMEGATE_)/i.test(name),
  );
  return { ...Object.fromEntries(kept), PATH: path, ...more };
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that was started as a user would; its output is kept. */
export class Running {
  stdout = '';
  stderr = '';
  readonly pid: number;
  readonly #child: ReturnType<typeof spawn>;
  readonly #closed: Promise<unknown[]>;

  constructor(
    command: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
  ) {
    const { input, ...rest } = options;
    this.#child = spawn('env', ['-u', 'NODE_OPTIONS', ...command], {
      ...rest,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#closed = once(this.#child, 'close');
    this.pid = this.#child.pid ?? 0;
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#child.stdin?.on('error', () => {});
    if (input !== undefined) this.#child.stdin?.end(input);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Writes to its standard input. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Resolves when the program and all that hold its output have ended. */
  async end(): Promise<Finished> {
    const [code, signal] = (await this.#closed) as [number | null, NodeJS.Signals | null];
    return { code, signal, stdout: this.stdout, stderr: this.stderr };
  }

  /** Waits until `what` is true, or throws with the output so far. */
  async until(what: (running: this) => boolean, milliseconds = 60_000): Promise<void> {
    const deadline = Date.now() + milliseconds;
    while (!what(this)) {
      if (Date.now() > deadline || this.#child.exitCode !== null || this.#child.signalCode !== null) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (what(this)) return;
        throw new Error(`waited in vain (exit ${this.#child.exitCode}):\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Whether a process with this id still runs after so many milliseconds; returns early when it does not. */
export async function aliveFor(pid: number, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (runs(pid)) {
    if (Date.now() > deadline) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // An orphan that has ended stays as a zombie until the machine's first process asks for it.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return !existsSync('/proc/self/stat');
  }
}
