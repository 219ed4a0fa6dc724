import type { Socket } from 'node:net';
import t from 'tap';
import {
  ask,
  closedPort,
  frame,
  PATIENT,
  pause,
  reply,
  type Seen,
  tcpUpstream,
  until,
  upstreams,
  won,
} from './scripted.ts';

const good = (address: number) => (seen: Seen, send: (octets: Buffer) => void) =>
  send(reply(seen, { address }));

t.test('one connection serves many questions, one after the other', async (t) => {
  const server = await tcpUpstream(t, good(4));
  const { forwarder } = upstreams(t, [server.server]);
  for (let i = 0; i < 10; i++) {
    const { outcome } = await ask(forwarder, `n${i}.example.com`);
    t.equal(won(outcome), 4);
    t.match(outcome, { verified: false });
  }
  t.equal(server.connections(), 1);
  t.equal(forwarder.openSockets, 1, 'the connection stays');
  t.equal(server.seen[0]!.name, 'n0.example.com', 'in lower case');
});

t.test('questions are pipelined, under IDs of their own, and answered in any order', async (t) => {
  const held: (() => void)[] = [];
  const server = await tcpUpstream(t, (seen, send) => {
    held.push(() => send(reply(seen, { address: Number(seen.name.slice(1, 3)) })));
    if (held.length === 90) for (const answer of held.reverse()) answer();
  });
  const { forwarder } = upstreams(t, [server.server]);
  const asked = await Promise.all(
    Array.from({ length: 90 }, (_, i) => ask(forwarder, `n${10 + (i % 90)}.example.com`)),
  );
  for (const [i, { outcome }] of asked.entries()) t.equal(won(outcome), 10 + i);
  t.equal(server.connections(), 1);
  t.equal(new Set(server.seen.map((seen) => seen.id)).size, 90);
});

t.test('over IPv6, and replies cut octet by octet', async (t) => {
  const server = await tcpUpstream(
    t,
    (seen, _send, socket) => {
      for (const octet of frame(reply(seen, { address: 6 }))) socket.write(Buffer.from([octet]));
    },
    { host: '::1' },
  );
  const { forwarder } = upstreams(t, [server.server]);
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 6);
});

t.test('a reply of 65,535 octets', async (t) => {
  const server = await tcpUpstream(t, (seen, send) => {
    const head = reply(seen, { address: null });
    head.writeUInt16BE(1, 6);
    const size = 65_535 - head.length - 12;
    const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, size >> 8, size & 0xff]);
    send(Buffer.concat([head, record, Buffer.alloc(size, 9)]));
  });
  const { forwarder } = upstreams(t, [server.server]);
  const { outcome } = await ask(forwarder, 'www.example.com');
  t.equal(outcome.kind === 'reply' && outcome.message.length, 65_535);
});

t.test('a server that closes after each answer', async (t) => {
  const server = await tcpUpstream(t, (seen, _send, socket) =>
    socket.end(frame(reply(seen, { address: 4 }))),
  );
  const { forwarder } = upstreams(t, [server.server]);
  for (let i = 0; i < 5; i++) t.equal(won((await ask(forwarder, `n${i}.example.com`)).outcome), 4);
  const together = await Promise.all(
    Array.from({ length: 12 }, (_, i) => ask(forwarder, `m${i}.example.com`)),
  );
  for (const { outcome } of together) t.equal(won(outcome), 4);
});

t.test('a connection that the server resets just when it is used again', async (t) => {
  const server = await tcpUpstream(t, (seen, send, socket, connection) => {
    if (connection === 1 && server.seen.length > 1) socket.resetAndDestroy();
    else send(reply(seen, { address: connection }));
  });
  const { forwarder } = upstreams(t, [server.server], { timing: PATIENT });
  t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 1);
  const { outcome, elapsed } = await ask(forwarder, 'b.example.com');
  t.equal(won(outcome), 2, 'asked again on a new one');
  t.ok(elapsed < 1500);
});

t.test('a server that closes without an answer', async (t) => {
  const server = await tcpUpstream(t, (_seen, _send, socket) => socket.destroy());
  const { forwarder } = upstreams(t, [server.server], { timing: PATIENT });
  const { outcome, elapsed } = await ask(forwarder, 'a.example.com');
  t.equal(won(outcome), 'network');
  t.ok(elapsed < 1500);
  t.equal(forwarder.openSockets, 0);
});

t.test('a server that closes one connection without an answer is asked on another', async (t) => {
  const server = await tcpUpstream(t, (seen, send, socket, connection) => {
    if (connection === 1) socket.destroy();
    else send(reply(seen, { address: connection }));
  });
  const { forwarder } = upstreams(t, [server.server], { timing: PATIENT });
  t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 2);
});

t.test('nobody listens: the next server at once', async (t) => {
  const port = await closedPort(t);
  const server = await tcpUpstream(t, good(2));
  const { forwarder } = upstreams(t, [{ ...server.server, port }, server.server], { timing: PATIENT });
  const { outcome, elapsed } = await ask(forwarder, 'a.example.com');
  t.equal(won(outcome), 2);
  t.ok(elapsed < 1500);
});

