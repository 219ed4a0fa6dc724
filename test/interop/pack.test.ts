import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { aliveFor, type Finished, Running, systemNode, userEnvironment } from '../package/system-node.ts';

/** The package as npm makes it, and `npm start`, both under the machine's own Node and npm. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const system = systemNode();
const skip = system === null || system.npm === '' ? 'this machine has no Node and npm of its own' : false;
const path = system?.path ?? '';
const npm = system?.npm ?? '';
const version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;

function folderFor(t: Test, purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `namegate-${purpose}-`));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function run(command: readonly string[], cwd: string) {
  return new Running(command, { cwd, env: userEnvironment(path), input: '' }).end();
}

function succeeded(t: Test, { code, stdout, stderr }: Finished, what: string): void {
  if (code !== 0) t.comment(stdout, stderr);
  t.equal(code, 0, what);
}

/** A port of loopback that is free for UDP and TCP. */
async function freePort(wanted = 0): Promise<number | null> {
  const server = createServer();
  const port = await new Promise<number | null>((resolve) => {
    server.once('error', () => resolve(null));
    server.listen(wanted, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  if (port === null) return null;
  const socket = createSocket('udp4');
  const free = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => resolve(true));
  });
  await new Promise<void>((resolve) => socket.close(resolve));
  await new Promise((resolve) => server.close(resolve));
  return free ? port : null;
}

/** Whether `localhost. A` is answered with 127.0.0.1 within 200 ms. */
async function answersLocalhost(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const answered = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 200);
    const end = (result: boolean) => {
      clearTimeout(timer);
      resolve(result);
    };
    socket.on('error', () => end(false));
    socket.on('message', (reply) => end(reply.subarray(-4).equals(Buffer.from([127, 0, 0, 1]))));
    const question = Buffer.from('6e6701000001000000000000096c6f63616c686f73740000010001', 'hex');
    socket.connect(port, '127.0.0.1', () => socket.send(question));
  });
  socket.close();
  return answered;
}

/** A configuration on ports of its own; returns the file and the DNS port. */
async function configure(folder: string): Promise<{ config: string; port: number }> {
  const port = (await freePort()) ?? 0;
  const health = (await freePort()) ?? 0;
  mkdirSync(join(folder, 'policy'), { recursive: true });
  writeFileSync(
    join(folder, 'policy', 'here.yaml'),
    `identities:
  - name: here
    owner: platform
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow: [{ name: a.example, owner: platform, reason: test }]
`,
  );
  const config = join(folder, 'namegate.yaml');
  writeFileSync(
    config,
    `listen: [udp://127.0.0.1:${port}, tcp://127.0.0.1:${port}]
upstreams: { default: { servers: [udp://127.0.0.1:9] } }
policy: policy/
state: state/
metrics: http://127.0.0.1:${health}
`,
  );
  return { config, port };
}

