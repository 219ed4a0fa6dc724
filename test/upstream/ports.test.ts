import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Native } from '../../src/socket/native.ts';
import { MAX_WRONG } from '../../src/upstream/way.ts';
import {
  ask,
  bothUpstream,
  closedPort,
  NATIVE,
  PATIENT,
  pause,
  reply,
  type Seen,
  type UdpUpstream,
  udpUpstream,
  until,
  upstreams,
  won,
} from './scripted.ts';

/** What batched UDP does beyond what both ways do: ports that several questions share. */

if (typeof NATIVE === 'string') {
  t.plan(0, NATIVE);
  process.exit(0);
}
const native: Native = NATIVE;
const BATCH = 64;
/** Ports are shared, however few questions there are. */
const shared = { native, quiet: 0 };

/** The system's calls, but for some. */
function altered(others: Partial<Native>): Native {
  return {
    openUdp: (host, port, receiveBuffer) => native.openUdp(host, port, receiveBuffer),
    isReadable: (fd) => native.isReadable(fd),
    poll: (fd, wake) => native.poll(fd, wake),
    pause: (microseconds) => native.pause(microseconds),
    trim: () => native.trim(),
    giveBackMemory: () => native.giveBackMemory(),
    emptyArray: (array) => native.emptyArray(array),
    socketAddress: (host, port) => native.socketAddress(host, port),
    openConnected: (address) => native.openConnected(address),
    close: (fd) => native.close(fd),
    errorName: (errno) => native.errorName(errno),
    receive: (fd, headers, count) => native.receive(fd, headers, count),
    send: (fd, headers, count) => native.send(fd, headers, count),
    receiveOne: (fd, datagram) => native.receiveOne(fd, datagram),
    sendOne: (fd, datagram, length, addressLength) => native.sendOne(fd, datagram, length, addressLength),
    watch: (wake) => native.watch(wake),
    address: (buffer) => native.address(buffer),
    ...others,
  };
}

function byPort<T>(seen: UdpUpstream['seen'], of: (one: UdpUpstream['seen'][0]) => T): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const one of seen) found.set(one.from.port, [...(found.get(one.from.port) ?? []), of(one)]);
  return found;
}

/** The number in a name like `n12.example.com` as an address. */
function numbered(seen: Seen): Buffer {
  return reply(seen, { address: Number(/\d+/.exec(seen.name)![0]) % 200 });
}

t.test('questions of one turn share ports, 64 a port, under IDs of their own', async (t) => {
  const server = await udpUpstream(t, () => {});
  const { forwarder } = upstreams(t, [server.server], { ...shared, timing: PATIENT });
  // As many as a server's socket holds by default.
  const asked = Array.from({ length: 200 }, (_, i) => ask(forwarder, `n${i}.example.com`));
  t.equal(forwarder.openSockets, 4);
  t.ok(await until(() => server.seen.length === 200));
  const ports = byPort(server.seen, ({ id }) => id);
  t.equal(ports.size, 4);
  for (const ids of ports.values()) {
    t.ok(ids.length <= BATCH);
    t.equal(new Set(ids).size, ids.length);
  }
  for (const one of server.seen) server.socket.send(numbered(one), one.from.port, one.from.address);
  for (const [i, { outcome }] of (await Promise.all(asked)).entries()) t.equal(won(outcome), i);
  t.ok(await until(() => forwarder.openSockets === 0));
  t.equal(forwarder.counters.mismatched, 0);
});

t.test('where questions are few, each has a port of its own; where they are many, not', async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(numbered(seen)));
  const { forwarder } = upstreams(t, [server.server], { native });
  const round = async (from: number): Promise<void> => {
    const asked = Array.from({ length: 100 }, (_, i) => ask(forwarder, `n${from + i}.example.com`));
    for (const [i, { outcome }] of (await Promise.all(asked)).entries())
      t.equal(won(outcome), (from + i) % 200);
  };
  await round(0);
  t.ok(byPort(server.seen, () => 0).size >= 98, 'the kernel may give a number twice');
  t.equal(forwarder.openSockets, 0);
  const ports = (): number => byPort(server.seen.slice(-1000), () => 0).size;
  // On a busy machine questions may be few for longer.
  for (let i = 1; i < 20 || (i < 200 && ports() >= 300); i++) await round(100 * i);
  t.ok(ports() < 300, `${ports()} ports for 1,000 questions`);
  await pause(250);
  const asked = server.seen.length;
  await round(0);
  t.ok(byPort(server.seen.slice(asked), () => 0).size >= 98, 'few again');
});

