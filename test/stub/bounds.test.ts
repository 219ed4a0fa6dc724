import { createSocket } from 'node:dgram';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { dot, edeText, opt, pause, query, rcode, replyTo, SERVFAIL, start, until } from './peers.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Sends queries as fast as one socket can for a while; counts what comes back. */
async function flood(t: Test, port: number, ms: number, make: (index: number) => Buffer) {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const replies = new Map<number, number>();
  socket.on('message', (reply) => replies.set(rcode(reply), (replies.get(rcode(reply)) ?? 0) + 1));
  let sent = 0;
  const end = performance.now() + ms;
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++) socket.send(make(sent++), port, '127.0.0.1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await pause(100);
  return { sent, replies };
}

t.test('questions that wait are bounded, TCP has its share, and the rest fails at once', async (t) => {
  const server = await dot(t, () => {});
  const limits = { questions: 40, overUdp: 30, patience: 1500 };
  const { ask, dial, stub, udpPort } = await start(t, [server.address], { limits });
  await flood(t, udpPort, 20, (index) => query(index & 0xffff, `n${index}.example`));
  t.equal(stub.waiting, 30);
  t.match(edeText(await ask(query(1, 'www.example', opt()))), /too many questions wait/);
  const client = await dial();
  client.send(...Array.from({ length: 20 }, (_, i) => query(i)));
  await until(() => stub.waiting === 40);
  for (let i = 0; i < 10; i++) t.equal(rcode(await client.next()), SERVFAIL);
  await pause(1800);
  t.equal(stub.waiting, 0, 'their time is over');
});

t.test('octets that wait are bounded', async (t) => {
  const server = await dot(t, () => {});
  const { dial, stub } = await start(t, [server.address], { limits: { patience: 600, octets: 1_000_000 } });
  const client = await dial();
  const large = query(1, 'www.example', opt([[65_001, Buffer.alloc(60_000)]]));
  for (let i = 0; i < 30; i++) client.send(large);
  for (let i = 0; i < 10; i++) t.equal(rcode(await client.next()), SERVFAIL);
  t.ok(stub.waiting >= 6 && stub.waiting <= 9, `${stub.waiting} wait`);
});

t.test('questions that a server leaves unanswered do not pile up on its connection', async (t) => {
  const server = await dot(t, (seen, send) => {
    if (seen.query.type === 1) return;
    send(seen.octets);
  });
  const limits = { patience: 100, inFlight: 50, stall: 10_000 };
  const { ask, stub } = await start(t, [server.address], { limits });
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => ask(query(i, `n${round}-${i}.example`), 1000)));
    t.equal(stub.waiting, 0);
  }
  t.ok(server.sockets.size <= 2, `${server.sockets.size} connections are open`);
});

t.test('memory is flat under a flood while the server is down', async (t) => {
  const server = await dot(t);
  await server.close();
  const limits = { outage: 0, patience: 500 };
  const { udpPort, stub } = await start(t, [server.address], { limits });
  const round = () => flood(t, udpPort, 700, (index) => query(index & 0xffff, `n${index}.example`, opt()));
  await round();
  collect();
  const before = process.memoryUsage();
  const { sent, replies } = await round();
  const { sent: more } = await round();
  collect();
  const after = process.memoryUsage();
  t.ok((replies.get(SERVFAIL) ?? 0) > 100, `${replies.get(SERVFAIL)} of ${sent} were told`);
  t.equal(replies.size, 1, 'and nothing else');
  await until(() => stub.waiting === 0);
  const grown = (after.heapUsed + after.external - before.heapUsed - before.external) / 2 ** 20;
  t.ok(grown < 4, `${grown.toFixed(1)} MiB more after ${sent + more} questions`);
});

t.test('room is given back when questions end, whichever way they end', async (t) => {
  // One that waits fits, and not two.
  const limits = { patience: 300, octets: 2_000, questions: 100, overUdp: 100 };
  const server = await dot(t, (seen, send) => {
    if (seen.octets.includes('www')) send(replyTo(seen));
  });
  const { ask } = await start(t, [server.address], { limits });
  const padded = (id: number): Buffer => query(id, 'www.example', opt([[65_001, Buffer.alloc(700)]]));
  for (let id = 0; id < 20; id++) t.not(rcode(await ask(padded(id), 5000)), SERVFAIL, `answered, ${id}`);
  const silent = (id: number): Buffer => query(id, `n${id}.example`, opt([[65_001, Buffer.alloc(700)]]));
  for (let id = 0; id < 4; id++)
    t.notMatch(edeText(await ask(silent(id), 5000)), /too many octets/, `its time was over, ${id}`);
  t.not(rcode(await ask(padded(99), 5000)), SERVFAIL, 'there is room');
});
