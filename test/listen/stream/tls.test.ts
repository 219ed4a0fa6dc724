import t from 'tap';
import { listenerUrl } from '../../../src/listen/listener.ts';
import { running } from '../../clock.ts';
import { framed, idOf, LARGE_REPLY, ORDER, query, until } from '../echo.ts';
import { below, client, clientCa, material, rig, serverCa, sessions } from './tls-rig.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

for (const version of VERSIONS) {
  t.test(`${version}: a thousand questions in one write, and who asks`, async (t) => {
    const { dial, counters, echo, listener } = await rig(t);
    const one = await dial({ maxVersion: version });
    t.equal(one.socket.getProtocol(), version);
    t.equal(one.socket.alpnProtocol, 'dot');
    t.match(listenerUrl(listener), /^tls:\/\/127\.0\.0\.1:\d+$/);
    const all = framed(...Array.from({ length: 1000 }, (_, i) => query(i)));
    one.socket.write(all.subarray(0, 7_001));
    one.socket.write(all.subarray(7_001));
    for (let i = 0; i < 1000; i++) t.equal(await one.nextId(), i);
    t.match(counters, { accepted: 1, handshakes: 1, resumed: 0, received: 1000, answered: 1000, dropped: 0 });
    t.same(echo.clients[0], { transport: 'tls', family: 4, words: [0x7f000001, 0, 0, 0] });
    t.equal(echo.names[0], 'DNS:client.example');
  });
}

t.test('a question in each record, and one octet in each record', async (t) => {
  const { dial, counters } = await rig(t);
  const one = await dial();
  for (let i = 0; i < 1000; i++) one.send(query(i));
  for (let i = 0; i < 1000; i++) t.equal(await one.nextId(), i);
  one.socket.setNoDelay(true);
  for (const octet of framed(query(0x0102), query(0x0304))) one.socket.write(Buffer.from([octet]));
  t.equal(await one.nextId(), 0x0102);
  t.equal(await one.nextId(), 0x0304);
  t.match(counters, { received: 1002, answered: 1002, malformed: 0 });
});

t.test('what is read together is answered in few writes', async (t) => {
  const { dial } = await rig(t);
  const one = await dial();
  let chunks = 0;
  one.socket.on('data', () => chunks++);
  one.socket.cork();
  for (let i = 0; i < 500; i++) one.send(query(i));
  one.socket.uncork();
  for (let i = 0; i < 500; i++) await one.nextId();
  t.ok(chunks < 20, `${chunks} records`);
});

t.test('answers leave when they are ready, to each its own', async (t) => {
  const { dial, echo, counters } = await rig(t);
  const [one, two] = [await dial(), await dial()];
  one.send(query(1, ORDER.HOLD), query(2), query(3, ORDER.HOLD), query(4, ORDER.DROP), query(5));
  t.equal(await one.nextId(), 2);
  t.equal(await one.nextId(), 5);
  two.send(query(6, ORDER.HOLD), query(7, ORDER.SEND));
  t.equal(await two.nextId(), 7);
  // In one turn, one after the other.
  for (const at of [1, 2, 0]) echo.release(at);
  t.equal(await one.nextId(), 3);
  t.equal(await two.nextId(), 6);
  t.equal(await one.nextId(), 1);
  t.match(counters, { received: 7, answered: 6, dropped: 1 });
});

t.test('replies of any size arrive whole', async (t) => {
  const { dial } = await rig(t);
  const one = await dial();
  one.send(...Array.from({ length: 40 }, (_, i) => query(i, ORDER.LARGE)));
  for (let i = 0; i < 40; i++) {
    const reply = await one.next();
    t.equal(idOf(reply!), i);
    t.equal(reply!.length, LARGE_REPLY);
  }
});

