import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { TlsServerAddress } from '../../src/socket/tls-connector.ts';
import { running } from '../clock.ts';
import {
  type Dot,
  dot,
  ede,
  edeText,
  NAME,
  opt,
  pause,
  query,
  rcode,
  replyTo,
  type Script,
  SERVFAIL,
  start,
  until,
} from './peers.ts';

// They wait more than they work.
t.jobs = 3;

/** A listener that is no DNS over TLS server; `script` has each connection. */
async function raw(
  t: Test,
  script: (socket: Socket) => void,
): Promise<{ address: TlsServerAddress; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const listener: Server = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    script(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  const { port } = listener.address() as AddressInfo;
  return { address: { host: '127.0.0.1', port, name: NAME }, sockets };
}

async function closedPort(t: Test): Promise<TlsServerAddress> {
  const server = await dot(t);
  await server.close();
  return server.address;
}

t.test('nobody listens: it is ready, says so, and fails closed with EDE 23', async (t) => {
  const address = await closedPort(t);
  const { ask, dial, lines, stub } = await start(t, [address], { limits: { patience: 300, outage: 0 } });
  t.match(lines.at(-1), { level: 'warn', event: 'ready', text: 'ready, and no server is reached yet' });
  t.match(
    lines.find(({ event }) => event === 'upstream-down'),
    { level: 'warn', fields: { detail: 'ECONNREFUSED' } },
  );
  const reply = await ask(query(1, 'www.example', opt()));
  t.equal(rcode(reply), SERVFAIL);
  t.match(ede(reply!), {
    code: 23,
    text: /^namegate stub: no server is reached: tls:\/\/127\.0\.0\.1:\d+#dns\.example: ECONNREFUSED$/,
  });
  const plain = await ask(query(2));
  t.equal(plain?.length, query(2).length, 'no OPT for who sent none');
  t.equal(rcode(plain), SERVFAIL);
  const client = await dial();
  client.send(query(3));
  t.equal(rcode(await client.next()), SERVFAIL);
  t.equal(stub.waiting, 0);
});

t.test('a short outage costs time, not answers', async (t) => {
  const first = await dot(t);
  const { ask, stub } = await start(t, [first.address]);
  await first.close();
  const asked = ask(query(1));
  await pause(400);
  t.equal(stub.waiting, 1);
  await dot(t, undefined, { port: first.port });
  t.equal(rcode(await asked), 0);
});

t.test('after a long one questions fail at once, and the server is found again', async (t) => {
  const first = await dot(t);
  const { ask, lines } = await start(t, [first.address], { limits: { outage: 300, patience: 1000 } });
  await first.close();
  t.equal(rcode(await ask(query(1))), SERVFAIL);
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const before = running();
    t.equal(rcode(await ask(query(i))), SERVFAIL);
    times.push(running() - before);
  }
  t.ok(times.sort((a, b) => a - b)[15]! < 20, `${times} ms`);
  await dot(t, undefined, { port: first.port });
  let reply: Buffer | null = null;
  for (let left = 60; left > 0 && rcode(reply) !== 0; left--) {
    await pause(100);
    reply = await ask(query(1));
  }
  t.equal(rcode(reply), 0);
  t.ok(lines.some(({ event }) => event === 'upstream-up'));
});

t.test('servers are tried in order', async (t) => {
  const dead = await closedPort(t);
  const [second, third] = [await dot(t), await dot(t)];
  const { ask, lines } = await start(t, [dead, second.address, third.address]);
  t.match(lines.at(-1), { event: 'ready', fields: { server: `tls://127.0.0.1:${second.port}#dns.example` } });
  for (let i = 0; i < 5; i++) t.equal(rcode(await ask(query(i))), 0);
  t.equal(second.seen.length, 5);
  t.equal(third.seen.length, 0);
  await second.close();
  t.equal(rcode(await ask(query(1))), 0);
  t.equal(third.seen.length, 1);
});

t.test('one that does not even take the connection is passed over in time', async (t) => {
  const mute = await raw(t, () => {});
  const second = await dot(t);
  const { ask } = await start(t, [mute.address, second.address], { limits: { connect: 1500 } });
  const before = running();
  t.equal(rcode(await ask(query(1))), 0);
  t.ok(running() - before < 1500);
});

t.test('the first server serves again when it is back', async (t) => {
  const first = await dot(t);
  const second = await dot(t);
  const { ask } = await start(t, [first.address, second.address], { limits: { comeBack: 300 } });
  t.equal(rcode(await ask(query(1))), 0);
  await first.close();
  t.equal(rcode(await ask(query(2))), 0);
  t.equal(second.seen.length, 1);
  const back = await dot(t, undefined, { port: first.port });
  await pause(350);
  await ask(query(3));
  await until(() => back.connections() === 1);
  t.equal(rcode(await ask(query(4))), 0);
  t.equal(back.seen.length, 1);
});

