import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Client, framed, queryOctets } from '../server/client.ts';
import { readMessage } from '../server/message.ts';
import { type Namegate, namegate, pause, until } from '../server/namegate.ts';
import { type Script, upstream } from '../server/upstream.ts';
import { Worker } from './crowd.ts';
import { percentile, prefer, Sampler, share } from './latency.ts';
import { descriptors, MIB, residentOctets } from './load.ts';
import { JOB, policyOf } from './policy.ts';

/** TCP clients that misbehave: they do not read, reset, say all at once, or ask without end. */

const POLICY = policyOf(JOB, {
  name: 'hostile',
  from: ['127.0.0.2'],
  allow: [
    '*.late.example',
    '{ name: "*.large.example", types: [TXT], reason: as large as an answer can be }',
  ],
});

const LARGE = Array.from({ length: 240 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(240));

const script: Script = ({ name, type, over }, to) => {
  if (name.endsWith('.late.example.')) {
    setTimeout(() => to.reply({ answer: [`${name} 0 A 198.51.100.1`] }), 300);
  } else if (type === 'TXT' && over === 'udp') {
    to.reply({ flags: 0x200 });
  } else if (type === 'TXT') {
    to.reply({ answer: LARGE.map((text) => `${name} 300 TXT ${text}`) });
  } else {
    to.reply({ answer: [`${name} 300 A 198.51.100.1`] });
  }
};

async function rig(
  t: Test,
): Promise<{ readonly server: Namegate; readonly sampler: Sampler; readonly pid: number }> {
  const good = await upstream(t, script);
  const server = await namegate(t, { policy: POLICY, servers: `[${good.url}]` });
  prefer(server);
  const sampler = await Sampler.open(t, server, { from: '127.0.0.1', name, gap: 1 });
  await sampler.many(500);
  return { server, sampler, pid: server.child.pid! };
}

const name = (n: number): string => `n${n % 20}.good.example`;

/** A TCP connection of the hostile client; errors are what is expected. */
function dial(t: Test, server: Namegate, from = '127.0.0.2'): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: server.tcp, localAddress: from, allowHalfOpen: true });
    socket.on('error', () => {});
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => resolve(socket));
    t.teardown(() => socket.destroy());
  });
}

t.test('100,000 questions on one connection: all are answered, and others have their turn', async (t) => {
  const { server, sampler, pid } = await rig(t);
  const memory = residentOctets(pid);
  const COUNT = 100_000;
  const socket = await dial(t, server);
  const one = (i: number): Buffer => framed(queryOctets(`d${i}.denied.example`, { id: i & 0xffff }));
  const all = Buffer.concat(Array.from({ length: COUNT }, (_, i) => one(i)));
  const answered = new Uint8Array(COUNT);
  let count = 0;
  let wrong = 0;
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (
      ;
      rest.length >= at + 2 && rest.length >= at + 2 + rest.readUInt16BE(at);
      at += 2 + rest.readUInt16BE(at)
    ) {
      // The label `d` and its number tell which question it answers.
      const label = rest.toString('latin1', at + 15, at + 15 + rest[at + 14]!);
      const number = Number(label.slice(1));
      if (answered[number] !== 0 || rest.readUInt16BE(at + 2) !== (number & 0xffff)) wrong++;
      answered[number] = 1;
      count++;
    }
    rest = rest.subarray(at);
  });
  const worker = new Worker(server, name, '127.0.0.1');
  const from = performance.now();
  socket.write(all);
  const samples: number[] = [];
  let most = 0;
  while (count < COUNT && performance.now() - from < 20_000) {
    samples.push(await sampler.one());
    most = Math.max(most, residentOctets(pid));
  }
  const took = performance.now() - from;
  await worker.stop();
  t.equal(count, COUNT, `all are answered, in ${took.toFixed(0)} ms`);
  t.equal(wrong, 0, 'each once, under its ID');
  t.same(worker.failed, []);
  // Behind all of these they would wait as long as all of them take. This process reads the answers beside its clock.
  t.ok(
    percentile(samples, 0.99) < Math.max(50, took / 10),
    `others wait ${percentile(samples, 0.99).toFixed(1)} ms at most, of 100 samples 99`,
  );
  t.ok(most - memory < 64 * MIB, `memory grew by ${((most - memory) / MIB).toFixed(0)} MiB at most`);
  share(server);
  await server.stop(t);
});

