import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { running } from '../clock.ts';
import { policyOf } from './changes.ts';
import { ask, Client } from './client.ts';
import { fetchText, house, Namegate, namegate, Process, pause, until } from './namegate.ts';
import { plain, Upstream } from './upstream.ts';

/** Starting, not starting, and serving under bad conditions. */

// They wait more than they work.
t.jobs = 3;

const FORWARDING = policyOf('local.example').replace(
  '    allow:',
  '    allow:\n      - { name: "*.test.example", reason: test }',
);

t.test('no network: it starts, answers local names, and approved ones SERVFAIL with EDE 23', async (t) => {
  // An address of loopback that nothing else here uses, so that its port is still free later.
  const gone = new Upstream(plain, '127.0.77.1');
  await gone.open();
  await gone.close();
  t.teardown(() => gone.close());
  const server = await namegate(t, { policy: FORWARDING, servers: `["${gone.url}"]` });
  t.equal((await ask(server, 'local.example')).answer[0]?.data, '192.0.2.1');
  t.equal((await ask(server, 'denied.example')).rcode, 'NXDOMAIN');
  const from = running();
  t.match(await ask(server, 'a.test.example'), { rcode: 'SERVFAIL', opt: { ede: [{ code: 23 }] } });
  t.ok(running() - from < 1000, 'at once');
  t.match(await server.ready(), { status: 200, ready: true });
  // The network comes.
  await gone.open(gone.port);
  const took = await until(async () => (await ask(server, 'b.test.example')).rcode === 'NOERROR');
  t.ok(took < 5000, 'served when the network is there', { took });
  await server.stop(t);
});

t.test('the greeting says where it listens, what it loaded, and a dig line that works', async (t) => {
  const server = await namegate(t, {
    policy: FORWARDING,
    listen: ['udp://127.0.0.1:0', 'udp://[::1]:0', 'tcp://127.0.0.1:0', 'tcp://[::1]:0'],
  });
  const lines = server.stdout.trimEnd().split('\n');
  t.match(lines[0], /^namegate \d+\.\d+\.\d+$/);
  t.match(
    lines.slice(1, 5).map((line) => line.trim()),
    [
      /^listening +udp:\/\/127\.0\.0\.1:\d+$/,
      /^listening +udp:\/\/\[::1\]:\d+$/,
      /tcp:\/\/127/,
      /tcp:\/\/\[::1\]:\d+$/,
    ],
  );
  t.match(lines[5], /^ {2}status +http:\/\/127\.0\.0\.1:\d+\/ready$/);
  t.match(lines[6], /^ {2}policy +.*: 1 identity, 2 rules, 2 views, loaded in \d+ ms$/);
  const [, host = '', port = '', name = ''] =
    /^ {2}try +dig @(\S+) -p (\d+) (\S+)$/.exec(lines[7] ?? '') ?? [];
  const reply = await ask({ host, udp: Number(port), tcp: 0 }, name);
  t.match(reply, { rcode: 'NOERROR', answer: [{ data: '192.0.2.1' }] }, `${name} at ${host}:${port}`);
  t.same(await fetchText(`${server.status}/health`), { status: 200, body: '{"healthy":true}\n' });
  t.notMatch(server.stdout, /\u001b/, 'no colours in a pipe');
  await server.stop(t);
});

t.test('a port that is taken: who, where, exit 1', async (t) => {
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  const tcp = createServer();
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    udp.close();
    tcp.close();
  });
  const { port: udpPort } = udp.address();
  const { port: tcpPort } = tcp.address() as { port: number };
  await Promise.all(
    [
      { listen: [`udp://127.0.0.1:${udpPort}`], metrics: 0, port: udpPort },
      { listen: ['udp://127.0.0.1:0', `tcp://127.0.0.1:${tcpPort}`], metrics: 0, port: tcpPort },
      { listen: ['udp://127.0.0.1:0'], metrics: tcpPort, port: tcpPort },
    ].map(async ({ listen, metrics, port }, i) => {
      const folder = join(t.testdirName, `taken${i}`);
      mkdirSync(folder, { recursive: true });
      const settings = `metrics: http://127.0.0.1:${metrics}`;
      const server = new Process(t, house(t, { policy: FORWARDING, listen, settings }, folder));
      t.same(await server.ended, { code: 1, signal: null }, `port ${port}: exit 1`);
      t.match(server.stderr, new RegExp(`127\\.0\\.0\\.1 port ${port} is taken`), 'says so');
      t.notMatch(server.stderr, /at .*\.ts:\d+|Error:/, 'no stack');
      t.equal(server.stdout, '', 'and greets nobody');
    }),
  );
});