t.test('a connection that fell silent is replaced, and its questions move', async (t) => {
  let silent = true;
  const server = await dot(t, (seen, send) => {
    if (!silent || seen.connection > 1) send(replyTo(seen));
  });
  const { ask } = await start(t, [server.address], { limits: { patience: 3000, stall: 300 } });
  const replies = await Promise.all([1, 2, 3].map((id) => ask(query(id))));
  t.same(replies.map(rcode), [0, 0, 0]);
  t.equal(server.connections(), 2);
  silent = false;
});

t.test('a slow name is no dead server', async (t) => {
  const server = await dot(t, (seen, send) => {
    const slow = seen.octets.includes('slow');
    setTimeout(() => send(replyTo(seen)), slow ? 900 : 0);
  });
  const { ask, lines } = await start(t, [server.address], { limits: { stall: 300 } });
  const slow = [1, 2, 3].map((id) => ask(query(id, `slow${id}.example`)));
  for (let i = 0; i < 5; i++) t.equal(rcode(await ask(query(i))), 0);
  t.same((await Promise.all(slow)).map(rcode), [0, 0, 0]);
  t.ok(server.connections() <= 2, `${server.connections()} connections`);
  t.notOk(lines.some(({ event }) => event === 'upstream-down'));
});

t.test('a handshake that never ends, and one that is slow', async (t) => {
  const mute = await raw(t, (socket) => void socket.resume());
  const { ask } = await start(t, [mute.address], { limits: { patience: 900, connect: 300 } });
  t.match(edeText(await ask(query(1, 'www.example', opt()))), /ETIMEDOUT/);
  await until(() => mute.sockets.size <= 1);
  const server = await dot(t);
  const late = await raw(t, (socket) => {
    const onward = connect(server.port, '127.0.0.1');
    onward.on('error', () => {});
    socket.on('close', () => onward.destroy());
    setTimeout(() => socket.pipe(onward).pipe(socket), 400);
  });
  const slow = await start(t, [late.address]);
  t.equal(rcode(await slow.ask(query(1))), 0);
});

t.test('no TLS at all', async (t) => {
  const talking = await raw(t, (socket) => void socket.write('220 mail.example ESMTP\r\n'));
  const { ask } = await start(t, [talking.address], { limits: { patience: 500 } });
  t.equal(rcode(await ask(query(1))), SERVFAIL);
});

t.test('a thousand questions in flight while the server restarts', async (t) => {
  const answered = new Set<number>();
  let first: Dot | null = null;
  const hold: Script = () => {};
  first = await dot(t, hold);
  const { dial, stub } = await start(t, [first.address], { limits: { patience: 8000 } });
  const all = await Promise.all(Array.from({ length: 10 }, () => dial()));
  for (const [index, client] of all.entries())
    client.send(...Array.from({ length: 100 }, (_, i) => query(index * 100 + i, `n${index}-${i}.example`)));
  await until(() => first.seen.length === 1000);
  t.equal(stub.waiting, 1000);
  t.equal(first.connections(), 1);
  t.equal(new Set(first.seen.map(({ id }) => id)).size, 1000);
  await first.close();
  await pause(300);
  const second = await dot(t, undefined, { port: first.port });
  for (const client of all) {
    for (let left = 100; left > 0; left--) {
      const reply = await client.next();
      if (rcode(reply) === 0) answered.add(reply!.readUInt16BE(0));
    }
  }
  t.equal(answered.size, 1000);
  t.ok(second.connections() <= 2);
  t.equal(stub.waiting, 0);
});

t.test('a server that resets each connection is not asked in a storm', async (t) => {
  let dials = 0;
  const resetting = await raw(t, (socket) => {
    dials++;
    socket.resetAndDestroy();
  });
  const { ask } = await start(t, [resetting.address], { limits: { patience: 1500, outage: 0 } });
  const end = performance.now() + 1500;
  while (performance.now() < end) await ask(query(1));
  t.ok(dials >= 2 && dials <= 12, `${dials} dials in 1.5 s`);
});

t.test('what is open ends with the stub', async (t) => {
  const server = await dot(t);
  const { ask, stub } = await start(t, [server.address]);
  await ask(query(1));
  const sockets: TLSSocket[] = [...server.sockets];
  await stub.stop('test');
  await until(() => sockets.every((socket) => socket.destroyed));
});
