import { once } from 'node:events';
import { createConnection } from 'node:net';
import { networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';
import { type ListenNotice, listenerUrl } from '../../../src/listen/listener.ts';
import type { StreamCounters } from '../../../src/listen/stream/stream-limits.ts';
import { type TcpOptions, tcp } from '../../../src/listen/stream/tcp.ts';
import { DROPPED } from '../../../src/resolve/ports.ts';
import { running } from '../../clock.ts';
import { Echo, framed, idOf, LARGE_REPLY, ORDER, query, StreamClient, until } from '../echo.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

async function rig(t: Test, options: Partial<TcpOptions> = {}) {
  const echo = new Echo();
  const notices: ListenNotice[] = [];
  const listener = tcp({
    host: '127.0.0.1',
    port: 0,
    answerer: echo,
    notice: (n) => notices.push(n),
    perClient: 1000,
    ...options,
  });
  t.teardown(() => listener.close(0));
  await listener.start();
  const { port } = listener.address;
  const dial = async (from?: Parameters<typeof StreamClient.dial>[1]): Promise<StreamClient> => {
    const client = await StreamClient.dial(port, from);
    t.teardown(() => client.close());
    return client;
  };
  return { listener, counters: listener.counters as StreamCounters, echo, notices, port, dial };
}

/** Time that passes when the test says so. A listener looks at it every few milliseconds. */
class Clock {
  #now = 1_000_000;
  readonly now = (): number => this.#now;

  /** Also waits until the listener has looked. */
  async pass(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 30));
    this.#now += ms;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

t.test('many questions in one write, one reply each', async (t) => {
  const { counters, dial, echo } = await rig(t);
  const client = await dial();
  // More than one turn's worth, and a chunk that ends inside a message.
  const all = framed(...Array.from({ length: 1000 }, (_, i) => query(i)));
  client.socket.write(all.subarray(0, 10_001));
  client.socket.write(all.subarray(10_001));
  const ids: number[] = [];
  for (let i = 0; i < 1000; i++) ids.push(await client.nextId());
  t.same(
    ids,
    Array.from({ length: 1000 }, (_, i) => i),
  );
  t.match(counters, { accepted: 1, received: 1000, answered: 1000, dropped: 0 });
  t.same(echo.clients[0], { transport: 'tcp', family: 4, words: [0x7f000001, 0, 0, 0] });
});

t.test('answers leave when they are ready, in whatever order', async (t) => {
  const { echo, dial, counters } = await rig(t);
  const client = await dial();
  client.send(query(1, ORDER.HOLD), query(2), query(3, ORDER.HOLD), query(4, ORDER.DROP), query(5));
  t.equal(await client.nextId(), 2);
  t.equal(await client.nextId(), 5);
  echo.release(1);
  t.equal(await client.nextId(), 3);
  echo.release(0);
  t.equal(await client.nextId(), 1);
  echo.release(0);
  echo.held[1]!.later.drop();
  client.send(query(6));
  t.equal(await client.nextId(), 6, 'a second answer to one question went nowhere');
  t.match(counters, { received: 6, answered: 5, dropped: 1 });
});

t.test('IPv6 over loopback', { skip: hasIpv6 ? false : '::1 is not there' }, async (t) => {
  const { echo, dial, listener } = await rig(t, { host: '::1' });
  const client = await dial({ host: '::1' });
  client.send(query(8));
  t.equal(await client.nextId(), 8);
  t.same(echo.clients, [{ transport: 'tcp', family: 6, words: [0, 0, 0, 1] }]);
  t.match(listenerUrl(listener), /^tcp:\/\/\[::1\]:\d+$/);
});

t.test('octets may come one at a time, the length prefix too', async (t) => {
  const { dial } = await rig(t);
  const client = await dial();
  client.socket.setNoDelay(true);
  for (const octet of framed(query(0x0102), query(0x0304))) {
    client.socket.write(Buffer.from([octet]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(await client.nextId(), 0x0102);
  t.equal(await client.nextId(), 0x0304);
});

t.test('a frame of no octets, or of fewer than a header, ends the connection', async (t) => {
  const { dial, counters } = await rig(t);
  for (const bad of [Buffer.from([0, 0]), framed(Buffer.alloc(1)), framed(Buffer.alloc(11))]) {
    const client = await dial();
    client.send(query(1));
    t.equal(await client.nextId(), 1);
    client.socket.write(Buffer.concat([bad, framed(query(2))]));
    await client.over;
    t.equal(await client.next(), null, 'what follows is not read');
  }
  t.match(counters, { malformed: 3, received: 3 });
});

t.test('replies of any size arrive whole', async (t) => {
  const { dial } = await rig(t);
  const client = await dial();
  client.send(...Array.from({ length: 40 }, (_, i) => query(i, ORDER.LARGE)));
  for (let i = 0; i < 40; i++) {
    const reply = await client.next();
    t.equal(idOf(reply!), i);
    t.equal(reply!.length, LARGE_REPLY);
  }
});

t.test('half-close: what was asked is answered, then the connection ends', async (t) => {
  const { echo, dial } = await rig(t);
  const client = await dial({ allowHalfOpen: true });
  client.socket.end(framed(query(1, ORDER.HOLD), query(2), query(3, ORDER.HOLD)));
  t.equal(await client.nextId(), 2);
  await until(() => echo.held.length === 2);
  echo.release(1);
  t.equal(await client.nextId(), 3);
  echo.release(0);
  t.equal(await client.nextId(), 1);
  t.equal(await client.over, 'end');
});

t.test('half-close in the middle of a message, and at once', async (t) => {
  const { dial, counters } = await rig(t);
  const client = await dial({ allowHalfOpen: true });
  client.socket.end(framed(query(1), query(2)).subarray(0, 20));
  t.equal(await client.nextId(), 1);
  t.equal(await client.over, 'end');
  const mute = await dial({ allowHalfOpen: true });
  mute.socket.end();
  t.equal(await mute.over, 'end');
  t.match(counters, { received: 1, reset: 0 });
});

t.test('a reset while an answer is on its way', async (t) => {
  const { echo, dial, counters } = await rig(t);
  const client = await dial();
  client.send(query(1, ORDER.HOLD), query(2, ORDER.HOLD));
  await until(() => echo.held.length === 2);
  client.socket.resetAndDestroy();
  await until(() => counters.reset === 1);
  echo.release(0);
  echo.held[1]!.later.drop();
  t.match(counters, { received: 2, answered: 0, dropped: 2 }, 'both ways back are safe');
  const next = await dial();
  next.send(query(3));
  t.equal(await next.nextId(), 3);
});

t.test('an exception out of the answerer is counted and told, and the connection goes on', async (t) => {
  const { dial, counters, notices, echo } = await rig(t);
  const client = await dial();
  client.send(query(1, ORDER.THROW), query(2, ORDER.HOLD_AND_THROW), query(9, ORDER.TOO_LONG), query(3));
  t.equal(await client.nextId(), 3);
  echo.release(0);
  client.send(query(4));
  t.equal(await client.nextId(), 4, 'the answer of a question that failed goes nowhere');
  t.match(counters, { received: 5, faults: 3, answered: 2, dropped: 3 });
  t.match(notices, [{ kind: 'fault', error: { message: 'a bug' }, count: 1 }]);
});

t.test('silence ends a connection, questions in flight do not count as silence', async (t) => {
  const clock = new Clock();
  const { echo, dial, counters } = await rig(t, { limits: { idleMs: 80 }, now: clock.now });
  const silent = await dial();
  const waiting = await dial();
  waiting.send(query(1, ORDER.HOLD));
  await until(() => echo.held.length === 1);
  await clock.pass(80);
  t.equal(counters.idle, 0, 'not yet');
  await clock.pass(1);
  t.equal(await silent.over, 'end');
  await clock.pass(1000);
  t.equal(counters.idle, 1);
  echo.release(0);
  t.equal(await waiting.nextId(), 1);
  await clock.pass(80);
  t.equal(counters.idle, 1, 'silence begins with the answer');
  await clock.pass(1);
  t.equal(await waiting.over, 'end');
  t.equal(counters.idle, 2);
});

t.test('slowloris: a message that does not end in time ends the connection', async (t) => {
  const clock = new Clock();
  const { dial, counters } = await rig(t, { limits: { messageMs: 80 }, now: clock.now });
  const slow = await dial();
  slow.send(query(1));
  t.equal(await slow.nextId(), 1);
  // An octet now and then is activity, and no excuse.
  const octets = framed(query(2));
  for (let at = 0; at < 8; at++) {
    slow.socket.write(octets.subarray(at, at + 1));
    await clock.pass(10);
  }
  t.equal(counters.slow, 0, 'not yet');
  slow.socket.write(octets.subarray(8, 9));
  await clock.pass(11);
  await slow.over;
  t.match(counters, { slow: 1, received: 1, idle: 0 });
});

t.test('messages that come in time are never slow, however they are cut', async (t) => {
  const clock = new Clock();
  const { dial, counters } = await rig(t, { limits: { messageMs: 80 }, now: clock.now });
  const client = await dial();
  // There is always a partial message, for longer than the limit, but not the same one.
  const octets = framed(...Array.from({ length: 8 }, (_, i) => query(i)));
  for (let at = 0; at < octets.length; at += 8) {
    client.socket.write(octets.subarray(at, at + 8));
    await clock.pass(25);
  }
  for (let i = 0; i < 8; i++) t.equal(await client.nextId(), i);
  t.equal(counters.slow, 0);
});

t.test('questions in flight are bounded: reading stops until answers leave', async (t) => {
  const clock = new Clock();
  const { echo, dial, counters } = await rig(t, { limits: { inFlight: 4, messageMs: 80 }, now: clock.now });
  const client = await dial();
  const total = 400;
  const all = framed(...Array.from({ length: total }, (_, i) => query(i, ORDER.HOLD)));
  // The end of the last message comes late, through no fault of the client's.
  client.socket.write(all.subarray(0, -5));
  await until(() => echo.held.length === 4);
  await clock.pass(5000);
  t.equal(echo.held.length, 4);
  t.equal(counters.slow, 0, 'the clock of a message stands while nothing is read');
  client.socket.write(all.subarray(-5));
  let most = 0;
  for (let i = 0; i < total; i++) {
    await until(() => echo.held.length > i);
    most = Math.max(most, echo.held.length - i);
    echo.release(i);
    t.equal(await client.nextId(), i);
  }
  t.equal(most, 4);
  t.match(counters, { received: total, answered: total });
});

t.test('an answer promised for later may come at once', async (t) => {
  const { echo, dial, counters } = await rig(t, { limits: { inFlight: 3 } });
  const client = await dial();
  const sent = Array.from({ length: 5 }, (_, i) => query(i, ORDER.SEND));
  client.send(...sent, ...Array.from({ length: 10 }, (_, i) => query(5 + i, ORDER.HOLD)));
  for (let i = 0; i < 5; i++) t.equal(await client.nextId(), i);
  await until(() => echo.held.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(echo.held.length, 3, 'the bound holds');
  t.match(counters, { received: 8, answered: 5 });
});

t.test('the clock of a message stands while its end is not read', async (t) => {
  const clock = new Clock();
  const limits = { messageMs: 80, unsentMax: 1 << 26 };
  const { echo, dial, counters } = await rig(t, { limits, now: clock.now });
  const client = await dial();
  client.socket.pause();
  const held = Array.from({ length: 120 }, (_, i) => query(i, ORDER.HOLD));
  const last = framed(query(120));
  client.socket.write(Buffer.concat([framed(...held), last.subarray(0, 3)]));
  await until(() => echo.held.length === 120);
  await clock.pass(50);
  // More than the kernel takes while the client does not read.
  const large = Buffer.alloc(65_535);
  for (const { later } of echo.held) later.send(large, large.length);
  await clock.pass(5000);
  client.socket.resume();
  for (let i = 0; i < 120; i++) await client.next();
  await clock.pass(50);
  t.equal(counters.slow, 0);
  client.socket.write(last.subarray(3));
  t.equal(await client.nextId(), 120);
  t.equal(counters.received, 121);
});

t.test('one connection does not keep the turn', async (t) => {
  const { dial, echo } = await rig(t);
  const greedy = await dial();
  const other = await dial({ localAddress: '127.0.0.9' });
  greedy.send(...Array.from({ length: 3000 }, (_, i) => query(i)));
  other.send(query(1));
  await other.nextId();
  const place = echo.clients.findIndex(({ words }) => words[0] === 0x7f000009);
  t.ok(place < 2000, `the other's question was number ${place}`);
  for (let i = 0; i < 3000; i++) await greedy.nextId();
});

t.test('a client that never reads is stopped, then reset; others are served', async (t) => {
  const clock = new Clock();
  const { dial, counters } = await rig(t, { limits: { stallMs: 100 }, now: clock.now });
  const deaf = await dial();
  deaf.socket.pause();
  // Far more than kernel buffers take; what is not read is not answered.
  const total = 2000;
  deaf.send(...Array.from({ length: total }, (_, i) => query(i, ORDER.LARGE)));
  await until(() => counters.received > 0);
  const other = await dial();
  other.send(query(1));
  t.equal(await other.nextId(), 1);
  // Its buffers fill up at the machine's pace; from then on nothing more is read.
  for (let read = -1; read !== counters.received; ) {
    read = counters.received;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.equal(counters.stalled, 0, 'not yet');
  await clock.pass(100);
  await clock.pass(1);
  await until(() => counters.stalled === 1);
  t.ok(counters.received < total, `${counters.received} of ${total} were read`);
  deaf.socket.resume();
  t.equal(await deaf.over, 'ECONNRESET');
  other.send(query(2));
  t.equal(await other.nextId(), 2);
});

t.test('a client that reads in time is not reset, and gets all', async (t) => {
  const clock = new Clock();
  const { dial, counters } = await rig(t, { limits: { stallMs: 100 }, now: clock.now });
  const client = await dial();
  client.socket.pause();
  const total = 300;
  client.send(...Array.from({ length: total }, (_, i) => query(i, ORDER.LARGE)));
  await clock.pass(95);
  t.ok(counters.received < total, 'reading stopped');
  client.socket.resume();
  for (let i = 0; i < total; i++) t.equal(await client.nextId(), i);
  t.match(counters, { stalled: 0, answered: total });
});

t.test('late answers that nobody reads are bounded too', async (t) => {
  const { echo, dial, counters } = await rig(t, { limits: { unsentMax: 200_000 } });
  const deaf = await dial();
  deaf.socket.pause();
  deaf.send(...Array.from({ length: 120 }, (_, i) => query(i, ORDER.HOLD)));
  await until(() => echo.held.length === 120);
  const large = Buffer.alloc(65_535);
  for (const { later } of echo.held) later.send(large, large.length);
  t.equal(counters.stalled, 1);
  deaf.socket.resume();
  t.equal(await deaf.over, 'ECONNRESET');
  t.equal(counters.answered + counters.dropped, 120);
});

t.test('500 idle connections of one client keep nobody out', async (t) => {
  const { dial, counters, notices } = await rig(t, { clients: 16, perClient: 4 });
  const crowd = await Promise.all(Array.from({ length: 500 }, () => dial({ localAddress: '127.0.0.2' })));
  const other = await dial({ localAddress: '127.0.0.3' });
  other.send(query(1));
  t.equal(await other.nextId(), 1);
  await until(() => counters.refusedClient === 496);
  t.match(counters, { accepted: 5, refusedTotal: 0, evicted: 0 });
  t.match(
    notices,
    [{ kind: 'refused', cap: 'client', client: '127.0.0.2', count: 1 }],
    'told once, not 496 times',
  );
  const survivor = crowd[0]!;
  survivor.send(query(2));
  t.equal(await survivor.nextId(), 2, 'the first ones stay');
  survivor.close();
  await until(() => survivor.socket.destroyed);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const again = await dial({ localAddress: '127.0.0.2' });
  again.send(query(3));
  t.equal(await again.nextId(), 3, 'a place is free again');
});

t.test('at the total cap the longest silent makes room', async (t) => {
  const { dial, counters, echo } = await rig(t, { clients: 4, perClient: 4 });
  const working = await dial({ localAddress: '127.0.0.2' });
  working.send(query(1, ORDER.HOLD));
  await until(() => echo.held.length === 1);
  const idle = await dial({ localAddress: '127.0.0.3' });
  const partial = await dial({ localAddress: '127.0.0.4' });
  const fresh = await dial({ localAddress: '127.0.0.5' });
  await until(() => counters.accepted === 4);
  partial.socket.write(Buffer.from([0]));
  idle.send(query(2));
  t.equal(await idle.nextId(), 2);
  const first = await dial({ localAddress: '127.0.0.6' });
  first.send(query(3));
  t.equal(await first.nextId(), 3);
  await partial.over;
  t.notOk(fresh.socket.destroyed);
  const second = await dial({ localAddress: '127.0.0.7' });
  second.send(query(4));
  t.equal(await second.nextId(), 4);
  t.equal(await fresh.over, 'end');
  idle.send(query(5));
  t.equal(await idle.nextId(), 5, 'who spoke last stays');
  echo.release(0);
  t.equal(await working.nextId(), 1, 'who waits for an answer stays');
  t.match(counters, { accepted: 6, evicted: 2, refusedTotal: 0 });
});

t.test('a connection whose questions wait for their turn does not make room', async (t) => {
  const echo = new Echo();
  let other: Promise<StreamClient> | null = null;
  const { dial, counters, port } = await rig(t, {
    clients: 1,
    perClient: 1,
    answerer: {
      answer(message, length, client, reply) {
        // It is accepted as soon as the first turn is over.
        other ??= StreamClient.dial(port, { localAddress: '127.0.0.2' });
        return echo.answer(message, length, client, reply);
      },
    },
  });
  const greedy = await dial();
  greedy.send(...Array.from({ length: 3000 }, (_, i) => query(i)));
  for (let i = 0; i < 3000; i++) await greedy.nextId();
  (await other!).close();
  t.match(counters, { received: 3000, answered: 3000 });
});

t.test('where all have questions in flight, a new connection is closed', async (t) => {
  const { dial, counters, echo, notices } = await rig(t, { clients: 2, perClient: 2 });
  const both = [await dial(), await dial({ localAddress: '127.0.0.2' })];
  for (const client of both) client.send(query(1, ORDER.HOLD));
  await until(() => echo.held.length === 2);
  const late = await dial({ localAddress: '127.0.0.3' });
  t.equal(await late.over, 'end');
  t.match(counters, { accepted: 2, refusedTotal: 1, evicted: 0 });
  t.match(notices, [{ kind: 'refused', cap: 'total', client: '127.0.0.3' }]);
});

t.test('a client has an eighth of the connections, and at least one', async (t) => {
  const made = (clients: number) =>
    tcp({ host: '127.0.0.1', port: 0, clients, answerer: { answer: () => DROPPED }, notice: () => {} })
      .details;
  t.match(made(1000), { clients: 1000, per_client: 125 });
  t.match(made(3), { clients: 3, per_client: 1 });
});

t.test('churn leaves nothing behind', async (t) => {
  const { dial, counters } = await rig(t, { clients: 8, perClient: 8 });
  for (let round = 0; round < 40; round++) {
    const clients = await Promise.all(Array.from({ length: 5 }, () => dial()));
    for (const [i, client] of clients.entries()) {
      client.send(query(i));
      if (i % 2 === 0) await client.next();
      if (i % 3 === 0) client.socket.resetAndDestroy();
      else client.close();
    }
    await Promise.all(clients.map(({ over }) => over));
  }
  // Were a place lost, these would not fit.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const evicted = counters.evicted;
  const last = await Promise.all(Array.from({ length: 8 }, () => dial()));
  for (const client of last) client.send(query(9));
  for (const client of last) t.equal(await client.nextId(), 9);
  t.match(counters, { refusedClient: 0, refusedTotal: 0, evicted });
});

t.test('close: what is in flight is answered, what is silent ends at once', async (t) => {
  const { listener, echo, dial, port, counters } = await rig(t);
  const busy = await dial();
  const silent = await dial();
  busy.send(query(1, ORDER.HOLD), query(2, ORDER.HOLD));
  await until(() => echo.held.length === 2);
  const begun = running();
  const closed = listener.close(3000);
  t.equal(await silent.over.then(() => running() - begun < 1000), true);
  // Asked after the end: not answered, and no reason to reset the connection under the answers.
  busy.send(query(3));
  await once(createConnection({ port, host: '127.0.0.1' }).on('connect', t.fail), 'error');
  echo.release(1);
  t.equal(await busy.nextId(), 2);
  echo.release(0);
  t.equal(await busy.nextId(), 1);
  t.equal(await busy.over, 'end');
  await closed;
  t.equal(listener.close(0), closed);
  t.match(counters, { received: 2, answered: 2 });
});

t.test('close: questions already read are answered too', async (t) => {
  const { listener, echo, dial } = await rig(t, { limits: { inFlight: 2 } });
  const client = await dial();
  client.send(...Array.from({ length: 6 }, (_, i) => query(i, ORDER.HOLD)));
  await until(() => echo.held.length === 2);
  const closed = listener.close(3000);
  for (let i = 0; i < 6; i++) {
    await until(() => echo.held.length > i);
    echo.release(i);
    t.equal(await client.nextId(), i);
  }
  t.equal(await client.over, 'end');
  await closed;
});

t.test('close lets go when the drain time is over', async (t) => {
  const { listener, echo, dial, counters } = await rig(t);
  const client = await dial();
  client.send(query(1, ORDER.HOLD));
  await until(() => echo.held.length === 1);
  const begun = running();
  await listener.close(50);
  t.ok(running() - begun < 1000);
  t.equal(await client.over, 'ECONNRESET');
  echo.release(0);
  t.match(counters, { answered: 0, dropped: 1 });
});

t.test('an address in use is an error of start; close without start', async (t) => {
  const { port } = await rig(t);
  const second = tcp({ host: '127.0.0.1', port, answerer: { answer: () => DROPPED }, notice: () => {} });
  await t.rejects(second.start(), { code: 'EADDRINUSE' });
  await t.rejects(second.start(), { message: 'a listener starts once' });
  await second.close(1000);
  await tcp({ host: '127.0.0.1', port: 0, answerer: { answer: () => DROPPED }, notice: () => {} }).close(
    1000,
  );
});
