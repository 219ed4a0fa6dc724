import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { RUNTIME_OPTIONS } from '../../src/cli/process/runtime-options.ts';
import { running } from '../clock.ts';
import type { Place } from './client.ts';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** What /ready says. */
export interface Ready {
  readonly status: number;
  readonly ready: boolean;
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
  readonly audit: readonly { readonly identity: string; readonly until: string }[];
  readonly reload: {
    readonly at: string;
    readonly count: number;
    readonly problems: readonly Problem[];
  } | null;
}

export interface Problem {
  readonly code: string;
  readonly severity: string;
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
  readonly message: string;
  readonly fix: string;
}

/** What outlives a call here is ended by it, and files stand in its folder: a tap test, or a run without tap. */
export interface Scope {
  teardown(end: () => unknown): unknown;
  testdir(): string;
}

/** A process of the server, from this source tree, on the Node that runs the test. */
export class Process {
  readonly folder: string;
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #lines: LogLine[] = [];
  /** Characters of `stderr` whose lines are in `#lines`. */
  #read = 0;
  /** Resolves when it has ended and all that it printed was read. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;

  constructor(t: Scope, folder: string, options: ProcessOptions = {}) {
    this.folder = folder;
    const command = [
      process.execPath,
      ...RUNTIME_OPTIONS,
      MAIN,
      'serve',
      '--config',
      join(folder, 'namegate.yaml'),
    ];
    // The test runner puts its own modules into every Node below it by NODE_OPTIONS, and wraps `spawn` so that a
    // changed environment does not take them out.
    const [program = '', ...rest] = ['env', '-u', 'NODE_OPTIONS', ...(options.under ?? []), ...command];
    this.child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: folder,
      env: { ...process.env, NAMEGATE_UPSTREAM: undefined, ...options.env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
    const atExit = (): void => void this.child.kill('SIGKILL');
    process.once('exit', atExit);
    void this.ended.then(() => process.off('exit', atExit));
    t.teardown(async () => {
      this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Lines of the log so far; what else stands on the standard error is left out. */
  get log(): LogLine[] {
    // Tests look every few milliseconds: each line is read once.
    for (let end = this.stderr.indexOf('\n', this.#read); end >= 0; ) {
      const line = this.stderr.slice(this.#read, end);
      if (line.startsWith('{')) this.#lines.push(JSON.parse(line) as LogLine);
      this.#read = end + 1;
      end = this.stderr.indexOf('\n', this.#read);
    }
    return [...this.#lines];
  }

  events(event: string): LogLine[] {
    return this.log.filter((line) => line.event === event);
  }

  /** Waits for a line of the log. */
  async logged(event: string, count = 1, patience = 10_000): Promise<LogLine> {
    await until(
      () => this.events(event).length >= count || !this.running,
      () => `no ${event} (${count}) in the log:\n${this.stderr}`,
      patience,
    );
    const line = this.events(event)[count - 1];
    if (line === undefined) throw new Error(`it ended without ${event}:\n${this.stdout}${this.stderr}`);
    return line;
  }
}

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A program with its arguments that runs it. */
  readonly under?: readonly string[];
}

export interface NamegateOptions extends ProcessOptions {
  /** YAML of the policy: one file, or files by their names. */
  readonly policy: string | Readonly<Record<string, string>>;
  /** YAML of `servers:` in the group `default`; a port where nobody listens unless given. */
  readonly servers?: string;
  /** More keys of the server file. */
  readonly settings?: string;
  readonly listen?: readonly (string | object)[];
  /** Other groups, as lines of `upstreams:`. */
  readonly groups?: string;
}

/** A running server, ready to be asked. */
export class Namegate extends Process implements Place {
  host = '127.0.0.1';
  udp = 0;
  tcp = 0;
  /** Where `metrics:` listens. */
  status = '';

  /** Where it listens on another host. */
  at(host: string): Place {
    return { host, udp: this.#port('udp', host), tcp: this.#port('tcp', host) };
  }

  async started(patience?: number): Promise<this> {
    await this.logged('ready', 1, patience);
    await until(
      () => this.stdout.includes('\n  try') || this.stdout.includes('\n  policy'),
      () => `no greeting: ${this.stdout}`,
    );
    this.udp = this.#port('udp', this.host);
    this.tcp = this.#port('tcp', this.host);
    this.status = /http:\/\/\S+(?=\/ready)/.exec(this.stdout)?.[0] ?? '';
    return this;
  }

  #port(protocol: string, host: string): number {
    const urls = this.events('listening').map(({ url }) => String(url));
    const text = host.includes(':') ? `[${host}]` : host;
    return Number(
      urls
        .find((url) => url.startsWith(`${protocol}://${text}:`))
        ?.split(':')
        .at(-1) ?? 0,
    );
  }

  async ready(): Promise<Ready> {
    const { status, body } = await fetchText(`${this.status}/ready`);
    return { ...(JSON.parse(body) as Omit<Ready, 'status'>), status };
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file in place, as an editor that truncates does. */
  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** Writes a new file and renames it over the old one. */
  replace(name: string, text: string): void {
    this.write(`${name}.new`, text);
    renameSync(this.path(`${name}.new`), this.path(name));
  }

  /** Ends it as an operator would, and holds it to what that promises: exit 0 in time, JSON lines, and no bug met. */
  async stop(t: Test, signal: NodeJS.Signals = 'SIGTERM', within = 5000): Promise<LogLine> {
    const from = running();
    this.kill(signal);
    const { code, signal: by } = await this.ended;
    const took = running() - from;
    t.same({ code, by }, { code: 0, by: null }, `${signal} ends it with exit code 0`);
    t.ok(took < within, `it ends within ${within} ms`, { took });
    t.same(this.events('fault'), [], 'no fault is in the log');
    const stopped = this.events('stopped')[0];
    if (stopped === undefined) throw new Error(`no last line:\n${this.stderr}`);
    t.match(stopped, { queries: { bugs: 0 }, lost_log_lines: 0 }, 'no query met a bug, no line was lost');
    return stopped;
  }
}

/** Tests ask thousands of invented names under wildcards: none of them is contained, unless its test is about that. */
export const NOT_CONTAINED = 'detect: { budgets: { lease_wildcard: off, claim_wildcard: off } }';

/** Writes the files of a server into a folder of the test. */
export function house(t: Scope, options: NamegateOptions, folder = t.testdir()): string {
  const { policy, servers = '[udp://127.0.0.1:9]', settings = '', groups = '' } = options;
  const listen = options.listen ?? ['udp://127.0.0.1:0', 'tcp://127.0.0.1:0'];
  const files = typeof policy === 'string' ? { 'test.yaml': policy } : policy;
  mkdirSync(join(folder, 'policy'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, 'policy', name)), { recursive: true });
    writeFileSync(join(folder, 'policy', name), text);
  }
  writeFileSync(
    join(folder, 'namegate.yaml'),
    `listen: ${JSON.stringify(listen)}
upstreams:
  default: { servers: ${servers} }
${groups}
policy: policy/
${settings.includes('metrics:') ? '' : 'metrics: http://127.0.0.1:0'}
${settings.includes('detect:') ? '' : NOT_CONTAINED}
${settings}
`,
  );
  return folder;
}

/** Starts a server in a folder of the test and waits until it serves. */
export async function namegate(t: Scope, options: NamegateOptions): Promise<Namegate> {
  return new Namegate(t, house(t, options), options).started();
}

export function fetchText(url: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false, timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    }).on('error', reject);
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something holds; throws with `why` after `patience` milliseconds of `running`. Returns how many it took. */
export async function until(
  what: () => boolean | Promise<boolean>,
  why: () => string = () => 'it never came true',
  patience = 10_000,
): Promise<number> {
  const from = running();
  while (!(await what())) {
    if (running() - from > patience) throw new Error(why());
    await pause(10);
  }
  return running() - from;
}
