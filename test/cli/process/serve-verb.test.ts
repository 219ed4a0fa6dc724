import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { MAIN, namegate, say } from '../command.ts';

const POLICY = `
destinations:
  own: { owner: platform, reason: tests, names: [hello.example, up.example] }
identities:
  - name: this-machine
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.0/8] }
    allow: [own]
records: [{ name: hello.example, type: A, data: 192.0.2.1 }]
`;

/** A folder of config; the upstream is a port where nobody listens. */
function configured(t: Test, host: string, port: number): string {
  const listen = `listen: ["udp://${host}:${port}", "tcp://${host}:${port}"]`;
  const rest = 'upstreams: { default: { servers: ["udp://127.0.0.1:1"] } }\npolicy: policy.yaml\n';
  return t.testdir({
    'namegate.yaml': `${listen}\n${rest}`,
    'policy.yaml': POLICY,
    'broken.yaml': 'listen: []\n',
    'resolv.conf': `nameserver ${host}\n`,
  });
}

/** Whether UDP and TCP of an address can be taken now. */
async function isFree(host: string, port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject).bind(port, host, resolve);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, resolve);
    });
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
    server.close();
  }
}

interface Serving {
  readonly child: ReturnType<typeof spawn>;
  readonly greeting: string;
  readonly ended: Promise<number | null>;
}

async function serve(t: Test, dir: string): Promise<Serving> {
  const program = ['-i', `PATH=${process.env['PATH']}`, process.execPath, MAIN, 'serve'];
  const child = spawn('env', [...program, '--config', 'namegate.yaml'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let greeting = '';
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    greeting += text;
  });
  for (let left = 400; !/\n {2}try .*\n/.test(greeting); left--) {
    if (left === 0 || child.exitCode !== null) throw new Error(`it does not serve: ${greeting}${log}`);
    await wait(25);
  }
  return { child, greeting, ended };
}

t.test('serve, query and explain agree', async (t) => {
  const dir = configured(t, '127.0.0.1', 0);
  const { child, greeting, ended } = await serve(t, dir);
  t.match(greeting, /^namegate \d+\.\d+\.\d+\n {2}listening {2}udp:\/\/127\.0\.0\.1:\d+\n/);
  t.match(greeting, /\n {2}policy {5}policy\.yaml: 1 identity, 2 rules, 2 views, loaded in \d+ ms\n/);
  const udp = /udp:\/\/(\S+)/.exec(greeting)![1]!;
  const tcp = /tcp:\/\/(\S+)/.exec(greeting)![1]!;
  t.match(greeting, `dig @127.0.0.1 -p ${udp.split(':')[1]} hello.example\n`);

  const local = await say(['query', 'hello.example', '--server', udp]);
  t.equal(local.code, 0);
  t.match(local.stdout, /flags qr aa .*\nhello\.example\t\d+\tIN\tA\t192\.0\.2\.1\n$/);
  const overTcp = await say(['query', 'hello.example', 'AAAA', '--server', tcp, '--tcp']);
  t.equal(overTcp.code, 0);
  t.match(overTcp.stdout, /EDE|no data/);
  const denied = await say(['query', 'evil.example', '--server', tcp, '--tcp']);
  t.equal(denied.code, 1);
  t.match(denied.stdout, '\n; EDE 15 (Blocked): this-machine: name not approved; ask team\n');
  const dead = await say(['query', 'up.example', '--server', udp]);
  t.equal(dead.code, 1);
  t.match(dead.stdout, /SERVFAIL.*\n; EDE 2[23] /);

  const config = ['--config', `${dir}/namegate.yaml`];
  for (const name of ['hello.example', 'evil.example', 'example']) {
    const why = await say(['query', `${name}._why.namegate.internal`, 'TXT', '--server', udp, '--json']);
    const explained = await say(['explain', '--from', '127.0.0.1', name, ...config]);
    const { answers } = JSON.parse(why.stdout) as { answers: { data: string }[] };
    const said = answers[0]!.data.replace(/^"|" "|"$/g, '');
    // The server was told its config as a relative path.
    t.equal(said, explained.stdout.trimEnd().replaceAll(`${dir}/`, ''), name);
  }

  const doctor = await say(['doctor', '--resolv-conf', '/dev/null', '--probe', udp, '--json', ...config]);
  const { findings } = JSON.parse(doctor.stdout) as {
    findings: { check: string; status: string; message: string }[];
  };
  t.match(
    findings.find(({ check }) => check === 'probe'),
    { status: 'ok', message: /UDP \d+: led to namegate/ },
  );

  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

t.test('a config with errors, and a port that is taken, do not start', async (t) => {
  const taken = createSocket('udp4');
  await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const dir = configured(t, '127.0.0.1', taken.address().port);
  const [busy, bad, missing] = await Promise.all([
    namegate(['serve', '--config', 'namegate.yaml'], { cwd: dir }),
    namegate(['serve', '--config', 'broken.yaml'], { cwd: dir }),
    namegate(['serve', '--config', 'gone.yaml'], { cwd: dir }),
  ]);
  t.equal(busy.code, 1);
  t.match(busy.stderr, /not started: .*is taken: another program listens there/);
  t.equal(bad.code, 1);
  t.match(bad.stderr, /broken\.yaml:1:\d+: [a-z-]+: .*\nnamegate: not started: .* has problems\n$/s);
  t.equal(missing.code, 1);
  t.match(missing.stderr, /gone\.yaml:1:1: file-missing: /);
});

const host = '127.53.53.53';
// Without the right to take port 53 here, doctor-verb.test.ts has the same with another port.
const skip = (await isFree(host, 53)) ? false : `port 53 of ${host} cannot be taken`;

t.test('doctor finds all well where namegate is the nameserver', { skip }, async (t) => {
  const dir = configured(t, host, 53);
  await serve(t, dir);
  const well = await namegate(['doctor', '--resolv-conf', 'resolv.conf', '--probe', `${host}:53`], {
    cwd: dir,
  });
  t.equal(well.code, 0);
  t.match(well.stdout, `ok    nameserver ${host} is namegate, over UDP and TCP\n`);
  t.match(well.stdout, /ok {4}namegate sees this client as this-machine\n/);
  t.match(well.stdout, /ok {4}127\.53\.53\.53:53 is not reached \(UDP 53, TCP 53: led to namegate\)\n/);
  t.match(well.stdout, /\nall is well\n$/);
});