t.test('ALPN: none is served, another protocol is refused', async (t) => {
  const { dial, counters, notices } = await rig(t);
  const none = await dial({ ALPNProtocols: [] });
  none.send(query(1));
  t.equal(await none.nextId(), 1);
  const both = await dial({ ALPNProtocols: ['h2', 'dot'] });
  t.equal(both.socket.alpnProtocol, 'dot');
  await t.rejects(dial({ ALPNProtocols: ['h2'] }), { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' });
  await until(() => counters.failed === 1);
  t.match(notices, [
    { kind: 'handshake', client: '127.0.0.1', reason: 'ERR_SSL_NO_APPLICATION_PROTOCOL', count: 1 },
  ]);
});

t.test('TLS 1.1 is refused', async (t) => {
  const { dial, counters } = await rig(t);
  await t.rejects(dial({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
  await until(() => counters.failed === 1);
});

t.test('handshakes that fail leave nothing behind, and others are served', async (t) => {
  const { dial, raw, counters, echo } = await rig(t, { clients: 8, perClient: 8 });
  const good = await dial();
  for (let round = 0; round < 20; round++) {
    // Not TLS; TLS cut short; a reset in the middle; a half-close in front of it.
    for (const octets of [
      framed(query(1)),
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      const one = await raw();
      one.socket.write(octets);
      if (octets[0] === 0x16) one.socket.resetAndDestroy();
      await one.over;
    }
    const mute = await raw();
    mute.socket.end();
    await mute.over;
  }
  good.send(query(2));
  t.equal(await good.nextId(), 2);
  await until(() => counters.failed === 80).catch(() => t.fail(JSON.stringify(counters)));
  t.match(counters, { handshakes: 1, received: 1, evicted: 0 });
  t.equal(echo.names.length, 1);
  const all = await Promise.all(Array.from({ length: 7 }, () => dial()));
  for (const one of all) one.send(query(3));
  for (const one of all) t.equal(await one.nextId(), 3);
});

t.test('slowloris in the handshake ends after its time, in whatever rhythm', async (t) => {
  const { raw, counters, dial } = await rig(t, { limits: { handshakeMs: 150 } });
  const silent = await raw();
  const slow = await raw();
  slow.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
  const dripping = setInterval(() => slow.socket.write(Buffer.from([7])), 20);
  t.teardown(() => clearInterval(dripping));
  const begun = running();
  await silent.over;
  await slow.over;
  t.ok(running() - begun < 1000);
  t.match(counters, { late: 2, failed: 0, handshakes: 0 });
  const one = await dial();
  await new Promise((resolve) => setTimeout(resolve, 250));
  one.send(query(1));
  t.equal(await one.nextId(), 1, 'the deadline is that of the handshake');
});

t.test('handshakes in flight are bounded: per client, and in total the oldest makes room', async (t) => {
  const { raw, counters, dial } = await rig(t, { clients: 40, perClient: 8 });
  const mine = await Promise.all(Array.from({ length: 20 }, () => raw({ localAddress: '127.0.0.2' })));
  await until(() => counters.refusedClient === 16);
  const others = [];
  for (let i = 0; i < 12; i++) others.push(await raw({ localAddress: `127.0.1.${i}` }));
  await until(() => counters.evicted === 6);
  const one = await dial({ localAddress: '127.0.0.3' });
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  t.match(counters, { handshakes: 1, evicted: 7, refusedTotal: 0 });
  for (const { socket } of [...mine, ...others]) socket.destroy();
});

t.test('a client that never reads is stopped, then reset; others are served', async (t) => {
  const { dial, counters } = await rig(t, { limits: { stallMs: 200 } });
  const deaf = await dial();
  deaf.socket.pause();
  const total = 2000;
  deaf.send(...Array.from({ length: total }, (_, i) => query(i, ORDER.LARGE)));
  const other = await dial();
  other.send(query(1));
  t.equal(await other.nextId(), 1);
  await until(() => counters.stalled === 1);
  t.ok(counters.received < total, `${counters.received} of ${total} were read`);
  deaf.socket.resume();
  await deaf.over;
  other.send(query(2));
  t.equal(await other.nextId(), 2);
});

t.test('slowloris after the handshake, and silence', async (t) => {
  const { dial, counters } = await rig(t, { limits: { messageMs: 100, idleMs: 300 } });
  const slow = await dial();
  slow.socket.write(Buffer.from([0, 13, 1]));
  await slow.over;
  t.match(counters, { slow: 1, idle: 0 });
  const silent = await dial();
  t.equal(await silent.over, 'end', 'close_notify, then the end');
  t.match(counters, { slow: 1, idle: 1 });
});

for (const version of VERSIONS) {
  t.test(`${version}: half-close: what was asked is answered, then the connection ends`, async (t) => {
    const { dial, echo, counters } = await rig(t);
    const one = await dial({ maxVersion: version, allowHalfOpen: true });
    one.socket.end(framed(query(1, ORDER.HOLD), query(2)));
    t.equal(await one.nextId(), 2);
    await until(() => echo.held.length === 1);
    echo.release(0);
    t.equal(await one.nextId(), 1);
    t.equal(await one.over, 'end');
    t.match(counters, { answered: 2, reset: 0 });
  });
}

t.test('resets at any time are survived', async (t) => {
  const { dial, echo, counters } = await rig(t);
  for (let round = 0; round < 30; round++) {
    const one = await dial();
    one.send(query(1, ORDER.HOLD), query(2, ORDER.LARGE));
    if (round % 3 > 0) await until(() => echo.held.length === 1);
    one.socket.destroy();
    await one.over;
    for (const { later } of echo.held.splice(0)) later.drop();
  }
  const last = await dial();
  last.send(query(3));
  t.equal(await last.nextId(), 3);
  t.equal(counters.faults, 0);
});

t.test('frames that are none end the connection', async (t) => {
  const { dial, counters } = await rig(t);
  for (const bad of [Buffer.from([0, 0]), framed(Buffer.alloc(11))]) {
    const one = await dial();
    one.send(query(1));
    t.equal(await one.nextId(), 1);
    one.socket.write(Buffer.concat([bad, framed(query(2))]));
    await one.over;
  }
  t.match(counters, { malformed: 2, received: 2 });
});

t.test('caps on connections count by client, and the longest silent makes room', async (t) => {
  const { dial, counters } = await rig(t, { clients: 4, perClient: 2 });
  const first = await dial({ localAddress: '127.0.0.2' });
  await dial({ localAddress: '127.0.0.2' });
  await t.rejects(dial({ localAddress: '127.0.0.2' }));
  t.match(counters, { refusedClient: 1 });
  await dial({ localAddress: '127.0.0.3' });
  await dial({ localAddress: '127.0.0.4' });
  const fifth = await dial({ localAddress: '127.0.0.5' });
  fifth.send(query(1));
  t.equal(await fifth.nextId(), 1);
  t.equal(await first.over, 'end');
  t.match(counters, { evicted: 1, handshakes: 5 });
});

t.test('close: what is in flight is answered, handshakes end', async (t) => {
  const { listener, dial, raw, echo } = await rig(t);
  const busy = await dial();
  const shaking = await raw();
  busy.send(query(1, ORDER.HOLD));
  await until(() => echo.held.length === 1);
  const closed = listener.close(3000);
  await shaking.over;
  echo.release(0);
  t.equal(await busy.nextId(), 1);
  t.equal(await busy.over, 'end');
  await closed;
});

t.test('close lets go when the drain time is over', async (t) => {
  const { listener, echo, dial } = await rig(t);
  const one = await dial();
  one.send(query(1, ORDER.HOLD));
  await until(() => echo.held.length === 1);
  await listener.close(50);
  t.equal(await one.over, 'ECONNRESET');
});

t.test('a certificate and a key that do not belong together are refused at once', async (t) => {
  const { listener, dial } = await rig(t);
  t.throws(() => listener.update(material({ key: client.keyPem })));
  t.throws(() => listener.update(material({ certificate: 'no PEM' })));
  const one = await dial();
  one.send(query(1));
  t.equal(await one.nextId(), 1, 'nothing has changed');
});

t.test('an intermediate is shown by the client and judged', async (t) => {
  const { dial, echo } = await rig(t);
  const one = await dial({ as: below });
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  t.equal(echo.names[0], 'DNS:below.example');
});

t.test('who may come in', async (t) => {
  const stranger = serverCa.issue({ dns: ['stranger.example'] });
  const expired = clientCa.issue({
    notBefore: new Date(Date.now() - 9e6),
    notAfter: new Date(Date.now() - 3e6),
  });
  const early = clientCa.issue({ notBefore: new Date(Date.now() + 9e6) });
  const purpose = clientCa.issue({ eku: ['serverAuth'] });
  const { dial, counters, echo, listener } = await rig(t);
  /** TLS 1.3 tells a client after it has begun to ask. */
  const refused = async (as: typeof client | null): Promise<void> => {
    const one = await dial({ as }).catch(() => null);
    one?.send(query(66));
    t.equal(await (one?.next() ?? null), null);
  };
  for (const as of [null, stranger, expired, early, purpose]) await refused(as);
  t.equal(counters.received, 0);
  await until(() => counters.failed === 5);
  t.equal(counters.distrusted, 4, 'who has shown one');
  listener.update(material({ clients: 'optional' }));
  for (const as of [stranger, expired, early, purpose]) await refused(as);
  t.equal(counters.received, 0, 'a bad certificate is not none');
  for (const as of [null, client]) {
    const one = await dial({ as });
    one.send(query(1));
    t.equal(await one.nextId(), 1);
  }
  listener.update(material({ clients: 'none', judge: null, caPem: '' }));
  const one = await dial();
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  t.same(echo.names, [null, 'DNS:client.example', null]);
});

t.test('2,000 idle connections cost bounded memory, and nobody waits', { timeout: 60_000 }, async (t) => {
  const { dial, counters } = await rig(t, { clients: 2000, perClient: 2000 });
  const idle = [await dial({ maxVersion: 'TLSv1.2' })];
  // Resumed, for making 2,000 signatures is no part of this.
  const session = await sessions.get(idle[0]!.socket)!;
  for (let i = 0; i < 40; i++) {
    const how = { maxVersion: 'TLSv1.2', session } as const;
    idle.push(...(await Promise.all(Array.from({ length: 49 }, () => dial(how)))));
  }
  await until(() => counters.handshakes === 1961);
  t.match(counters, { resumed: 1960, evicted: 0 });
  const begun = running();
  const one = await dial();
  one.send(query(1));
  t.equal(await one.nextId(), 1);
  t.ok(running() - begun < 500);
  for (const each of idle) each.close();
});

t.test('no descriptor stays behind where clients and server end at one moment', async (t) => {
  const open = (): number => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length;
  await until(() => open() === 0);
  for (let round = 0; round < 10; round++) {
    const { dial, listener } = await rig(t);
    const all = await Promise.all(Array.from({ length: 10 }, () => dial()));
    for (const one of all) one.close();
    if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    await listener.close(0);
  }
  await until(() => open() === 0);
  t.equal(open(), 0);
});