t.test(
  'an address that is not of this machine: the others serve, and it says which is missing',
  async (t) => {
    const listen = ['udp://192.0.2.1:5300', 'tcp://192.0.2.1:5300', 'udp://127.0.0.1:0'];
    const server = await namegate(t, { policy: FORWARDING, listen });
    t.equal((await ask(server, 'local.example')).rcode, 'NOERROR');
    t.match(server.stdout, /^ {2}waiting +udp:\/\/192\.0\.2\.1:5300: no interface has this address now$/m);
    t.match(await server.ready(), {
      status: 503,
      reasons: [{ code: 'listener-waits', text: /udp:\/\/192\.0\.2\.1:5300, tcp:\/\/192\.0\.2\.1:5300$/ }],
    });
    t.match(server.events('listener-waits')[1], { level: 'warn', url: 'tcp://192.0.2.1:5300' });
    await pause(1500);
    t.equal(server.events('listener-waits').length, 2, 'told once for each');
    await server.stop(t);
  },
);

t.test('a bad config does not start: every problem, with its line and caret, exit 1', async (t) => {
  const folder = house(t, {
    policy: {
      'a.yaml': `${policyOf('a.example')}foo: bar\n`,
      'b.yaml': `destinations:\n  d: { owner: x, names: ["*"] }\n  d: { owner: y, reason: z, names: [b.example] }\n`,
      'c.yaml': `identities: [\n`,
    },
    settings: 'nonsense: 1\nlimits: { in_flight: -3 }',
  });
  const server = new Process(t, folder);
  t.same(await server.ended, { code: 1, signal: null });
  for (const [file, code] of [
    ['namegate.yaml', 'key-unknown'],
    ['namegate.yaml', 'value-range'],
    ['a.yaml', 'key-unknown'],
    ['b.yaml', ''],
    ['c.yaml', ''],
  ]) {
    t.match(server.stderr, new RegExp(`${file}:\\d+:\\d+: ${code}`), `${file} ${code}`);
  }
  t.match(server.stderr, /\n +\^/, 'a caret');
  t.match(server.stderr, /not started: .*namegate\.yaml has problems\n$/);
  t.notMatch(server.stderr, /at .*\.ts:\d+/, 'no stack');
  t.equal(server.stdout, '');
});

t.test('no server file, and no policy: exit 1', async (t) => {
  const none = new Process(t, t.testdir());
  t.same(await none.ended, { code: 1, signal: null });
  t.match(none.stderr, /namegate\.yaml.*is not there/);
  const folder = house(t, { policy: FORWARDING }, join(t.testdirName, 'other'));
  writeFileSync(join(folder, 'namegate.yaml'), 'listen: ["udp://127.0.0.1:0"]\npolicy: missing/\n');
  const server = new Process(t, folder);
  t.same(await server.ended, { code: 1, signal: null });
  t.match(server.stderr, /missing.* is not there/);
});

t.test('kill -9, and a restart at once on the same ports', async (t) => {
  const folder = house(t, { policy: FORWARDING });
  const first = await new Namegate(t, folder).started();
  const { udp, tcp, status } = first;
  house(
    t,
    {
      policy: FORWARDING,
      listen: [`udp://127.0.0.1:${udp}`, `tcp://127.0.0.1:${tcp}`],
      settings: `metrics: ${status}`,
    },
    folder,
  );
  const open = await Client.open(first, 'tcp');
  t.equal((await open.ask('local.example')).rcode, 'NOERROR');
  first.kill('SIGKILL');
  await first.ended;
  const second = await new Namegate(t, folder).started();
  t.equal((await ask(second, 'local.example')).rcode, 'NOERROR');
  t.equal((await ask(second, 'local.example', { over: 'tcp' })).rcode, 'NOERROR');
  open.close();
  await second.stop(t);
});