t.test('under load ports change: none has more than 256 questions, nor takes them for long', async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(numbered(seen)));
  const { forwarder } = upstreams(t, [server.server], shared);
  let next = 0;
  let wrong = 0;
  const worker = async (): Promise<void> => {
    while (next < 10_000) {
      const number = next++;
      const { outcome } = await ask(forwarder, `n${number}.example.com`);
      if (won(outcome) !== number % 200) wrong++;
    }
  };
  await Promise.all(Array.from({ length: 100 }, worker));
  t.equal(wrong, 0);
  const ports = byPort(server.seen, ({ id, ran }) => ({ id, ran }));
  t.ok(ports.size >= 10_000 / 256, `${ports.size} ports`);
  for (const questions of ports.values()) {
    t.ok(questions.length <= 256);
    t.equal(new Set(questions.map(({ id }) => id)).size, questions.length, 'no ID twice');
    const took = questions.at(-1)!.ran - questions[0]!.ran;
    t.ok(took < 1000, `${took} ms`);
  }
  t.ok(await until(() => forwarder.openSockets === 0));
  t.equal(forwarder.inFlight, 0);
});

t.test('a port takes no question beside one that has waited for 100 ms', async (t) => {
  const server = await udpUpstream(t, (seen, send) => {
    if (seen.name.toLowerCase().startsWith('a')) send(reply(seen));
  });
  const { forwarder } = upstreams(t, [server.server], {
    ...shared,
    timing: { ...PATIENT, end: 400, slow: 300 },
  });
  const waiting = ask(forwarder, 'silent.example.com');
  await pause(20);
  await ask(forwarder, 'a.example.com');
  await pause(130);
  void ask(forwarder, 'other.example.com');
  await waiting;
  const [first, second, third] = server.seen;
  t.equal(first!.from.port, second!.from.port);
  t.not(first!.from.port, third!.from.port);
});

t.test('sockets are bounded, and what they take is', async (t) => {
  const silent = await udpUpstream(t, () => {});
  const { forwarder, events } = upstreams(t, [silent.server], {
    ...shared,
    maxSockets: 3,
    timing: { firstRetry: 100, minRetry: 100, retries: [200, 300], end: 500 },
  });
  const asked = Array.from({ length: 300 }, (_, i) => ask(forwarder, `n${i}.example.com`));
  t.equal(forwarder.openSockets, 3);
  const ended = await Promise.all(asked);
  t.equal(ended.filter(({ outcome }) => won(outcome) === 'network').length, 300 - 3 * BATCH);
  t.equal(ended.filter(({ outcome }) => won(outcome) === 'silent').length, 3 * BATCH);
  for (const { outcome, elapsed } of ended) if (won(outcome) === 'network') t.ok(elapsed < 400);
  t.ok(await until(() => forwarder.openSockets === 0));
  t.match(events, [{ kind: 'sockets-exhausted' }]);
});

