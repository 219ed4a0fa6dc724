import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';
import {
  type Listener,
  type ListenNotice,
  listenerUrl,
  type UdpFactory,
  type UdpOptions,
} from '../../../src/listen/listener.ts';
import { batchedUdp } from '../../../src/listen/udp/udp.ts';
import { portableUdp } from '../../../src/listen/udp/udp-portable.ts';
import { DROPPED } from '../../../src/resolve/ports.ts';
import { loadNative } from '../../../src/socket/linux-native.ts';
import { running } from '../../clock.ts';
import { Echo, idOf, ORDER, query, until } from '../echo.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

interface Rig {
  readonly listener: Listener;
  readonly echo: Echo;
  readonly notices: ListenNotice[];
  readonly port: number;
}

const native = loadNative();
/** Both listeners keep one contract: every test runs against each. */
const KINDS: readonly {
  readonly servedBy: string;
  readonly make: UdpFactory;
  readonly skip: string | false;
}[] = [
  { servedBy: 'node:dgram', make: portableUdp, skip: false },
  {
    servedBy: 'recvmmsg',
    make: (options) => batchedUdp(native as Exclude<typeof native, string>, options),
    // Where CI runs, the batched listener has to be there.
    skip: typeof native === 'string' && !process.env['CI'] ? `not to be had here: ${native}` : false,
  },
];

for (const { servedBy, make, skip } of KINDS) {
  t.test(`UDP by ${servedBy}`, { skip }, async (t) => suite(t, servedBy, make));
}

async function rigOf(make: UdpFactory, t: Test, options: Partial<UdpOptions> = {}): Promise<Rig> {
  const echo = new Echo();
  const notices: ListenNotice[] = [];
  const listener = make({
    host: '127.0.0.1',
    port: 0,
    answerer: echo,
    notice: (n) => notices.push(n),
    ...options,
  });
  t.teardown(() => listener.close(0));
  await listener.start();
  return { listener, echo, notices, port: listener.address.port };
}

function client(t: Test, type: 'udp4' | 'udp6' = 'udp4'): Socket {
  const socket = createSocket(type);
  t.teardown(() => socket.close());
  return socket;
}

async function reply(socket: Socket): Promise<{ id: number; address: string; port: number }> {
  const [message, from] = (await once(socket, 'message')) as [Buffer, { address: string; port: number }];
  return { id: idOf(message), address: from.address, port: from.port };
}

