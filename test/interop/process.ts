import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Test } from 'tap';

/** Daemons leave the PATH of a plain user alone and live here. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Absolute path of a program, or null where it is not installed. */
export function find(program: string): string | null {
  for (const folder of FOLDERS) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not here: the next folder.
    }
  }
  return null;
}

/**
 * For a test's `skip`: which of these programs is missing, or false. In CI nothing is skipped: there the test runs
 * and fails.
 */
export function missing(...programs: string[]): false | string {
  const absent = programs.filter((program) => find(program) === null);
  return absent.length > 0 && !process.env['CI'] ? `not installed: ${absent.join(', ')}` : false;
}

/** Like `missing`, for what only root may do (network namespaces). */
export function missingForRoot(...programs: string[]): false | string {
  if (process.getuid?.() !== 0 && !process.env['CI']) return 'needs root: it makes network namespaces';
  return missing(...programs);
}

/** A daemon that a test started; it ends with the test. */
export interface Peer {
  readonly pid: number;
  /** All that it printed. */
  log(): string;
  /** Whether it has ended. */
  ended(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after 6 s. Returns the exit code, or null after a signal. */
  stop(): Promise<number | null>;
}

export interface StartOptions {
  readonly cwd?: string;
  /** Instead of this process's own. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Added to it. */
  readonly env?: Record<string, string>;
  /** Network namespace to run in. */
  readonly namespace?: string;
}

/** Starts a program that ends with the test at the latest. Throws where it is not installed. */
export function start(t: Test, command: readonly string[], options: StartOptions = {}): Peer {
  const child = spawnInside(command, options);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  const closed = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
    child.once('error', (error) => {
      log += String(error);
      resolve(null);
    });
  });
  const atExit = () => child.kill('SIGKILL');
  process.once('exit', atExit);
  const ended = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const peer: Peer = {
    pid: child.pid ?? 0,
    log: () => log,
    ended,
    kill: (signal) => {
      child.kill(signal);
    },
    async stop() {
      if (!ended()) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 6000);
      const code = await closed;
      clearTimeout(timer);
      process.removeListener('exit', atExit);
      return code;
    },
  };
  t.teardown(() => peer.stop());
  return peer;
}

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions extends StartOptions {
  /** Milliseconds before it is killed; 30 s unless given. */
  readonly patience?: number;
}

/** Runs a program to its end, without standard input. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Output> {
  const child = spawnInside(command, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), options.patience ?? 30_000);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', (status) => resolve(status));
    child.once('error', reject);
  });
  clearTimeout(timer);
  return { code, stdout, stderr };
}

/** Like `run`, for what must succeed: throws with the output otherwise. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')} exited ${code}:\n${stdout}${stderr}`);
  return stdout;
}

function spawnInside(
  command: readonly string[],
  { cwd, environment, env, namespace }: StartOptions,
): ChildProcess {
  const [program = '', ...rest] = command;
  const path = program.includes('/') ? program : (find(program) ?? program);
  // The test runner wraps `spawn` and puts its own modules into every Node below it; `env` takes them out again.
  const inside = namespace === undefined ? [] : [find('ip') ?? 'ip', 'netns', 'exec', namespace];
  return spawn('env', ['-u', 'NODE_OPTIONS', ...inside, path, ...rest], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A developer's own upstream must not replace the test's.
    env: { ...(environment ?? process.env), NAMEGATE_UPSTREAM: undefined, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** How many times longer than usual something may take. `NAMEGATE_SLOW=10` is for a long run on a machine that is busy. */
export const SLOW = Number(process.env['NAMEGATE_SLOW'] ?? 1);

/** Waits until `what` gives true; throws with `why()` after so many milliseconds. */
export async function until(
  what: () => boolean | Promise<boolean>,
  why: () => string,
  milliseconds = 10_000,
): Promise<void> {
  const deadline = Date.now() + SLOW * milliseconds;
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(why());
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A port of loopback that is free for UDP and TCP alike, at this moment. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const server = createServer();
    const port = await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, host, () => resolve((server.address() as { port: number }).port));
    });
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const free = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, host, () => resolve(true));
    });
    await new Promise((resolve) => socket.close(() => resolve(null)));
    await new Promise((resolve) => server.close(resolve));
    if (free) return port;
  }
  throw new Error('no port is free for UDP and TCP');
}
