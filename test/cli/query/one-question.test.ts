import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import t from 'tap';
import { answers, exchange, tryConnect } from '../../../src/cli/query/one-question.ts';
import { queryMessage } from '../../../src/cli/query/readable-message.ts';
import { running } from '../../clock.ts';
import { record, replyTo, responder, wire } from '../responder.ts';

const query = queryMessage(wire('a.example'), 1)!;
const address = record(1, Buffer.from([192, 0, 2, 1]));
const good = replyTo(query, { answers: [address] });

/** `good` with some octets replaced. */
function altered(...octets: readonly (readonly [at: number, value: number])[]): Buffer {
  const copy = Buffer.from(good);
  for (const [at, value] of octets) copy[at] = value;
  return copy;
}

const WRONG: readonly (readonly [string, Buffer])[] = [
  ['another ID', altered([0, good[0]! ^ 1])],
  ['a query', altered([2, 0x01])],
  ['another opcode', altered([2, 0xa1])],
  ['another name', altered([13, 0x62])],
  ['another type', altered([24, 28])],
  ['another class', altered([26, 3])],
  ['no question', Buffer.concat([good.subarray(0, 4), Buffer.alloc(8)])],
  ['two questions', altered([5, 2])],
  ['a cut question', good.subarray(0, 20)],
  ['half a header', good.subarray(0, 11)],
  ['nothing', Buffer.alloc(0)],
];

t.test('a reply has the ID and the question of its query', async (t) => {
  t.ok(answers(good, query));
  t.ok(answers(altered([13, 0x41]), query), 'in any case');
  for (const [what, octets] of WRONG) t.notOk(answers(octets, query), what);
  const failure = Buffer.concat([good.subarray(0, 3), Buffer.from([0x81]), Buffer.alloc(8)]);
  t.ok(answers(failure, query), 'an error may leave the question out');
});

for (const transport of ['udp', 'tcp'] as const) {
  t.test(`over ${transport}, what is no reply is passed over, and the wait goes on`, async (t) => {
    const server = await responder(t, (got) => [
      ...WRONG.map(([, octets]) => octets).filter(({ length }) => length > 0),
      replyTo(got, { answers: [address] }),
    ]);
    const got = await exchange(query, server, transport, 5000);
    t.equal(got.kind, 'reply');
    if (got.kind !== 'reply') return;
    t.same(got.octets, good);
    t.equal(got.local, '127.0.0.1');
    t.ok(got.elapsed >= 0 && got.elapsed < 5000, `${got.elapsed} ms`);
  });

  t.test(`over ${transport}, silence ends in time`, async (t) => {
    const server = await responder(t, () => []);
    const started = running();
    const got = await exchange(query, server, transport, 150);
    t.same(got, { kind: 'failure', reason: 'no answer within 0.15 s', connected: transport === 'tcp' });
    t.ok(running() - started < 2000);
  });

  t.test(`over ${transport}, a port where nobody listens is told at once`, async (t) => {
    const server = await responder(t, () => []);
    const { host } = server;
    const started = running();
    // Port 1 of loopback: no test takes it.
    const got = await exchange(query, { host, port: 1 }, transport, 5000);
    t.match(got, { kind: 'failure', reason: /refused/, connected: false });
    t.ok(running() - started < 2000);
  });

  t.test(`over ${transport} and IPv6`, async (t) => {
    const server = await responder(t, (got) => [replyTo(got)], '::1');
    const got = await exchange(query, server, transport, 5000);
    t.match(got, { kind: 'reply', local: '::1' });
  });
}

t.test('a datagram from another port is not the server', async (t) => {
  const liar = createSocket('udp4');
  t.teardown(() => liar.close());
  const server = createSocket('udp4');
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  server.on('message', (got, from) => {
    const lie = replyTo(got, { rcode: 3 });
    liar.send(lie, from.port, from.address, () => {
      setTimeout(() => server.send(replyTo(got), from.port, from.address), 50);
    });
  });
  const got = await exchange(query, { host: '127.0.0.1', port: server.address().port }, 'udp', 5000);
  t.equal(got.kind === 'reply' ? got.octets[3]! & 0xf : -1, 0);
});

t.test('a question that was lost is sent again', async (t) => {
  const server = await responder(t, (got, _, count) => (count === 1 ? [] : [replyTo(got)]));
  const got = await exchange(query, server, 'udp', 5000);
  t.equal(got.kind, 'reply');
  t.ok(server.seen.length >= 2);
  t.same(server.seen[0]!.query, server.seen[1]!.query);
});

t.test('a stream that ends, breaks or is split', async (t) => {
  const listen = async (serve: (socket: import('node:net').Socket) => void): Promise<number> => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => serve(socket));
    });
    t.teardown(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as { port: number }).port;
  };
  const at = (port: number) => exchange(query, { host: '127.0.0.1', port }, 'tcp', 5000);
  const closed = { kind: 'failure', reason: /closed without an answer/, connected: true };
  t.match(await at(await listen((socket) => socket.end())), closed, 'ends');
  t.match(
    await at(await listen((socket) => socket.end(Buffer.from([0, 40, 1])))),
    closed,
    'within a message',
  );
  t.match(await at(await listen((socket) => socket.end(Buffer.alloc(2)))), closed, 'with an empty message');
  const reset = await at(await listen((socket) => socket.resetAndDestroy()));
  t.match(reset, { kind: 'failure', reason: /reset/, connected: true });
  const split = await at(
    await listen((socket) => {
      const octets = Buffer.concat([Buffer.from([0, good.length]), good]);
      for (const octet of octets) socket.write(Buffer.from([octet]));
    }),
  );
  t.match(split, { kind: 'reply' });
});

t.test('whether a connection comes about', async (t) => {
  const server = await responder(t, () => []);
  t.equal(await tryConnect(server, 5000), null);
  t.match(await tryConnect({ host: '127.0.0.1', port: 1 }, 5000), /refused/);
});