t.test('clients that never read: what waits for them is bounded, and they are reset', async (t) => {
  const { server, sampler, pid } = await rig(t);
  const client = await Client.open(server, 'tcp', '127.0.0.2');
  const large = await client.ask('x.large.example', { type: 'TXT' });
  t.ok(large.octets.length > 55_000, `${large.octets.length} octets are in the cache`);
  client.close();
  const memory = residentOctets(pid);
  const before = descriptors(pid);
  const READERS = 100;
  const sockets = await Promise.all(Array.from({ length: READERS }, () => dial(t, server)));
  let over = 0;
  for (const socket of sockets) {
    socket.pause();
    socket.once('close', () => over++);
    const questions = Array.from({ length: 500 }, (_, i) =>
      framed(queryOctets('x.large.example', { type: 'TXT', id: i })),
    );
    socket.write(Buffer.concat(questions));
  }
  const worker = new Worker(server, name, '127.0.0.1');
  const samples: number[] = [];
  let most = 0;
  const from = performance.now();
  while (performance.now() - from < 3000) {
    samples.push(await sampler.one());
    most = Math.max(most, residentOctets(pid));
  }
  await worker.stop();
  t.same(worker.failed, [], 'others are served');
  t.ok(
    percentile(samples, 0.99) < 50,
    `others wait ${percentile(samples, 0.99).toFixed(1)} ms at most, of 100 samples 99`,
  );
  const grown = ((most - memory) / MIB).toFixed(0);
  // A megabyte each may wait, and twice as much may wait for the collector.
  t.ok(most - memory < 3 * READERS * MIB, `memory grew by ${grown} MiB at most; 2,900 were asked for`);
  // 10 s without a write that ends.
  await until(
    () => descriptors(pid) < before + 10,
    () => `${descriptors(pid)} descriptors are open`,
    12_000,
  );
  for (const socket of sockets) socket.resume();
  await until(
    () => over === READERS,
    () => `${over} were ended`,
  );
  share(server);
  await server.stop(t);
});

t.test('resets in the middle of answers, 3,000 times', async (t) => {
  const { server, pid } = await rig(t);
  const open = descriptors(pid);
  await resets(t, server, 500);
  const memory = residentOctets(pid);
  const worker = new Worker(server, name, '127.0.0.1');
  await resets(t, server, 2500);
  await worker.stop();
  t.same(worker.failed, [], 'others are served');
  await until(
    () => descriptors(pid) <= open + 5,
    () => `${descriptors(pid)} descriptors are open, ${open} were`,
  );
  const grown = residentOctets(pid) - memory;
  t.ok(grown < 64 * MIB, `memory grew by ${(grown / MIB).toFixed(0)} MiB`);
  share(server);
  const stopped = await server.stop(t);
  t.match(stopped, { queries: { bugs: 0 } });
});

/** Connections that ask for answers now, late and large, and reset before or while these come. */
async function resets(t: Test, server: Namegate, count: number): Promise<void> {
  for (let done = 0; done < count; ) {
    const batch = Array.from({ length: Math.min(100, count - done) }, async (_, i) => {
      const socket = await dial(t, server);
      socket.write(
        Buffer.concat([
          framed(queryOctets('denied.example')),
          framed(queryOctets(`r${done + i}.late.example`)),
          framed(queryOctets('x.large.example', { type: 'TXT' })),
        ]),
      );
      if (i % 3 === 1) await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
      if (i % 3 === 2) await pause(i);
      socket.resetAndDestroy();
    });
    done += batch.length;
    await Promise.all(batch);
  }
}

t.test('half-close storms: what was asked is answered, then the connection ends', async (t) => {
  const { server, pid } = await rig(t);
  const open = descriptors(pid);
  const worker = new Worker(server, name, '127.0.0.1');
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 12; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const what = await halfClosed(t, server, round * 100 + i);
        outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      }),
    );
  }
  await worker.stop();
  t.same(worker.failed, [], 'others are served');
  // Four kinds in turn: nothing, half a message, a question, three questions of which one is answered late.
  t.same(Object.fromEntries(outcomes), { '': 600, NXDOMAIN: 300, 'NXDOMAIN NXDOMAIN NOERROR': 300 });
  await until(
    () => descriptors(pid) <= open + 5,
    () => `${descriptors(pid)} descriptors are open, ${open} were`,
  );
  share(server);
  await server.stop(t);
});

/** Sends, says that this is all, and collects the RCODEs until the server ends the connection. */
async function halfClosed(t: Test, server: Namegate, number: number): Promise<string> {
  const socket = await dial(t, server);
  const denied = framed(queryOctets('denied.example'));
  const late = framed(queryOctets(`h${number}.late.example`));
  const sent = [Buffer.alloc(0), denied.subarray(0, 7), denied, Buffer.concat([late, denied, denied])][
    number % 4
  ]!;
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<void>((resolve) => socket.once('end', resolve).once('close', resolve));
  socket.end(sent);
  await ended;
  const all = Buffer.concat(chunks);
  const codes: string[] = [];
  for (let at = 0; at < all.length; at += 2 + all.readUInt16BE(at)) {
    codes.push(readMessage(all.subarray(at + 2, at + 2 + all.readUInt16BE(at))).rcode);
  }
  return codes.join(' ');
}
