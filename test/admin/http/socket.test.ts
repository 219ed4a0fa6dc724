import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { listenOnSocket, socketAddress } from '../../../src/admin/http/unix-socket.ts';
import { House, house } from '../house.ts';

t.test('a socket of a dead process is replaced', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'admin.sock');
  // Its path is short for the child as it stands in the folder.
  const child = spawn(
    process.execPath,
    ['-e', "require('net').createServer().listen('admin.sock', () => console.log('up'))"],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(existsSync(path));
  const made = await house(t, { folder, setting: { kind: 'unix', path } });
  t.equal((await made.ask('GET', '/v1/leases')).status, 200);
  t.equal(statSync(path).mode & 0o777, 0o600);
  await made.close();
  t.notOk(existsSync(path), 'and taken away at the end');
});

t.test('a living one is refused, and goes on', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'admin.sock');
  const first = await house(t, { folder: join(folder, 'one'), setting: { kind: 'unix', path } });
  const second = new House(join(folder, 'two'), { setting: { kind: 'unix', path } });
  t.teardown(() => second.close());
  await t.rejects(second.start(), { message: /another process answers/ });
  await second.close();
  t.equal((await first.ask('GET', '/v1/leases')).status, 200);
});

t.test('what is no socket stays, and a folder that anyone may write to is refused', async (t) => {
  const folder = t.testdir({ 'admin.sock': 'precious' });
  const server = createServer();
  await t.rejects(listenOnSocket(server, join(folder, 'admin.sock')), { message: /is no socket/ });
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  await t.rejects(listenOnSocket(server, join(open, 'a.sock')), { message: /anyone may write/ });
  chmodSync(open, 0o1777);
  await listenOnSocket(server, join(open, 'a.sock'));
  t.equal(statSync(join(open, 'a.sock')).mode & 0o777, 0o600);
  await new Promise((done) => server.close(done));
});

t.test('an admin API that cannot start leaves the state folder free', async (t) => {
  const folder = t.testdir({});
  writeFileSync(join(folder, 'busy'), '');
  const made = new House(folder, { setting: { kind: 'unix', path: join(folder, 'busy') } });
  await t.rejects(made.start());
  await made.close();
  const again = await house(t, { folder });
  t.equal((await again.ask('GET', '/v1/leases')).status, 200);
});

t.test('a client that never finishes, and one that never reads, cost nobody else', async (t) => {
  const folder = t.testdir({});
  const made = await house(t, { folder });
  const address = socketAddress(made.setting.kind === 'unix' ? made.setting.path : '');
  t.teardown(address.release);
  const slow = Array.from({ length: 50 }, () => {
    const socket = connect({ path: address.path });
    socket.on('error', () => {});
    socket.write(
      'POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    );
    return socket;
  });
  const deaf = connect({ path: address.path });
  deaf.on('error', () => {});
  deaf.pause();
  for (let i = 0; i < 500; i++) deaf.write('GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await new Promise((done) => setTimeout(done, 300));
  t.equal((await made.ask('POST', '/v1/leases', { identity: 'build', address: '10.9.0.1' })).status, 201);
  for (const socket of [...slow, deaf]) socket.destroy();
});
