import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';
import { batchedUdp } from '../../src/listen/udp/udp.ts';
import type { Answerer, Client } from '../../src/resolve/ports.ts';
import { loadNative } from '../../src/socket/linux-native.ts';
import type { Native, OneDatagram } from '../../src/socket/native.ts';
import type { Filling } from '../../src/wire/filling.ts';
import { EDE, RCODE } from '../../src/wire/iana.ts';
import { Query, readQuery } from '../../src/wire/question.ts';
import { ReplyWriter } from '../../src/wire/reply.ts';
import { Echo, until } from '../listen/echo.ts';
import { queryOctets } from '../resolve/house.ts';

const native = loadNative();
const skip = typeof native === 'string' && !process.env['CI'] ? `not to be had here: ${native}` : false;
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

const TEXT = 'a: name not approved; ask b';

/** Denies whatever is asked. */
class Denier implements Answerer {
  readonly #query = new Query();
  readonly #writer = new ReplyWriter();

  get filling(): Readonly<Filling> {
    return this.#writer.filling;
  }

  answer(message: Buffer, length: number, _client: Client, reply: Buffer): number {
    this.#query.clear();
    if (readQuery(message, length, this.#query) !== null) throw new Error('no question');
    this.#writer.begin(this.#query, reply, 0, 1232);
    return this.#writer.finish(RCODE.NXDOMAIN, EDE.BLOCKED, Buffer.from(TEXT), 3 * length);
  }
}

/** A query of `length` octets, whose octets after the header follow from `id`. */
function question(id: number, length: number): Buffer {
  const message = Buffer.alloc(length);
  message.writeUInt16BE(id, 0);
  for (let i = 13; i < length; i++) message[i] = id * 7 + i;
  return message;
}

interface Heard {
  readonly reply: Buffer;
  readonly from: string;
}

function listenOn(socket: Socket): Heard[] {
  const heard: Heard[] = [];
  socket.on('message', (reply, { address }) => heard.push({ reply, from: address }));
  return heard;
}

/** `ask`: the address that query number i goes to. Sends all in one go, so that they are answered in few batches. */
async function exchange(
  t: Test,
  calls: Native,
  host: string,
  ask: (i: number) => string,
  lengthOf: (i: number) => number,
  count = 3,
): Promise<{ counters: Readonly<Record<string, number>> }> {
  const listener = batchedUdp(calls, { host, port: 0, answerer: new Echo(), notice: () => {} });
  t.teardown(() => listener.close(0));
  await listener.start();
  const clients = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      t.teardown(() => socket.close());
      socket.bind(0, host.includes(':') ? '::1' : '127.0.0.1');
      await once(socket, 'listening');
      return { socket, heard: listenOn(socket) };
    }),
  );
  const total = 240;
  for (let i = 0; i < total; i++) {
    clients[i % count]!.socket.send(question(i, lengthOf(i)), listener.address.port, ask(i));
  }
  await until(() => clients.reduce((sum, { heard }) => sum + heard.length, 0) === total);
  clients.forEach(({ heard }, client) => {
    t.equal(heard.length, total / count);
    for (const { reply, from } of heard) {
      const id = reply.readUInt16BE(0);
      const wanted = question(id, lengthOf(id));
      wanted[2] = 0x80;
      if (id % count !== client || !reply.equals(wanted) || from !== ask(id))
        t.fail(`reply ${id} from ${from}`);
    }
  });
  return { counters: { ...listener.counters } };
}