function suite(t: Test, servedBy: string, make: UdpFactory): void {
  const rig = (t: Test, options: Partial<UdpOptions> = {}): Promise<Rig> => rigOf(make, t, options);
  t.test('a reply goes back to who asked, from the address asked', async (t) => {
    const { listener, echo, port } = await rig(t, { host: '127.0.0.2' });
    const socket = client(t);
    socket.send(query(7), port, '127.0.0.2');
    t.same(await reply(socket), { id: 7, address: '127.0.0.2', port });
    t.same(echo.clients, [{ transport: 'udp', family: 4, words: [0x7f000001, 0, 0, 0] }]);
    t.equal(listenerUrl(listener), `udp://127.0.0.2:${port}`);
    t.match(listener.details, { served_by: servedBy });
    t.ok((listener.details['receive_buffer'] as number) > 100_000, 'more than a few datagrams may wait');
  });

  if (servedBy === 'recvmmsg') {
    t.test('datagrams that were read together are one batch, which ends with them', async (t) => {
      const { echo, port } = await rig(t);
      const socket = client(t);
      for (let id = 0; id < 20; id++)
        socket.send(query(id, id === 3 ? ORDER.THROW : ORDER.ECHO), port, '127.0.0.1');
      await until(() => echo.clients.length === 20);
      t.equal(echo.batched, 20);
      t.equal(echo.open, 0, 'whatever the answerer does');
      t.ok(echo.batches >= 1 && echo.batches <= 20);
    });
  }

  const choosesSource = servedBy === 'recvmmsg' ? false : 'node:dgram cannot say which address was asked';
  t.test('a wildcard socket answers from the address that was asked', { skip: choosesSource }, async (t) => {
    const { port } = await rig(t, { host: '0.0.0.0' });
    for (const address of ['127.0.0.1', '127.0.0.2', '127.9.9.9']) {
      const socket = client(t);
      socket.send(query(7), port, address);
      t.same(await reply(socket), { id: 7, address, port });
    }
  });

  t.test(
    'a wildcard socket answers later from the address that was asked',
    { skip: choosesSource },
    async (t) => {
      const { port, echo } = await rig(t, { host: '0.0.0.0' });
      const socket = client(t);
      socket.send(query(8, ORDER.HOLD), port, '127.0.0.3');
      await until(() => echo.held.length === 1);
      const answer = reply(socket);
      echo.release(0);
      t.same(await answer, { id: 8, address: '127.0.0.3', port });
    },
  );

  t.test('IPv6 over loopback', { skip: hasIpv6 ? false : '::1 is not there' }, async (t) => {
    const { listener, echo, port } = await rig(t, { host: '::1' });
    const socket = client(t, 'udp6');
    socket.send(query(8), port, '::1');
    t.same(await reply(socket), { id: 8, address: '::1', port });
    t.same(echo.clients, [{ transport: 'udp', family: 6, words: [0, 0, 0, 1] }]);
    t.equal(listenerUrl(listener), `udp://[::1]:${port}`);
  });

  t.test(':: leaves IPv4 to another listener', { skip: hasIpv6 ? false : '::1 is not there' }, async (t) => {
    const six = await rig(t, { host: '::' });
    const four = await rig(t, { host: '0.0.0.0', port: six.port });
    t.equal(four.port, six.port);
    const socket = client(t);
    socket.send(query(9), four.port, '127.0.0.1');
    t.equal((await reply(socket)).id, 9);
    t.equal(six.listener.counters.received, 0);
  });

  t.test('answers that come later go where their question came from', async (t) => {
    const { listener, echo } = await rig(t);
    const { port } = listener.address;
    const first = client(t);
    const second = client(t);
    first.send(query(1, ORDER.HOLD), port, '127.0.0.1');
    await until(() => echo.held.length === 1);
    second.send(query(2, ORDER.HOLD), port, '127.0.0.1');
    await until(() => echo.held.length === 2);
    const replies = Promise.all([reply(first), reply(second)]);
    echo.release(1);
    echo.release(0);
    t.same(
      (await replies).map(({ id }) => id),
      [1, 2],
    );
    echo.held[0]!.later.drop();
    echo.release(0);
    t.match(listener.counters, { received: 2, answered: 2, dropped: 0 }, 'what is over is over');
  });

  t.test('an answer promised for later may come at once', async (t) => {
    const { listener, port } = await rig(t);
    const socket = client(t);
    socket.send(query(3, ORDER.SEND), port, '127.0.0.1');
    t.equal((await reply(socket)).id, 3);
    t.match(listener.counters, { received: 1, answered: 1, dropped: 0 });
    const begun = running();
    await listener.close(3000);
    t.ok(running() - begun < 1000, 'nothing is waited for');
  });

  t.test('dropped, short and empty datagrams get nothing', async (t) => {
    const { listener, port } = await rig(t);
    const socket = client(t);
    for (const octets of [Buffer.alloc(0), Buffer.alloc(11), query(1, ORDER.DROP), query(2)]) {
      socket.send(octets, port, '127.0.0.1');
    }
    t.equal((await reply(socket)).id, 2, 'the first and only reply');
    t.match(listener.counters, { received: 4, answered: 1, dropped: 3 });
  });

  t.test('an exception out of the answerer is counted, told once a minute, and ends nothing', async (t) => {
    let now = 0;
    const { listener, notices, port, echo } = await rig(t, { now: () => now });
    const socket = client(t);
    for (const order of [ORDER.THROW, ORDER.HOLD_AND_THROW, ORDER.THROW]) {
      socket.send(query(1, order), port, '127.0.0.1');
    }
    await until(() => listener.counters.faults === 3);
    t.match(notices, [{ kind: 'fault', error: { message: 'a bug' }, count: 1 }]);
    echo.release(0);
    now = 60_000;
    socket.send(query(1, ORDER.THROW), port, '127.0.0.1');
    await until(() => notices.length === 2);
    t.match(notices[1], { count: 3 }, 'the next notice says how many there were');
    socket.send(query(5), port, '127.0.0.1');
    t.equal((await reply(socket)).id, 5);
    t.match(listener.counters, { received: 5, answered: 1, dropped: 4, faults: 4 });
  });

  t.test('replies that cannot be sent are counted', async (t) => {
    const { listener, echo, port } = await rig(t);
    const socket = client(t);
    socket.send(query(1, ORDER.HOLD), port, '127.0.0.1');
    await until(() => echo.held.length === 1);
    // More than a datagram can hold: EMSGSIZE.
    echo.held[0]!.later.send(Buffer.alloc(65_535), 65_535);
    await until(() => listener.counters.sendErrors === 1);
    socket.send(query(2), port, '127.0.0.1');
    t.equal((await reply(socket)).id, 2);
  });

  t.test('a flood is answered or dropped, and nothing is kept of it', async (t) => {
    const { listener, echo, notices, port } = await rig(t);
    const { counters } = listener;
    const socket = client(t);
    const orders = [ORDER.ECHO, ORDER.DROP, ORDER.THROW, ORDER.LARGE];
    const total = 24_000;
    for (let sent = 0; sent < total; ) {
      // As many at once as every kernel's default buffer holds.
      for (let i = 0; i < 120; i++, sent++)
        socket.send(query(sent & 0xffff, orders[sent % 4]!), port, '127.0.0.1');
      await until(() => counters.received === sent);
      echo.clients.length = 0;
    }
    t.match(counters, { received: total, answered: total / 2, dropped: total / 2, faults: total / 4 });
    t.equal(notices.length, 1);
    const last = client(t);
    last.send(query(77), port, '127.0.0.1');
    t.equal((await reply(last)).id, 77, 'and it goes on');
    await listener.close(1000);
    t.equal(counters.sendErrors, 0);
  });

  t.test('close waits for the answers in flight and takes nothing new', async (t) => {
    const { listener, echo, port } = await rig(t);
    const socket = client(t);
    socket.send(query(1, ORDER.HOLD), port, '127.0.0.1');
    await until(() => echo.held.length === 1);
    const closed = listener.close(2000);
    socket.send(query(2), port, '127.0.0.1');
    await until(() => listener.counters.dropped === 1);
    const answer = reply(socket);
    echo.release(0);
    t.equal((await answer).id, 1);
    await closed;
    t.match(listener.counters, { answered: 1, dropped: 1 });
    t.equal(listener.close(0), closed, 'a second call waits for the first');
  });

  t.test('close lets go when the drain time is over; late answers are safe', async (t) => {
    const { listener, echo, port } = await rig(t);
    client(t).send(query(1, ORDER.HOLD), port, '127.0.0.1');
    await until(() => echo.held.length === 1);
    const begun = running();
    await listener.close(50);
    t.ok(running() - begun < 1000);
    echo.release(0);
    t.match(listener.counters, { answered: 0, dropped: 1 });
  });

  t.test('an address in use is an error of start', async (t) => {
    const { port } = await rig(t);
    const second = make({
      host: '127.0.0.1',
      port,
      answerer: { answer: () => DROPPED },
      notice: () => {},
    });
    await t.rejects(second.start(), { code: 'EADDRINUSE' });
    await t.rejects(second.start(), { message: 'a listener starts once' });
    await second.close(0);
  });

  t.test('close without start', async () => {
    const never = make({
      host: '127.0.0.1',
      port: 0,
      answerer: { answer: () => DROPPED },
      notice: () => {},
    });
    await never.close(1000);
  });
}
