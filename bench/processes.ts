import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { accessSync, closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** A daemon that a bench started. It ends with the bench at the latest. */
export interface Daemon {
  readonly pid: number;
  /** All that it printed, its last 64 KiB. */
  log(): string;
  ended(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after 5 s. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The core that it is bound to, where `taskset` is installed. */
  readonly core?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Daemons leave the PATH of a plain user alone and live here. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
const STOP_MS = 5000;
const MAX_LOG = 65_536;

/** Absolute path of a program, or null where it is not installed. */
export function find(program: string): string | null {
  for (const folder of FOLDERS) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder.
    }
  }
  return null;
}

/** Starts a program in the foreground. `taskset` becomes the program itself, so the pid is the program's. */
export function start(command: readonly string[], options: StartOptions = {}): Daemon {
  const child = spawnOn(command, options, 'pipe');
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-MAX_LOG);
    });
  }
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      log += String(error);
      resolve();
    });
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const ended = (): boolean =>
    child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  return {
    pid: child.pid ?? 0,
    log: () => log,
    ended,
    signal: (signal) => {
      child.kill(signal);
    },
    async stop() {
      if (!ended()) child.kill('SIGTERM');
      const timer = setTimeout(kill, STOP_MS);
      await closed;
      clearTimeout(timer);
      process.off('exit', kill);
    },
  };
}

export interface RunOptions extends StartOptions {
  /** A file that standard output goes to, instead of being returned. */
  readonly output?: string;
  /** Milliseconds before it is killed. */
  readonly patience: number;
}

/** Runs a program to its end and returns what it printed. Throws with all of that where it fails. */
export async function run(command: readonly string[], options: RunOptions): Promise<string> {
  const file = options.output === undefined ? null : openSync(options.output, 'w');
  const child = spawnOn(command, options, file ?? 'pipe');
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const timer = setTimeout(kill, options.patience);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('close', resolve);
      child.once('error', reject);
    });
    if (code !== 0) throw new Error(`${command.join(' ')} exited ${code}:\n${printed}`);
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
    if (file !== null) closeSync(file);
  }
  return options.output === undefined ? printed : readFileSync(options.output, 'latin1');
}

function spawnOn(command: readonly string[], options: StartOptions, stdout: 'pipe' | number): ChildProcess {
  const taskset = options.core === undefined ? null : find('taskset');
  const whole = taskset === null ? command : [taskset, '-c', String(options.core), ...command];
  const [program = '', ...rest] = whole;
  const { NAMEGATE_UPSTREAM: _, ...environment } = process.env;
  return spawn(program, rest, {
    stdio: ['ignore', stdout, 'pipe'],
    env: { ...environment, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** A folder of its own for one run. It goes when the process ends, by a signal too. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `namegate-${name}-`));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const [signal, number] of [['SIGINT', 2] as const, ['SIGTERM', 15] as const])
    process.once(signal, () => process.exit(128 + number));
  return folder;
}

/** Waits until `what` gives true; throws with `why()` after so many milliseconds. */
export async function until(
  what: () => boolean | Promise<boolean>,
  why: () => string,
  milliseconds = 10_000,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error(why());
    await sleep(10);
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const LOOPBACK = '127.0.0.1';

/** Below the ports that the kernel gives out, so that nobody is given one before its server has it. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** A port of 127.0.0.1 that is free for UDP and TCP alike, at this moment. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = FIRST_PORT + randomInt(PORTS);
    const server = createServer();
    const overTcp = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, LOOPBACK, () => resolve(true));
    });
    const socket = createSocket('udp4');
    const overUdp = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, LOOPBACK, () => resolve(true));
    });
    await new Promise<void>((resolve) => socket.close(resolve));
    if (overTcp) await new Promise((resolve) => server.close(resolve));
    if (overTcp && overUdp) return port;
  }
  throw new Error('no port is free for UDP and TCP');
}

/** `localhost. A IN`, RD, ID 0x6e67. */
const PROBE = Buffer.from('6e6701000001000000000000096c6f63616c686f73740000010001', 'hex');

/** Whether a server on 127.0.0.1 sends any response over UDP within 200 ms. */
export async function answers(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const answered = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 200);
    const end = (result: boolean): void => {
      clearTimeout(timer);
      resolve(result);
    };
    socket.on('error', () => end(false));
    socket.on('message', (reply) => end(reply.length >= 12 && reply.readUInt16BE(0) === 0x6e67));
    socket.connect(port, LOOPBACK, () => socket.send(PROBE));
  });
  const result = await answered;
  socket.close();
  return result;
}
