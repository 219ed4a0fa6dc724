import { Agent, get, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Readiness } from '../../src/report/readiness.ts';
import { StatusServer } from '../../src/report/status.ts';
import { running } from '../clock.ts';

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Seconds since 1970, for all of the tests. */
let now = Date.UTC(2026, 10, 20) / 1000;

/** What `/metrics` gives; a test may let it fail. */
const metrics = { text: async (): Promise<Buffer> => Buffer.from('a_total 1\n') };

async function rig(t: Test) {
  const readiness = new Readiness(() => now);
  const server = new StatusServer({ host: '127.0.0.1', port: 0, readiness, metrics, notice: t.fail });
  t.teardown(() => server.close());
  await server.start();
  const { port } = server.address;
  const ask = (path: string, method = 'GET', body?: string): Promise<Got> =>
    new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', path, method, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text }),
        );
      });
      asked.on('error', reject);
      asked.end(body);
    });
  const dial = (): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    return socket;
  };
  return { readiness, server, port, ask, dial };
}

t.test('a page that leads a name to loopback reads nothing of the policy', async (t) => {
  const { port } = await rig(t);
  const ask = (path: string, host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', path, headers: { host }, agent: false };
      get(options, (response) => resolve(response.resume().statusCode!)).on('error', reject);
    });
  for (const host of [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example:80',
    'evil.example:9153',
  ]) {
    t.equal(await ask('/ready', host), 421, host);
    t.equal(await ask('/metrics', host), 421, host);
    t.not(await ask('/health', host), 421, 'which tells nothing');
  }
  for (const host of ['127.0.0.1', 'localhost:9153', '[::1]:9153', '192.0.2.7:9153'])
    t.not(await ask('/ready', host), 421, host);
});

function all(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => {
    text += more;
  });
  return new Promise((resolve) => socket.on('close', () => resolve(text)));
}

const problem = {
  code: 'yaml',
  severity: 'error',
  at: { file: 'policy/a.yaml', line: 3, column: 5 },
  message: 'a tab',
  fix: 'use spaces',
} as const;