t.test('replies of one batch', { skip }, async (t) => {
  const calls = native as Native;
  const lengths: Record<string, (i: number) => number> = {
    'of one length': () => 40,
    'of few lengths': (i) => 40 + (i % 7),
    'ever longer': (i) => 13 + i,
    'as long as they get': (i) => (i % 2 === 0 ? 1232 : 1231),
  };
  for (const [name, lengthOf] of Object.entries(lengths)) {
    t.test(name, async (t) => {
      const { counters } = await exchange(t, calls, '127.0.0.1', () => '127.0.0.1', lengthOf);
      t.match(counters, { received: 240, answered: 240, sendErrors: 0 });
    });
    t.test(`${name}, from two addresses of one wildcard socket`, async (t) => {
      await exchange(t, calls, '0.0.0.0', (i) => (i % 4 < 2 ? '127.0.0.1' : '127.0.0.2'), lengthOf);
    });
    t.test(`${name}, over IPv6`, { skip: hasIpv6 ? false : '::1 is not there' }, async (t) => {
      await exchange(t, calls, '::', () => '::1', lengthOf);
    });
  }

  /** Calls that count what is sent, and refuse where `refuses` says so. */
  function watched(
    refuses: (grouped: boolean) => boolean,
    refusesOne = false,
  ): { calls: Native; sent: number[]; alone: { received: number; sent: number } } {
    const sent: number[] = [];
    const alone = { received: 0, sent: 0 };
    const watching: Native = Object.create(calls, {
      send: {
        value: (fd: number, headers: Buffer, count: number) => {
          // msg_iovlen of the first: how many datagrams its group has.
          if (refuses(headers.readUInt32LE(24) > 1)) return -22;
          const took = calls.send(fd, headers, refuses(true) ? 1 : count);
          for (let i = 0; i < took; i++) sent.push(headers.readUInt32LE(64 * i + 24));
          return took;
        },
      },
      receive: { value: (fd: number, headers: Buffer, count: number) => calls.receive(fd, headers, count) },
      receiveOne: {
        value: (fd: number, datagram: OneDatagram) => {
          alone.received++;
          return calls.receiveOne(fd, datagram);
        },
      },
      sendOne: {
        value: (fd: number, datagram: OneDatagram, length: number, size: number) => {
          if (refusesOne) return -1;
          alone.sent++;
          return calls.sendOne(fd, datagram, length, size);
        },
      },
      poll: { value: (fd: number, wake: () => void) => calls.poll(fd, wake) },
      openUdp: { value: (host: string, port: number, size: number) => calls.openUdp(host, port, size) },
      address: { value: (buffer: Buffer) => calls.address(buffer) },
      pause: { value: (microseconds: number) => calls.pause(microseconds) },
    });
    return { calls: watching, sent, alone };
  }

  t.test('to one client leave together', async (t) => {
    const { calls: watching, sent } = watched(() => false);
    await exchange(
      t,
      watching,
      '127.0.0.1',
      () => '127.0.0.1',
      () => 40,
    );
    t.equal(
      sent.reduce((sum, size) => sum + size, 0),
      240,
    );
    t.ok(sent.length < 120, `${sent.length} messages`);
  });

  t.test('are no more in one message than every kernel takes', async (t) => {
    const { calls: watching, sent } = watched(() => false);
    await exchange(
      t,
      watching,
      '127.0.0.1',
      () => '127.0.0.1',
      () => 40,
      1,
    );
    t.equal(Math.max(...sent), 64);
  });

  t.test('that end in a text are filled up to one length where a client asks much', async (t) => {
    const { calls: watching, sent } = watched(() => false);
    const answerer = new Denier();
    const listener = batchedUdp(watching, { host: '127.0.0.1', port: 0, answerer, notice: () => {} });
    t.teardown(() => listener.close(0));
    await listener.start();
    const clients = await Promise.all(
      [60, 3].map(async (questions) => {
        const socket = createSocket('udp4');
        t.teardown(() => socket.close());
        socket.bind(0, '127.0.0.1');
        await once(socket, 'listening');
        return { questions, socket, heard: listenOn(socket) };
      }),
    );
    const sizes = new Map<number, number>();
    let id = 0;
    for (const { questions, socket } of clients) {
      for (let i = 0; i < questions; i++, id++) {
        const asked = queryOctets(`${'x'.repeat(1 + (id % 40))}.${'y'.repeat(20)}.example`, 'A');
        asked.writeUInt16BE(id, 0);
        sizes.set(id, asked.length);
        socket.send(asked, listener.address.port, '127.0.0.1');
      }
    }
    await until(() => clients.every(({ questions, heard }) => heard.length === questions));
    for (const { questions, heard } of clients) {
      for (const { reply } of heard) {
        const asked = sizes.get(reply.readUInt16BE(0))!;
        const plain = asked + 6 + TEXT.length;
        const text = reply.subarray(asked + 6).toString();
        t.equal(text.trimEnd(), TEXT);
        t.equal(reply.readUInt16BE(asked + 2), 2 + text.length, 'OPTION-LENGTH');
        t.equal(reply.readUInt16BE(asked - 2), 6 + text.length, 'RDLENGTH');
        t.ok(reply.length <= 3 * asked);
        if (questions < 4) t.equal(reply.length, plain, 'few are as they were written');
      }
    }
    // Two of the other client have lengths of their own.
    t.ok(sent.length <= 6, `${sent.length} messages`);
  });

  for (const host of ['127.0.0.1', '0.0.0.0', ...(hasIpv6 ? ['::1'] : [])]) {
    t.test(`to questions that come one at a time to ${host}`, async (t) => {
      const { calls: watching, alone } = watched(() => false);
      const listener = batchedUdp(watching, { host, port: 0, answerer: new Echo(), notice: () => {} });
      t.teardown(() => listener.close(0));
      await listener.start();
      const at = host === '0.0.0.0' ? '127.0.0.1' : host;
      const sockets = [0, 1].map(() => createSocket(host === '::1' ? 'udp6' : 'udp4'));
      for (const socket of sockets) t.teardown(() => socket.close());
      for (let id = 0; id < 30; id++) {
        // Two clients in turn, each question of another length.
        const asked = question(id, id % 3 === 0 ? 900 - id : 20 + id);
        const socket = sockets[id % 2]!;
        socket.send(asked, listener.address.port, at);
        const [reply, { address }] = (await once(socket, 'message')) as [Buffer, { address: string }];
        asked[2] = 0x80;
        t.ok(reply.equals(asked), `reply ${id}`);
        t.equal(address, at);
      }
      t.match(listener.counters, { received: 30, answered: 30, sendErrors: 0 });
      // Control messages say which address a wildcard socket was asked at: these need the other calls.
      if (host === '0.0.0.0') t.same(alone, { received: 0, sent: 0 });
      else t.ok(alone.received > 20 && alone.sent === 30, JSON.stringify(alone));

      const [socket] = sockets;
      const heard = listenOn(socket!);
      for (let id = 0; id < 200; id++) socket!.send(question(id, 40), listener.address.port, at);
      await until(() => heard.length === 200);
      t.equal(new Set(heard.map(({ reply }) => reply.readUInt16BE(0))).size, 200, 'many at once after that');
    });
  }

  t.test('one that the kernel refuses is counted', async (t) => {
    const { calls: watching } = watched(() => false, true);
    const listener = batchedUdp(watching, {
      host: '127.0.0.1',
      port: 0,
      answerer: new Echo(),
      notice: () => {},
    });
    t.teardown(() => listener.close(0));
    await listener.start();
    const socket = createSocket('udp4');
    t.teardown(() => socket.close());
    socket.send(question(1, 40), listener.address.port, '127.0.0.1');
    await until(() => listener.counters.sendErrors === 1);
    t.match(listener.counters, { received: 1, answered: 1 });
  });

  t.test('leave one by one where the kernel takes no groups', async (t) => {
    const { calls: watching, sent } = watched((grouped) => grouped);
    const { counters } = await exchange(
      t,
      watching,
      '127.0.0.1',
      () => '127.0.0.1',
      (i) => 40 + (i % 7),
    );
    t.equal(sent.length, 240);
    t.match(counters, { answered: 240, sendErrors: 0 });
  });
});
