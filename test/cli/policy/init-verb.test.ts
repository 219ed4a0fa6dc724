import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { USES } from '../../../src/cli/policy/init-files.ts';
import { commandFor } from '../../../src/cli/policy/init-verb.ts';
import { command, MAIN, say } from '../command.ts';

/** A port of TCP that is free now; UDP of the same number is as good as free. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a printed command as it is printed. */
function typed(line: string, cwd: string) {
  return command(['sh', '-c', line], { cwd });
}

/** Serves until the test ends; resolves once it says that it serves. */
async function serve(t: Test, config: string, cwd: string): Promise<void> {
  const child = spawn(
    'env',
    [
      '-i',
      `PATH=${process.env['PATH']}`,
      'NAMEGATE_UPSTREAM=udp://127.0.0.1:1',
      process.execPath,
      MAIN,
      'serve',
      '--config',
      config,
    ],
    {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ended = new Promise((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (text: string): void => {
      said += text;
      if (/listening|serving|ready/i.test(said)) resolve();
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    void ended.then(() => reject(new Error(`it ended: ${said}`)));
  });
}

for (const use of Object.keys(USES)) {
  t.test(`init --for ${use}: checks without a warning, and serves`, async (t) => {
    const cwd = t.testdir({});
    const made = await command([process.execPath, MAIN, 'init', 'my config', '--for', use], { cwd });
    t.equal(made.code, 0, made.stderr);
    const commands = made.stdout
      .split('Next:\n')[1]!
      .trim()
      .split('\n')
      .map((line) => line.trim());
    t.equal(commands.length, 3);
    const before = commands.filter((line) => !/ (serve|query) /.test(line));
    for (const line of before) {
      const { code, stdout, stderr } = await typed(line, cwd);
      t.equal(code, 0, `${line}\n${stdout}${stderr}`);
      if (line.includes(' check ')) t.match(stdout, /\ngood\n$/, 'no warning');
    }
    const file = join(cwd, 'my config/namegate.yaml');
    const port = await freePort();
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/:(5300|8530)\b/g, `:${port}`).replace(':9153', ':0'));
    await serve(t, 'my config/namegate.yaml', cwd);
    if (use === 'dot') {
      t.match(await askOverTls(join(cwd, 'my config/tls'), port), [192, 0, 2, 1]);
    } else {
      const { code, stdout } = await typed(commands.find((line) => line.includes(' query '))!, cwd);
      t.equal(code, 0, stdout);
      t.match(stdout, '192.0.2.1');
    }
  });
}

t.test('the next commands are those that the shell finds', async (t) => {
  const rows: [program: string, folder: string, npm: string | undefined, words: string[]][] = [
    ['/src/namegate/src/main.ts', '/src/namegate', undefined, ['bin/namegate.js']],
    ['/src/namegate/src/main.ts', '/src/namegate/config', undefined, ['../bin/namegate.js']],
    ['/src/namegate/src/main.ts', '/etc', 'run', ['../src/namegate/bin/namegate.js']],
    ['/p/node_modules/namegate/dist/main.js', '/p', 'exec', ['npx', 'namegate']],
    ['/p/node_modules/namegate/dist/main.js', '/p', undefined, ['npx', 'namegate']],
    ['/usr/lib/node_modules/namegate/dist/main.js', '/p', undefined, ['namegate']],
    ['/opt/namegate/dist/main.js', '/etc/namegate', undefined, ['namegate']],
  ];
  for (const [program, folder, npm_command, words] of rows)
    t.same(commandFor(program, folder, { npm_command }), words, `${program} in ${folder}`);
});

/** The address that `hello.namegate.example` has for the job's certificate. */
function askOverTls(tls: string, port: number): Promise<number[]> {
  const read = (name: string): string => readFileSync(join(tls, name), 'utf8');
  const labels = 'hello.namegate.example'
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const query = Buffer.concat([
    Buffer.from('000101000001000000000000', 'hex'),
    ...labels,
    Buffer.from('0000010001', 'hex'),
  ]);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'namegate.example',
      ca: read('ca.pem'),
      cert: read('job.pem'),
      key: read('job.key'),
    });
    socket
      .once('error', reject)
      .once('secureConnect', () => socket.write(Buffer.from([0, query.length, ...query])));
    let got = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      got = Buffer.concat([got, data]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      socket.destroy();
      resolve([...got.subarray(2 + query.length + 12, 2 + query.length + 16)]);
    });
  });
}

t.test('where no folder can be, it says so and ends', { skip: process.platform !== 'linux' }, async (t) => {
  for (const dir of ['/proc/x', '/proc/x/y', '/dev/null/x', '/sys/x']) {
    const { code, stderr } = await command([process.execPath, MAIN, 'init', dir]);
    t.equal(code, 1, dir);
    t.match(stderr, `${dir}/namegate.yaml cannot be written: `);
  }
});

t.test('nothing is overwritten, and nothing is half written', async (t) => {
  for (const [what, name] of [
    ['a server file', 'namegate.yaml'],
    ['a policy', 'policy/policy.yaml'],
  ] as const) {
    const dir = t.testdir({ [what]: { policy: {} } });
    const folder = relative('', join(dir, what));
    writeFileSync(join(folder, name), 'mine\n');
    const { code, stderr } = await say(['init', folder]);
    t.equal(code, 1, what);
    t.match(stderr, /is there already: nothing was written/);
    t.equal(readFileSync(join(folder, name), 'utf8'), 'mine\n');
    t.same(
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((each) => each.endsWith('.yaml')),
      [name],
    );
  }
  const dir = relative('', t.testdir({ file: 'mine\n', links: {} }));
  symlinkSync('nowhere', join(dir, 'links/namegate.yaml'));
  t.equal((await say(['init', join(dir, 'links')])).code, 1, 'a link that leads nowhere is there');
  t.equal((await say(['init', join(dir, 'file')])).code, 1, 'a file in the place of the folder');
  t.equal((await say(['init', dir, '--for', 'fun'])).code, 2);
});