t.test('/health answers while the process does', async (t) => {
  const { ask } = await rig(t);
  const got = await ask('/health');
  t.equal(got.status, 200);
  t.match(got.headers, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  t.strictSame(JSON.parse(got.body), { healthy: true });
});

t.test('/ready: not while starting, then while no reason stands', async (t) => {
  const { ask, readiness } = await rig(t);
  const starting = await ask('/ready');
  t.equal(starting.status, 503);
  t.strictSame(JSON.parse(starting.body), {
    ready: false,
    reasons: [{ code: 'starting', text: 'the server is starting' }],
    audit: [],
    crls: [],
    certificates: [],
    journal: null,
    ledger: null,
    without_tcp: { count: 0, clients: [] },
    reload: null,
  });
  readiness.clear('starting');
  t.equal((await ask('/ready?verbose=1')).status, 200);
  readiness.raise('draining', 'the server is stopping');
  readiness.raise('upstreams', 'no server answers');
  readiness.raise('upstreams', 'none of 2 servers answers');
  readiness.clear('never-raised');
  t.match(JSON.parse((await ask('/ready')).body), {
    ready: false,
    reasons: [
      { code: 'draining', text: 'the server is stopping' },
      { code: 'upstreams', text: 'none of 2 servers answers' },
    ],
  });
  readiness.clear('draining');
  readiness.clear('upstreams');
  t.equal((await ask('/ready')).status, 200);
});

t.test('/ready names audit identities and what is wrong with the last change', async (t) => {
  const { ask, readiness } = await rig(t);
  readiness.clear('starting');
  readiness.setAudit([{ identity: 'payments-build', until: Date.UTC(2027, 0, 31) / 1000 }]);
  readiness.reloadFailed(Date.UTC(2026, 10, 20, 12) / 1000, Array(50).fill(problem));
  const got = await ask('/ready');
  t.equal(got.status, 200, 'the last good policy serves');
  const body = JSON.parse(got.body);
  t.match(body, {
    ready: true,
    audit: [{ identity: 'payments-build', until: '2027-01-31T00:00:00Z' }],
    reload: { at: '2026-11-20T12:00:00Z', count: 50, problems: [problem] },
  });
  t.equal(body.reload.problems.length, 20, 'a few say what is wrong');
  now = Date.UTC(2027, 0, 31) / 1000;
  t.same(JSON.parse((await ask('/ready')).body).audit, [], 'audit ends by itself');
  readiness.setAudit([]);
  readiness.reloadDone();
  t.match(JSON.parse((await ask('/ready')).body), { audit: [], reload: null });
});

t.test('HEAD is GET without the body', async (t) => {
  const { ask } = await rig(t);
  const head = await ask('/ready', 'HEAD');
  t.equal(head.status, 503);
  t.equal(head.body, '');
  t.equal(Number(head.headers['content-length']), (await ask('/ready')).body.length);
});

t.test('/metrics is text of its own type', async (t) => {
  const { ask } = await rig(t);
  const { status, headers, body } = await ask('/metrics');
  t.equal(status, 200);
  t.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  t.equal(body, 'a_total 1\n');
  t.equal((await ask('/metrics', 'HEAD')).headers['content-length'], '10');
  t.equal((await ask('/metrics', 'POST')).status, 405);
});

t.test('a bug while metrics are written', async (t) => {
  const told: Error[] = [];
  const failing = { text: () => Promise.reject(new Error('twice')) };
  const server = new StatusServer({
    host: '127.0.0.1',
    port: 0,
    readiness: new Readiness(),
    metrics: failing,
    notice: (error) => told.push(error),
  });
  t.teardown(() => server.close());
  await server.start();
  const response = await fetch(`http://127.0.0.1:${server.address.port}/metrics`);
  t.equal(response.status, 500);
  t.match(await response.json(), { error: { code: 'fault' } });
  t.match(told, [{ message: 'twice' }]);
});

t.test('anything else is 404 or 405, in JSON', async (t) => {
  const { ask } = await rig(t);
  for (const path of [
    '/',
    '/metrics/',
    '/ready/',
    '/READY',
    '/health/../ready',
    '//ready',
    '/%72eady',
    '*',
  ]) {
    const got = await ask(path, path === '*' ? 'OPTIONS' : 'GET');
    t.equal(got.status, 404, path);
    t.match(JSON.parse(got.body), { error: { code: 'not-found' } });
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const got = await ask('/health', method, method === 'POST' ? 'x'.repeat(1_000_000) : undefined);
    t.equal(got.status, 405, method);
    t.equal(got.headers['allow'], 'GET, HEAD');
    t.match(JSON.parse(got.body), { error: { code: 'method' } });
  }
});

t.test('what is no HTTP request, or too long, is refused in JSON', async (t) => {
  const { dial, ask } = await rig(t);
  for (const [text, status, code] of [
    ['\x16\x03\x01\x02\x00', 400, 'bad-request'],
    ['GET /health HTTP/9.9\r\n\r\n', 400, 'bad-request'],
    [`GET /health HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`, 431, 'header-size'],
  ] as const) {
    const socket = dial();
    const answer = all(socket);
    socket.write(text, 'latin1');
    const got = await answer;
    t.ok(got.startsWith(`HTTP/1.1 ${status} `), got.slice(0, 40));
    t.match(JSON.parse(got.split('\r\n\r\n')[1]!), { error: { code } });
  }
  t.equal((await ask('/health')).status, 200);
});

t.test('a body is never waited for', async (t) => {
  const { dial } = await rig(t);
  const socket = dial();
  const answer = all(socket);
  socket.write('GET /health HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n');
  t.match(await answer, /^HTTP\/1\.1 200 [\s\S]*connection: close/i);
});

t.test(
  'connections are bounded, and close waits neither for those kept alive nor for half a request',
  async (t) => {
    const { server, dial, port } = await rig(t);
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    await new Promise<void>((resolve, reject) => {
      get({ port, host: '127.0.0.1', path: '/health', agent }, (response) => {
        response.resume().on('end', resolve);
      }).on('error', reject);
    });
    const crowd = Array.from({ length: 100 }, dial);
    let over = 0;
    for (const socket of crowd) socket.on('close', () => over++);
    // One is the agent's.
    for (const end = running() + 2000; over < 37 && running() < end; )
      await new Promise((r) => setTimeout(r, 5));
    t.equal(over, 37);
    for (const socket of crowd) if (!socket.destroyed) socket.write('GET /health HTTP/1.1\r\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const begun = running();
    await server.close();
    await server.close();
    t.ok(running() - begun < 1000);
  },
);

t.test('an address in use is an error of start', async (t) => {
  const { port } = await rig(t);
  const second = new StatusServer({
    host: '127.0.0.1',
    port,
    readiness: new Readiness(),
    metrics,
    notice: () => {},
  });
  await t.rejects(second.start(), { code: 'EADDRINUSE' });
  await second.close();
});