t.test('swapped IDs end the connection, and nobody gets the other answer', async (t) => {
  const held: Seen[] = [];
  const swapping = await tcpUpstream(t, (seen, send) => {
    held.push(seen);
    if (held.length !== 2) return;
    send(reply(held[0]!, { id: held[1]!.id, address: 66 }));
    send(reply(held[1]!, { id: held[0]!.id, address: 66 }));
  });
  const second = await tcpUpstream(t, good(2));
  const { forwarder } = upstreams(t, [swapping.server, second.server], { timing: PATIENT });
  const asked = await Promise.all([ask(forwarder, 'a.example.com'), ask(forwarder, 'b.example.com')]);
  for (const { outcome, elapsed } of asked) {
    t.equal(won(outcome), 2);
    t.ok(elapsed < 1500);
  }
  t.ok(await until(() => swapping.sockets.size === 0), 'the connection is closed');
});

const broken: Record<string, (seen: Seen, socket: Socket) => void> = {
  'another question': (seen, socket) =>
    socket.write(frame(reply(seen, { name: 'evil.example', address: 66 }))),
  'QR=0': (seen, socket) => socket.write(frame(reply(seen, { flags: 0x100, address: 66 }))),
  'two questions': (seen, socket) => socket.write(frame(reply(seen, { questions: 2, address: 66 }))),
  'header only': (seen, socket) => socket.write(frame(reply(seen).subarray(0, 12))),
  'less than a header': (_seen, socket) => socket.write(frame(Buffer.alloc(5))),
  'a frame of no octets': (_seen, socket) => socket.write(Buffer.from([0, 0])),
  'what is no DNS at all': (_seen, socket) => socket.write('\0\x05HTTP/1.1 400 Bad Request\r\n\r\n'),
};

for (const [what, answer] of Object.entries(broken)) {
  t.test(`the protocol is broken: ${what}`, async (t) => {
    const first = await tcpUpstream(t, (seen, _send, socket) => answer(seen, socket));
    const second = await tcpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [first.server, second.server], { timing: PATIENT });
    const { outcome, elapsed, accepted } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 2);
    t.equal(accepted, 1);
    t.ok(elapsed < 1500, `${elapsed} ms`);
    const alone = upstreams(t, [first.server], { timing: PATIENT });
    t.equal(won((await ask(alone.forwarder, 'www.example.com')).outcome), 'refused');
    t.equal(alone.forwarder.openSockets, 0);
  });
}

t.test('an ID that nobody waits for is passed over', async (t) => {
  const server = await tcpUpstream(t, (seen, send) => {
    send(reply(seen, { id: seen.id ^ 1, address: 66 }));
    send(reply(seen, { address: 4 }));
    send(reply(seen, { address: 5 }));
  });
  const { forwarder } = upstreams(t, [server.server]);
  for (let i = 0; i < 3; i++) t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 4);
  t.equal(server.connections(), 1);
});

t.test('another case of letters is no fault on a stream', async (t) => {
  const server = await tcpUpstream(t, (seen, send) =>
    send(reply(seen, { name: 'WWW.example.com', address: 4 })),
  );
  const { forwarder, events } = upstreams(t, [server.server]);
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 4);
  t.same(events, []);
});

t.test('a late reply is not taken for the answer to another question', async (t) => {
  const held: (() => void)[] = [];
  const server = await tcpUpstream(t, (seen, send) => {
    if (seen.name.startsWith('slow')) held.push(() => send(reply(seen, { address: 66 })));
    else send(reply(seen, { address: 1 }));
  });
  const { forwarder } = upstreams(t, [server.server], {
    timing: { firstRetry: 5000, minRetry: 5000, retries: [], end: 500 },
    streams: { inFlight: 20_000 },
  });
  // So many that a new question would get one of their IDs if they were free again.
  const many = 8000;
  const slow = await Promise.all(
    Array.from({ length: many }, (_, i) => ask(forwarder, `slow${i}.example.com`)),
  );
  t.ok(slow.every(({ outcome }) => won(outcome) === 'silent'));
  t.ok(await until(() => held.length === many, 5000));
  const taken = new Set(server.seen.map((seen) => seen.id));
  const next = Array.from({ length: 100 }, (_, i) => ask(forwarder, `n${i}.example.com`));
  for (const late of held) late();
  for (const { outcome } of await Promise.all(next)) t.equal(won(outcome), 1);
  t.equal(taken.size, many);
  t.notOk(
    server.seen.slice(many).some((seen) => taken.has(seen.id)),
    'an ID whose reply may still come is not given again',
  );
  t.equal(server.connections(), 1, 'the connection is still good');
});

t.test('a question that ends each connection is not asked for ever', async (t) => {
  const server = await tcpUpstream(t, (seen, send, socket) => {
    if (seen.name.startsWith('deadly')) setTimeout(() => socket.destroy(), 5);
    else send(reply(seen, { address: 1 }));
  });
  const { forwarder } = upstreams(t, [server.server]);
  let done = false;
  const deadly = ask(forwarder, 'deadly.example.com');
  void deadly.then(() => {
    done = true;
  });
  while (!done) await ask(forwarder, 'harmless.example.com');
  t.equal(won((await deadly).outcome), 'network');
  const times = server.seen.filter((seen) => seen.name.startsWith('deadly')).length;
  t.ok(times > 1 && times <= 20, `${times} times`);
});

