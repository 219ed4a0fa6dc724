import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { amount } from '../amount.ts';
import { running } from '../clock.ts';
import { policyOf } from './changes.ts';
import { ask, Client, framed, queryOctets } from './client.ts';
import { fetchText, house, Namegate, namegate, Process, pause, until } from './namegate.ts';
import { silent, type Upstream, upstream } from './upstream.ts';

/** How it ends: what is in flight is answered, and nothing holds it up. */

const POLICY = policyOf('local.example').replace(
  '    allow:',
  '    allow:\n      - { name: "*.test.example", reason: test }\n      - { name: "*.silent.example", reason: test }',
);

async function started(
  t: Test,
): Promise<{ readonly server: Namegate; readonly up: Upstream; readonly dead: Upstream }> {
  const up = await upstream(
    t,
    ({ name }, to) => void setTimeout(() => to.reply({ answer: [`${name} 60 A 198.51.100.1`] }), 1000),
  );
  const dead = await upstream(t, silent);
  const server = await namegate(t, {
    policy: POLICY,
    servers: `["${up.url}"]`,
    groups: `  dead: { servers: ["${dead.url}"], zones: [silent.example] }`,
  });
  return { server, up, dead };
}

// They wait more than they work.
t.jobs = 3;

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(
    `${signal}: questions in flight are answered, over UDP and TCP; idle connections do not hold it up`,
    async (t) => {
      const { server, up } = await started(t);
      const idle = await Promise.all(Array.from({ length: 20 }, () => Client.open(server, 'tcp')));
      t.equal((await idle[0]!.ask('local.example')).rcode, 'NOERROR');
      // Half a message, and half an HTTP request: they never come to their end.
      idle[1]!.stream.write(framed(queryOctets('a.example')).subarray(0, 9));
      const http = connect(Number(new URL(server.status).port), '127.0.0.1');
      http.on('error', () => {});
      http.write('GET /ready HTTP/1.1\r\nHost:');
      t.teardown(() => http.destroy());
      const udp = await Client.open(server, 'udp');
      const tcp = await Client.open(server, 'tcp');
      const answers = Promise.all([
        udp.ask('a.test.example'),
        tcp.ask('b.test.example'),
        tcp.ask('c.test.example'),
      ]);
      await until(() => up.seen.length === 3);
      const stopped = server.stop(t, signal, 2500);
      for (const reply of await answers)
        t.match(reply, { rcode: 'NOERROR', answer: [{ data: '198.51.100.1' }] });
      t.match(await stopped, { queries: { forwarded: 3 } });
      await until(() => idle.every(({ ended }) => ended));
      t.pass('connections were closed');
      for (const client of [udp, tcp, ...idle]) client.close();
    },
  );
}

t.test('a silent upstream: SERVFAIL for what is in flight, exit 0 within 5 s', async (t) => {
  const { server, dead } = await started(t);
  const asked = ask(server, 'a.silent.example');
  const overTcp = ask(server, 'b.silent.example', { over: 'tcp' });
  await until(() => dead.seen.length >= 2);
  const stopped = server.stop(t, 'SIGTERM', 5000);
  t.equal((await asked).rcode, 'SERVFAIL');
  t.equal((await overTcp).rcode, 'SERVFAIL');
  await stopped;
});

t.test('while it drains, new questions are not taken and /ready says so', async (t) => {
  const { server, up } = await started(t);
  const asked = ask(server, 'a.test.example');
  await until(() => up.seen.length === 1);
  const late = await Client.open(server, 'udp');
  server.kill('SIGTERM');
  await until(async () => (await server.ready()).status === 503);
  t.match(await server.ready(), { ready: false, reasons: [{ code: 'stopping' }] });
  t.equal(await late.exchange(queryOctets('local.example'), 200), null, 'not answered');
  await t.rejects(ask(server, 'local.example', { over: 'tcp', patience: 500 }), 'no new connection');
  // Changes and signals meanwhile change nothing.
  server.write('policy/test.yaml', 'nonsense: [');
  server.kill('SIGHUP');
  server.kill('SIGTERM');
  server.kill('SIGINT');
  t.equal((await asked).rcode, 'NOERROR', 'what was in flight is answered');
  t.same(await server.ended, { code: 0, signal: null }, 'two SIGTERMs: still exit 0');
  t.same(server.events('reload-failed'), []);
  late.close();
});

t.test('a client that does not read its answers does not hold it up', async (t) => {
  const { server } = await started(t);
  const client = await Client.open(server, 'tcp');
  const socket = client.stream;
  socket.pause();
  const queries = Buffer.concat(Array.from({ length: 4000 }, () => framed(queryOctets('local.example'))));
  for (let i = 0; i < 10; i++) socket.write(queries);
  await pause(300);
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR');
  await server.stop(t, 'SIGTERM', 5000);
  client.close();
});

t.test(
  'SIGTERM while it starts: it ends soon, with no mistake; once it takes signals, with exit 0',
  async (t) => {
    const folder = house(t, { policy: POLICY });
    const end = async (server: Process, when: string): Promise<string> => {
      const from = running();
      server.kill('SIGTERM');
      const { code, signal } = await server.ended;
      t.ok(code === 0 || signal === 'SIGTERM', when, { code, signal, stderr: server.stderr });
      t.ok(running() - from < 2000, `${when}: soon`);
      t.notMatch(server.stderr, /Error|fault/, `${when}: no mistake`);
      return `${code ?? signal}`;
    };
    for (let delay = 0; delay <= 500; delay += amount(100, 50)) {
      const server = new Process(t, folder);
      await pause(delay);
      await end(server, `after ${delay} ms`);
    }
    // Each word that it prints, whether the greeting or the log, comes after it takes signals.
    for (const words of [1, 2, 3]) {
      const server = new Process(t, folder);
      let printed = 0;
      await new Promise<void>((resolve) => {
        const count = (): void => void (++printed >= words && resolve());
        server.child.stdout?.on('data', count);
        server.child.stderr?.on('data', count);
        setTimeout(resolve, 3000);
      });
      t.equal(await end(server, `when it has printed ${words} times`), '0');
    }
  },
);

t.test('SIGHUP while it starts does not end it', async (t) => {
  const server = new Namegate(t, house(t, { policy: POLICY }));
  await until(() => server.stdout !== '' || server.stderr !== '');
  for (let i = 0; i < 20; i++) server.kill('SIGHUP');
  await server.started();
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR');
  await server.stop(t);
});

t.test('the status listener answers until the end, and nothing there can stop the server', async (t) => {
  const { server } = await started(t);
  const port = Number(new URL(server.status).port);
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(
        [
          '\u0000\u0001',
          'GET / HTTP/9.9\r\n\r\n',
          'POST /ready HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx',
          'GET /',
        ][i % 4]!,
      );
      return socket;
    }),
  );
  t.equal((await ask(server, 'local.example')).rcode, 'NOERROR');
  for (const socket of sockets) socket.destroy();
  await until(async () => {
    try {
      return (await fetchText(`${server.status}/ready`)).status === 200;
    } catch {
      return false;
    }
  });
  t.equal((await fetchText(`${server.status}/nothing`)).status, 404);
  await server.stop(t);
});