t.test('65,000 forged replies among 60 questions at one port: none is accepted', async (t) => {
  const names = Array.from({ length: 60 }, (_, i) => `n${i}.letters-for-a-case.example.com`);
  let flooded = -1;
  const { udp, tcp, server } = await bothUpstream(
    t,
    (seen, send, from) => {
      if (flooded < 0) flooded = from.port;
      // Other ports are answered as they should be.
      if (from.port !== flooded) setTimeout(() => send(numbered(seen)), 30);
    },
    (seen, send) => setTimeout(() => send(numbered(seen)), 100),
  );
  const { forwarder } = upstreams(t, [server], { ...shared, timing: PATIENT });
  const asked = names.map((name) => ask(forwarder, name));
  t.ok(await until(() => udp.seen.length === 60));
  t.equal(byPort(udp.seen, () => 0).size, 1);
  const targets = udp.seen.slice();
  for (let id = 0; id < 65_000; id++) {
    const target = targets[id % targets.length]!;
    if (id === target.id) continue;
    udp.socket.send(reply(target, { id, address: 250 }), target.from.port, target.from.address);
    if (id % 200 === 0) await pause(0);
  }
  const ended = await Promise.all(asked);
  for (const [i, { outcome, accepted }] of ended.entries()) {
    t.equal(won(outcome), i);
    t.equal(accepted, 1);
  }
  t.equal(forwarder.counters.mismatched, MAX_WRONG, 'the port was given up');
  t.equal(byPort(udp.seen, () => 0).size, 61, 'and each question has one of its own');
  t.equal(tcp.seen.length, 0);
  t.ok(await until(() => forwarder.openSockets === 0));
});

t.test('a question whose every port is flooded takes no other with it', async (t) => {
  const { tcp, server } = await bothUpstream(
    t,
    (seen, send) => {
      const target = seen.name === '7.0';
      for (let id = 1; target && id <= 100; id++) send(reply(seen, { id: seen.id ^ id, address: 250 }));
      if (!target) setTimeout(() => send(numbered(seen)), 20);
    },
    (seen, send) => send(numbered(seen)),
  );
  const { forwarder } = upstreams(t, [server], { ...shared, timing: PATIENT });
  const asked = Array.from({ length: 50 }, (_, i) => ask(forwarder, `${i}.0`));
  for (const [i, { outcome }] of (await Promise.all(asked)).entries()) t.equal(won(outcome), i);
  t.same(
    tcp.seen.map(({ name }) => name),
    ['7.0'],
    'TCP is asked for the one that is meant',
  );
  t.ok(forwarder.counters.mismatched <= 4 * MAX_WRONG);
});

t.test('replies that come late, or three times, are not taken for forged ones', async (t) => {
  const late = await udpUpstream(t, (seen, send) => {
    const holding = seen.name.toLowerCase().startsWith('hold');
    setTimeout(
      () => {
        for (let times = 0; times < (holding ? 1 : 3); times++) send(reply(seen, { address: 1 }));
      },
      holding ? 200 : 80,
    );
  });
  const quick = await udpUpstream(t, (seen, send) => {
    if (seen.name.toLowerCase().startsWith('n')) send(reply(seen, { address: 2 }));
  });
  const { forwarder } = upstreams(t, [late.server, quick.server], {
    ...shared,
    timing: { firstRetry: 20, minRetry: 20, retries: [3000] },
  });
  const hold = ask(forwarder, 'hold.example.com');
  const asked = Array.from({ length: 60 }, (_, i) => ask(forwarder, `n${i}.example.com`));
  for (const { outcome } of await Promise.all(asked)) t.equal(won(outcome), 2);
  t.equal(won((await hold).outcome), 1, 'the port was kept');
  t.equal(byPort(late.seen, () => 0).size, 1);
  t.equal(forwarder.counters.mismatched, 0);
});

t.test('nobody listens: ICMP ends all that wait at the port, at once', async (t) => {
  const port = await closedPort(t);
  const { forwarder, events } = upstreams(
    t,
    [{ protocol: 'udp', host: '127.0.0.1', port, name: null, ca: null }],
    { ...shared, timing: PATIENT },
  );
  const asked = Array.from({ length: 200 }, (_, i) => ask(forwarder, `n${i}.example.com`));
  for (const { outcome, elapsed } of await Promise.all(asked)) {
    t.equal(won(outcome), 'network');
    t.ok(elapsed < 1500);
  }
  t.equal(forwarder.openSockets, 0);
  // An error that came of one question may be told to the next one's send.
  for (let i = 0; i < 20; i++) t.equal(won((await ask(forwarder, 'again.example.com')).outcome), 'network');
  t.ok(events.length <= 1);
});

