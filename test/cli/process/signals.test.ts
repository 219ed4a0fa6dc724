import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { some } from '../../amount.ts';
import { freePort } from '../../interop/process.ts';
import { Running, userEnvironment } from '../../package/system-node.ts';
import { policyOf } from '../../server/changes.ts';
import { ask } from '../../server/client.ts';
import { house, namegate, pause, until } from '../../server/namegate.ts';
import { silent, upstream } from '../../server/upstream.ts';
import { clientFiles } from '../../stub/peers.ts';
import { MAIN } from '../command.ts';

/** A signal does what the README says or nothing, at each moment of each program that stays. */

const LAUNCHER = fileURLToPath(new URL('../../../bin/namegate.js', import.meta.url));
const SHUT = '--disable-sigusr1';
const WITHOUT_EXECVE = ['--import', 'data:text/javascript,process.execve=undefined'];

/** None of these ends a program. */
const HARMLESS = [
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
  'SIGWINCH',
] as const;

interface Program {
  readonly name: string;
  readonly command: (t: Test) => Promise<string[]> | string[];
  /** Says that it serves. */
  readonly serving: RegExp;
}

const serve = (t: Test): string[] => {
  const folder = house(t, { policy: policyOf('local.example') });
  return ['serve', '--config', join(folder, 'namegate.yaml')];
};

const stub = async (t: Test): Promise<string[]> => {
  const { cert, key, ca } = clientFiles(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const server = `tls://127.0.0.1:${await freePort()}`;
  return ['stub', '--listen', listen, '--server', server, '--cert', cert, '--key', key, '--ca', ca];
};

const PROGRAMS: readonly Program[] = [
  { name: 'serve', command: (t) => [SHUT, MAIN, ...serve(t)], serving: /\n {2}policy/ },
  { name: 'stub', command: async (t) => [SHUT, MAIN, ...(await stub(t))], serving: /\n {2}certificate/ },
  { name: 'the launcher', command: (t) => [LAUNCHER, ...serve(t)], serving: /\n {2}policy/ },
  {
    name: 'the launcher as a parent',
    command: (t) => [...WITHOUT_EXECVE, LAUNCHER, ...serve(t)],
    serving: /\n {2}policy/,
  },
];

const NAMES: readonly NodeJS.Signals[] = [...HARMLESS, 'SIGTERM', 'SIGINT'];

/** Milliseconds after the start; null: while it serves. */
const MOMENTS = some([0, 50, 300, null, 20, 150], 0, 1, 2, 3);

t.jobs = 2;

for (const { name, command, serving } of PROGRAMS) {
  t.test(name, { skip: process.platform !== 'linux' }, async (t) => {
    for (const moment of MOMENTS) {
      // The launcher's own Node may be an older one, which opens its debugger before our first line: a moment that a busy
      // machine may hit. Once it serves the packaged Node is there.
      if (name.startsWith('the launcher') && moment !== null) continue;
      const when = moment === null ? 'while it serves' : `${moment} ms after its start`;
      await t.test(when, async (t) => {
        const running = new Running([process.execPath, ...(await command(t))], {
          env: userEnvironment(process.env['PATH'] ?? '', { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' }),
        });
        t.teardown(() => running.kill('SIGKILL'));
        if (moment === null) await running.until(({ stdout }) => serving.test(stdout));
        else await pause(moment);
        // Node itself needs a moment to come to the first line of the program; until then nobody can hold a signal off.
        for (const signal of HARMLESS) if (takes(running.pid, signal)) running.kill(signal);
        await running.until(({ stdout }) => serving.test(stdout), 20_000);
        running.kill('SIGTERM');
        t.match(await running.end(), { code: 0, signal: null }, 'it serves all the same, and ends well');
        t.notMatch(running.stderr, /debugger/i, 'no debugger');
      });
    }
  });
}

t.test(
  'SIGUSR1 to a server that was started without the option',
  { skip: process.platform !== 'linux' },
  async (t) => {
    for (const moment of some([0, 40, 100, 20, 60, 300], 0, 1, 2)) {
      const running = new Running([process.execPath, MAIN, ...serve(t)], {
        env: userEnvironment(process.env['PATH'] ?? '', { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' }),
      });
      t.teardown(() => running.kill('SIGKILL'));
      await pause(moment);
      running.kill('SIGUSR1');
      await running.until(({ stdout }) => PROGRAMS[0]!.serving.test(stdout), 20_000).catch(() => {});
      if (running.stdout === '') {
        t.equal((await running.end()).signal, 'SIGUSR1', `${moment} ms: there was no program yet`);
      } else {
        t.notOk(hasDebugger(running.pid), `${moment} ms: no debugger`);
        running.kill('SIGTERM');
        t.match(await running.end(), { code: 0, signal: null }, `${moment} ms`);
      }
    }
  },
);

t.test('while it drains', async (t) => {
  const dead = await upstream(t, silent);
  const policy = policyOf('local.example').replace(
    '    allow:',
    '    allow:\n      - { name: "*.silent.example", reason: test }',
  );
  const server = await namegate(t, { policy, servers: `["${dead.url}"]` });
  const asked = ask(server, 'a.silent.example');
  await until(() => dead.seen.length > 0);
  server.kill('SIGTERM');
  await server.logged('stopping');
  for (const signal of [...HARMLESS, 'SIGTERM', 'SIGINT'] as const) server.kill(signal);
  t.equal((await asked).rcode, 'SERVFAIL', 'what was in flight is answered');
  t.same(await server.ended, { code: 0, signal: null });
});

t.test('a reload that was asked for before it served comes when it does', async (t) => {
  const { Signals } = await import('../../../src/cli/process/signals.ts');
  const before = new Set(NAMES.flatMap((name) => process.listeners(name)));
  const signals = new Signals();
  t.teardown(() => {
    for (const name of NAMES) {
      for (const listener of process.listeners(name)) {
        if (!before.has(listener)) process.off(name, listener as () => void);
      }
    }
  });
  let reloads = 0;
  process.emit('SIGHUP');
  process.emit('SIGHUP');
  signals.onReload(() => reloads++);
  t.equal(reloads, 1, 'once for all that came');
  process.emit('SIGHUP');
  t.equal(reloads, 2);
  process.emit('SIGINT');
  process.emit('SIGTERM');
  t.equal(await signals.untilEnd(), 'SIGINT', 'the first that came');
});

/** Whether a process listens on the debugger's port, 9229. */
function hasDebugger(pid: number): boolean {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    }),
  );
  const listening = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => local.endsWith(':240D') && state === '0A');
  return listening.some((fields) => sockets.has(`socket:[${fields[9]}]`));
}

/** Whether a process has a handler for a signal, or needs none. What it ignores or blocks Node takes back when it starts. */
function takes(pid: number, signal: (typeof HARMLESS)[number]): boolean {
  if (signal === 'SIGWINCH') return true;
  try {
    // Before it is Node with this command line it still has the handlers of the process that it was forked from.
    const isNode = readlinkSync(`/proc/${pid}/exe`) === process.execPath;
    if (!isNode || !/main\.ts|namegate\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')))
      return false;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bit = 1n << BigInt((constants.signals[signal] ?? 1) - 1);
    const [, caught = '0'] = /^SigCgt:\s*([0-9a-f]+)/m.exec(status) ?? [];
    return (BigInt(`0x${caught}`) & bit) !== 0n;
  } catch {
    return false;
  }
}