t.test('a reader of its output that goes away, or stands still, stops nothing', async (t) => {
  const server = new Namegate(t, house(t, { policy: FORWARDING }));
  server.child.stdout?.destroy();
  await server.logged('ready');
  await server.logged('listening', 2);
  server.udp = Number(String(server.events('listening')[0]?.['url']).split(':').at(-1));
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR', 'without a standard output');
  // More than a pipe holds, while nobody reads it; then the pipe's other end goes away.
  server.child.stderr?.pause();
  server.write('policy/test.yaml', audited());
  await until(async () => (await ask(server, 'x.other.example')).rcode === 'SERVFAIL');
  const client = await Client.open(server, 'udp');
  for (let i = 0; i < 3000; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, (_, j) =>
        client.ask(`a-name-that-is-long-enough-to-fill-the-log-${i + j}.example`),
      ),
    );
  }
  t.equal((await client.ask('local.example')).rcode, 'NOERROR', 'while nobody reads its log');
  server.write('policy/test.yaml', 'nonsense: [');
  await pause(300);
  t.equal((await client.ask('local.example')).rcode, 'NOERROR', 'and a reload has problems to tell');
  server.child.stderr?.destroy();
  server.write('policy/test.yaml', policyOf('after.example'));
  await until(async () => (await client.ask('after.example')).rcode === 'NOERROR');
  client.close();
  server.kill('SIGTERM');
  t.same(await server.ended, { code: 0, signal: null });
});

/** An audit of everybody's questions: each new name is a line of the log. */
function audited(): string {
  return policyOf('local.example').replace(
    '    allow:',
    '    mode: audit\n    audit_until: 2099-01-01\n    allow:',
  );
}

t.test('more connections than descriptors: UDP is answered, and TCP again when some are free', async (t) => {
  const server = await namegate(t, {
    policy: FORWARDING,
    under: ['sh', '-c', 'ulimit -n 60; exec "$@"', 'sh'],
    settings: 'limits: { tcp_clients: 4000 }',
  });
  const clients = await Promise.all(Array.from({ length: 120 }, () => Client.open(server, 'tcp')));
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR', 'UDP');
  t.equal((await ask(server, 'a.test.example')).rcode, 'SERVFAIL', 'no socket for an upstream');
  for (const client of clients) client.close();
  const took = await until(async () => {
    try {
      return (await ask(server, 'local.example', { over: 'tcp', patience: 500 })).rcode === 'NOERROR';
    } catch {
      return false;
    }
  });
  t.ok(took < 3000, 'TCP', { took });
  server.write('policy/test.yaml', policyOf('after.example'));
  await until(async () => (await ask(server, 'after.example')).rcode === 'NOERROR');
  server.kill('SIGTERM');
  t.same(await server.ended, { code: 0, signal: null });
});

t.test('servers: system, with a resolv.conf that lists ourselves', { skip: withoutMounts() }, async (t) => {
  const folder = t.testdir();
  const resolvConf = join(folder, 'resolv.conf');
  writeFileSync(resolvConf, 'nameserver 127.0.0.77\n');
  const server = new Namegate(
    t,
    house(
      t,
      { policy: FORWARDING, servers: 'system', listen: ['udp://127.0.0.77:53', 'tcp://127.0.0.77:53'] },
      folder,
    ),
    {
      under: [
        'unshare',
        '--mount',
        'sh',
        '-ec',
        'mount --bind "$0" "$(readlink -f /etc/resolv.conf)"; exec "$@"',
        resolvConf,
      ],
    },
  );
  server.host = '127.0.0.77';
  await server.started();
  const from = running();
  t.match(
    await ask(server, 'a.test.example'),
    { rcode: 'SERVFAIL', opt: { ede: [{ code: 23 }] } },
    'nobody is asked',
  );
  t.ok(running() - from < 1000, 'at once');
  t.match(await server.logged('upstream-changed'), {
    kind: 'system-servers',
    servers: [],
    ours: ['udp://127.0.0.77:53'],
  });
  let number = 0;
  const other = new Upstream(plain, '127.0.0.78');
  await other.open(53);
  t.teardown(() => other.close());
  writeFileSync(resolvConf, 'nameserver ::ffff:127.0.0.77\nnameserver 127.0.0.78\n');
  const took = await until(async () => (await ask(server, `n${number++}.test.example`)).rcode === 'NOERROR');
  t.ok(took < 3000, 'another server is followed', { took });
  t.match(await server.logged('upstream-changed', 2), { servers: ['udp://127.0.0.78:53'] });
  const { queries } = (await server.stop(t)) as unknown as { queries: Record<string, number> };
  t.ok(queries['deny'] === 0, 'and no question came back to us', queries);
});

/** Why the test of resolv.conf cannot run here, or false: it needs a mount namespace and port 53 of two addresses of loopback. */
function withoutMounts(): string | false {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
  } catch {
    return 'needs root: it makes a mount namespace';
  }
  return false;
}