t.test('a reply that is longer than we ask for comes over TCP', async (t) => {
  const { tcp, server } = await bothUpstream(
    t,
    (seen, send) => send(Buffer.concat([reply(seen, { address: 66 }), Buffer.alloc(8000)])),
    (seen, send) => send(reply(seen, { address: 9 })),
  );
  const { forwarder } = upstreams(t, [server], { ...shared, timing: PATIENT });
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 9);
  t.equal(tcp.seen.length, 1);
});

t.test('what comes from another address than the one asked is not a reply', async (t) => {
  const other = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 66 })));
  const server = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 7 })));
  const elsewhere = native.socketAddress('127.0.0.1', other.port);
  let opened = 0;
  // As in the moment between a port and its connection.
  const crossed: Native = altered({
    openConnected: (address: Buffer) => native.openConnected(opened++ === 0 ? elsewhere : address),
  });
  const { forwarder } = upstreams(t, [server.server], {
    native: crossed,
    timing: { minRetry: 150, firstRetry: 150 },
  });
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
  t.equal(other.seen.length, 1);
  t.equal(forwarder.counters.mismatched, 1);
});

t.test('names of many lengths, sent together', async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(numbered(seen)));
  const { forwarder } = upstreams(t, [server.server], { ...shared, timing: PATIENT });
  for (let round = 0; round < 20; round++) {
    const asked = Array.from({ length: 1 + round * 10 }, (_, i) =>
      ask(forwarder, `n${i}.${'x'.repeat(1 + ((i * 7 + round) % 60))}.example.com`),
    );
    for (const [i, { outcome }] of (await Promise.all(asked)).entries()) t.equal(won(outcome), i % 200);
  }
});

for (const [what, errno] of [
  ['EIO', 5],
  ['EINVAL', 22],
] as const) {
  t.test(`a path that takes no group (${what}): datagrams one by one`, async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(numbered(seen)));
    let refused = 0;
    const plain: Native = altered({
      send: (fd: number, headers: Uint8Array, count: number) => {
        for (let i = 0; i < count; i++) {
          if (headers[i * 64 + 24] === 1) continue;
          if (i > 0) return native.send(fd, headers, i);
          refused++;
          return -errno;
        }
        return native.send(fd, headers, count);
      },
    });
    const { forwarder } = upstreams(t, [server.server], { native: plain, timing: PATIENT });
    // On a busy machine questions may be few at first, and then there is no group.
    for (let round = 0; round < 3 || (round < 50 && refused === 0); round++) {
      const asked = Array.from({ length: 150 }, (_, i) => ask(forwarder, `n${i}.example.com`));
      for (const [i, { outcome }] of (await Promise.all(asked)).entries()) t.equal(won(outcome), i % 200);
    }
    t.equal(refused, 1, 'no group is tried again');
  });
}

t.test('a send queue that is full: the retry comes in its time', async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 7 })));
  let full = true;
  const choked: Native = altered({
    send: (fd: number, headers: Uint8Array, count: number) => (full ? -11 : native.send(fd, headers, count)),
  });
  const { forwarder, events } = upstreams(t, [server.server], {
    native: choked,
    timing: { firstRetry: 50, minRetry: 50 },
  });
  const asked = ask(forwarder, 'www.example.com');
  await pause(20);
  full = false;
  const { outcome, elapsed } = await asked;
  t.equal(won(outcome), 7);
  t.ok(elapsed < 500, `${elapsed} ms`);
  t.same(events, []);
});

t.test('a socket that the system refuses is this machine’s fault, not the server’s', async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 7 })));
  let left = 3;
  const scarce: Native = altered({
    openConnected: (address: Buffer) => (left-- > 0 ? 'EMFILE' : native.openConnected(address)),
  });
  const { forwarder, events } = upstreams(t, [server.server], { native: scarce, timing: PATIENT });
  for (let i = 0; i < 3; i++) t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'network');
  t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
  t.match(events, [{ kind: 'sockets-exhausted', detail: 'EMFILE' }]);
  t.equal(forwarder.openSockets, 0);
});