async function untilServes(running: Running, port: number): Promise<void> {
  let serves = false;
  const asking = (async () => {
    while (!serves) {
      serves = await answersLocalhost(port);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  })();
  await running
    .until(() => serves, 20_000)
    .finally(() => {
      serves = true;
    });
  await asking;
}

/** Runs the command `namegate` of an installation: its version, a check, a server that ends well. */
async function tryOut(t: Test, command: readonly string[], cwd: string): Promise<void> {
  t.match((await run([...command, '--version'], cwd)).stdout, version, 'namegate --version');
  const usage = await run([...command, 'no-such-verb'], cwd);
  t.equal(usage.code, 2, 'wrong usage');
  const { config, port } = await configure(join(cwd, 'conf'));
  const check = await run([...command, 'check', '--config', config], cwd);
  succeeded(t, check, 'namegate check');
  const running = new Running([...command, 'serve', '--config', config], { cwd, env: userEnvironment(path) });
  await untilServes(running, port);
  running.kill('SIGTERM');
  succeeded(t, await running.end(), 'SIGTERM ends it well');
  t.notOk(await answersLocalhost(port), 'and nobody serves any more');
}

// npm installs here, by the network where its cache is cold.
t.setTimeout(240_000);

t.test('the package', { skip, timeout: 180_000 }, async (t) => {
  // Packed from a copy, so that a build of the developer's stays as it is.
  const copy = folderFor(t, 'pack');
  const parts = [
    'bin',
    'src',
    'config',
    'docs',
    'packaging',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ];
  for (const part of [...parts, 'README.md', 'LICENSE', 'CHANGELOG.md', '.gitignore']) {
    if (existsSync(join(root, part))) cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  mkdirSync(join(copy, 'config', 'state'), { recursive: true });
  writeFileSync(join(copy, 'config', 'state', 'left-over'), '');
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const packed = await run([npm, 'pack', '--json', '--foreground-scripts=false'], copy);
  succeeded(t, packed, 'npm pack');
  const tarball = join(copy, `namegate-${version}.tgz`);

  await t.test('holds what it needs and nothing else', async (t) => {
    const { stdout } = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' });
    const files = stdout
      .trim()
      .split('\n')
      .map((file) => file.replace(/^package\//, ''));
    for (const file of [
      'bin/namegate.js',
      'bin/leash.js',
      'dist/main.js',
      'config/namegate.yaml',
      'README.md',
      'docs/README.md',
      'LICENSE',
    ]) {
      t.ok(files.includes(file), file);
    }
    t.ok(
      files.some((file) => /^config\/policy\/.*\.yaml$/.test(file)),
      'a policy',
    );
    t.ok(
      files.some((file) => /^config\/schemas\/.*\.json$/.test(file)),
      'schemas',
    );
    const foreign =
      /^(?!bin\/|dist\/|config\/|docs\/|packaging\/|package\.json|README\.md|LICENSE|CHANGELOG\.md)|\.ts$|^config\/state/;
    t.strictSame(
      files.filter((file) => foreign.test(file)),
      [],
      'nothing else',
    );
  });

  await t.test('the build leaves no path to a .ts file', async (t) => {
    const dist = join(copy, 'dist');
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.js'),
    );
    const sources = readdirSync(join(copy, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    t.strictSame(
      files.map((file) => file.replace(/\.js$/, '.ts')).sort(),
      sources.sort(),
      'each source is built',
    );
    for (const file of files) {
      // tsc rewrites imports, and no `new URL('./x.ts', import.meta.url)`.
      const code = readFileSync(join(dist, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
      t.notMatch(code, /['"`]\.{1,2}\/[^'"`\n]*\.ts['"`]/, file);
    }
  });

  await t.test('runs under node_modules with the dependencies of this checkout', async (t) => {
    const folder = folderFor(t, 'laid-out');
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, 'namegate'), { recursive: true });
    spawnSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'namegate')]);
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
    await tryOut(t, [system?.node ?? '', join(modules, 'namegate', 'bin', 'namegate.js')], folder);
  });

  await t.test('runs after a plain install', async (t) => {
    const folder = folderFor(t, 'install');
    writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true }');
    const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
    // Without a network npm would try for minutes.
    const brief = [
      '--fetch-retries=1',
      '--fetch-retry-mintimeout=500',
      '--fetch-retry-maxtimeout=1000',
      '--fetch-timeout=20000',
    ];
    const installed = await run([npm, 'install', ...quiet, ...brief, tarball], folder);
    const offline =
      /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;
    if (installed.code !== 0 && offline.test(installed.stderr) && !process.env['CI']) {
      t.comment(installed.stderr);
      t.pass('installed', { skip: 'the registry cannot be reached' });
      return;
    }
    succeeded(t, installed, 'npm install');
    t.notOk(existsSync(join(folder, 'node_modules', 'typescript')), 'without what builds it');
    await tryOut(t, [join(folder, 'node_modules', '.bin', 'namegate')], folder);
  });
});

t.test('npm start', { skip, timeout: 60_000 }, async (t) => {
  const start = (...rest: string[]): Running =>
    new Running([npm, 'start', ...rest], {
      cwd: root,
      env: userEnvironment(path, { NAMEGATE_UPSTREAM: 'udp://127.0.0.1:9' }),
    });
  // Another server, or another run of the tests, may hold the port: then the same script on ports that are free.
  let port = 5300;
  const free = (await freePort(port)) !== null;
  if (!free) t.comment('UDP or TCP port 5300 of 127.0.0.1 is taken: `npm start` is tried on another');
  const own = free ? null : await configure(folderFor(t, 'start'));
  port = own?.port ?? port;
  const running = own === null ? start() : start('--', '--config', own.config);
  await untilServes(running, port);
  t.pass(`it serves on port ${port}`);
  const server = existsSync('/proc/self') ? serverBelow(running.pid) : null;
  t.not(server, 0, 'the server is a process below npm');
  running.kill('SIGTERM');
  succeeded(t, await running.end(), 'SIGTERM ends it well');
  if (server !== null) t.notOk(await aliveFor(server, 6000), 'no orphan stays');
  t.notOk(await answersLocalhost(port));
});

/** The process that runs `src/main.ts` below another, by /proc; 0 where there is none. */
function serverBelow(pid: number): number {
  for (const child of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1]);
      if (parent !== pid) continue;
      if (readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('main.ts')) return Number(child);
      const below = serverBelow(Number(child));
      if (below > 0) return below;
    } catch {
      // It has ended meanwhile.
    }
  }
  return 0;
}