t.test('a connection that went dead is replaced by the retry', async (t) => {
  const server = await tcpUpstream(t, (seen, send, _socket, connection) => {
    if (connection > 1 || server.seen.length === 1) send(reply(seen, { address: connection }));
  });
  const { forwarder } = upstreams(t, [server.server]);
  t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 1);
  const { outcome, elapsed } = await ask(forwarder, 'b.example.com');
  t.equal(won(outcome), 2, 'a new connection');
  t.ok(elapsed < 900, `${elapsed} ms`);
  const next = await ask(forwarder, 'c.example.com');
  t.equal(won(next.outcome), 2);
  t.ok(await until(() => server.sockets.size === 1), 'the dead one is closed');
});

t.test('a question that a live connection holds is not asked again', async (t) => {
  const server = await tcpUpstream(t, (seen, send) => {
    if (seen.name.startsWith('slow')) setTimeout(() => send(reply(seen, { address: 1 })), 1200);
    else send(reply(seen, { address: 2 }));
  });
  const { forwarder } = upstreams(t, [server.server]);
  const slow = ask(forwarder, 'slow.example.com');
  let done = false;
  void slow.then(() => {
    done = true;
  });
  while (!done) {
    await ask(forwarder, 'quick.example.com');
    await pause(20);
  }
  t.equal(won((await slow).outcome), 1);
  t.equal(server.seen.filter((seen) => seen.name.startsWith('slow')).length, 1);
  t.equal(server.connections(), 1);
});

t.test('a peer that never reads: bounded buffers and connections, and every question ends', async (t) => {
  const server = await tcpUpstream(t, () => {});
  const { forwarder } = upstreams(t, [server.server], {
    timing: { end: 700, retries: [], firstRetry: 300, minRetry: 300 },
    streams: { connections: 1, inFlight: 60_000, buffered: 20_000 },
  });
  const first = ask(forwarder, 'a.example.com');
  t.ok(await until(() => server.seen.length === 1));
  for (const socket of server.sockets) socket.pause();
  const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example.com`;
  const asked = [first];
  // More than the kernel takes in, on both sides.
  for (let i = 0; i < 50_000; i++) asked.push(ask(forwarder, name));
  const ended = await Promise.all(asked);
  const ends = (reason: string): number => ended.filter(({ outcome }) => won(outcome) === reason).length;
  t.equal(ends('silent') + ends('network'), 50_001);
  t.ok(ends('network') > 1000, `${ends('network')} found no room`);
  t.equal(server.connections(), 1);
  t.equal(forwarder.openSockets, 0, 'the dead connection is closed');
});

t.test('questions on one connection are bounded; more open another, up to the bound', async (t) => {
  const server = await tcpUpstream(t, (seen, send) =>
    setTimeout(() => send(reply(seen, { address: 4 })), 50),
  );
  const { forwarder } = upstreams(t, [server.server], { streams: { connections: 3, inFlight: 10 } });
  const asked = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(forwarder, `n${i}.example.com`)));
  t.equal(server.connections(), 3);
  t.equal(asked.filter(({ outcome }) => outcome.kind === 'reply').length, 30);
  t.equal(asked.filter(({ outcome }) => won(outcome) === 'network').length, 10);
});

t.test('an idle connection is closed', async (t) => {
  const server = await tcpUpstream(t, good(4));
  const { forwarder } = upstreams(t, [server.server], { timing: { idle: 100 } });
  await ask(forwarder, 'a.example.com');
  await pause(60);
  await ask(forwarder, 'b.example.com');
  await pause(60);
  t.equal(server.sockets.size, 1, 'each question starts the time anew');
  t.ok(await until(() => server.sockets.size === 0));
  t.equal(forwarder.openSockets, 0);
  t.equal(won((await ask(forwarder, 'c.example.com')).outcome), 4, 'and opened again');
});

t.test('a server that half-closes', async (t) => {
  const server = await tcpUpstream(t, (seen, send, socket) => {
    send(reply(seen, { address: 4 }));
    socket.end();
  });
  const { forwarder } = upstreams(t, [server.server]);
  for (let i = 0; i < 3; i++) {
    t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 4);
    await pause(10);
  }
  t.equal(forwarder.openSockets, 0);
});

t.test('REFUSED, and unusable content, leave the connection as it is', async (t) => {
  const server = await tcpUpstream(t, (seen, send) => {
    send(reply(seen, seen.name.startsWith('no') ? { rcode: 5, address: null } : { address: 4 }));
  });
  const { forwarder } = upstreams(t, [server.server]);
  t.equal(won((await ask(forwarder, 'no.example.com')).outcome), 'refused');
  t.equal(won((await ask(forwarder, 'a.example.com', () => false)).outcome), 'refused');
  t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 4);
  t.equal(server.connections(), 1);
});