t.test('close leaves no descriptor behind, and nobody hears of what comes after', async (t) => {
  // It answers when the forwarder has closed, and not before, however busy the machine is.
  const late: (() => void)[] = [];
  const server = await udpUpstream(t, (seen, send) => late.push(() => send(reply(seen))));
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  for (let round = 0; round < 5; round++) {
    const { forwarder } = upstreams(t, [server.server], shared);
    const asked = Array.from({ length: 100 }, (_, i) => ask(forwarder, `n${i}.example.com`));
    t.ok(descriptors() > before);
    await pause(10);
    forwarder.close();
    t.equal(forwarder.openSockets, 0);
    for (const answer of late.splice(0)) answer();
    for (const { outcome } of await Promise.all(asked)) t.equal(won(outcome), 'network');
    t.equal(won((await ask(forwarder, 'later.example.com')).outcome), 'network');
  }
  t.ok(await until(() => descriptors() === before), `${descriptors()} of ${before}`);
});

/** Runs TypeScript in a process of its own; `limit` is put before it in the shell. */
function child(
  t: { testdir(content: Record<string, string>): string },
  script: string,
  limit = '',
): Promise<{ text: string; code: number | null; elapsed: number }> {
  const file = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;
  const folder = t.testdir({
    'child.ts': `
      import { loadNative } from '${file('socket/linux-native.ts')}';
      import { Upstreams } from '${file('upstream/forwarder.ts')}';
      const question = (name) => ({ group: 0, name: Buffer.from('\\x04' + name + '\\x07example\\0', 'latin1'), type: 1, checkingDisabled: false });
      const ask = (forwarder, name) => new Promise((resolve) => forwarder.ask(question(name), { accept: () => true, slow() {}, done: resolve }));
      const native = loadNative();
      ${script}`,
  });
  const start = performance.now();
  const running = spawn('sh', ['-c', `${limit}exec "$0" "$1"`, process.execPath, join(folder, 'child.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  running.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => {
    running.on('close', (code) => resolve({ text, code, elapsed: performance.now() - start }));
  });
}

t.test('a question in flight keeps the process alive, and nothing else does', async (t) => {
  const server = await udpUpstream(t, (seen, send) => setTimeout(() => send(reply(seen)), 300));
  const { text, code, elapsed } = await child(
    t,
    `const forwarder = new Upstreams({ groups: [{ name: 'default', servers: [${JSON.stringify(server.server)}], zones: [] }],
       isOurs: () => false, native });
     const { kind } = await ask(forwarder, 'aaaa');
     console.log(kind);`,
  );
  t.equal(code, 0);
  t.equal(text.trim(), 'reply');
  t.ok(elapsed < 5000, `${elapsed} ms`);
});

t.test('no file descriptors left: questions fail, the process lives, and it works again', async (t) => {
  const server = await udpUpstream(t, (seen, send) => send(reply(seen)));
  const { text, code } = await child(
    t,
    `import { closeSync, openSync } from 'node:fs';
     const events = [];
     const forwarder = new Upstreams({ groups: [{ name: 'default', servers: [${JSON.stringify(server.server)}], zones: [] }],
       isOurs: () => false, native, onEvent: (event) => events.push(event.kind) });
     const held = [];
     try { for (;;) held.push(openSync('/dev/null')); } catch {}
     const kinds = [(await ask(forwarder, 'aaaa')).reason, (await ask(forwarder, 'bbbb')).reason];
     for (const fd of held) closeSync(fd);
     kinds.push((await ask(forwarder, 'cccc')).kind);
     console.log(JSON.stringify({ kinds, events, open: forwarder.openSockets }));`,
    'ulimit -n 60; ',
  );
  t.equal(code, 0);
  t.same(JSON.parse(text), {
    kinds: ['network', 'network', 'reply'],
    events: ['sockets-exhausted'],
    open: 0,
  });
});
