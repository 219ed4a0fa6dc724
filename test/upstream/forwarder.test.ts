import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import t from 'tap';
import type { ForwardListener } from '../../src/resolve/ports.ts';
import { Upstreams } from '../../src/upstream/forwarder.ts';
import type { UpstreamEvent } from '../../src/upstream/upstream-event.ts';
import { authority } from './certificates.ts';
import {
  ask,
  everyWay,
  group,
  pause,
  question,
  reply,
  type Seen,
  tcpUpstream,
  udpUpstream,
  until,
  won,
} from './scripted.ts';

everyWay(t, (t, upstreams, way) => {
  const good = (address: number) => (seen: Seen, send: (octets: Buffer) => void) =>
    send(reply(seen, { address }));
  const mute = (): void => {};

  t.test('groups have servers of their own', async (t) => {
    const a = await udpUpstream(t, good(1));
    const b = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [], { groups: [group([a.server]), group([b.server], 'corp')] });
    t.equal(won((await ask(forwarder, question('example.com', 1, 0))).outcome), 1);
    t.equal(won((await ask(forwarder, question('example.com', 1, 1))).outcome), 2);
    t.equal(won((await ask(forwarder, question('example.com', 1, 2))).outcome), 'network', 'no such group');
    t.equal(a.seen.length + b.seen.length, 2);
  });

  t.test('a reload swaps servers; questions under way keep theirs', async (t) => {
    const old = await udpUpstream(t, (seen, send) =>
      setTimeout(() => send(reply(seen, { address: 1 })), 100),
    );
    const next = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [old.server]);
    const underWay = ask(forwarder, 'example.com');
    await until(() => old.seen.length === 1);
    forwarder.configure([group([next.server])]);
    t.equal(won((await ask(forwarder, 'example.com')).outcome), 2);
    t.equal(won((await underWay).outcome), 1);
    t.equal(old.seen.length, 1);
  });

  t.test('a forwarder that configure gave stays with its groups', async (t) => {
    const a = await udpUpstream(t, good(1));
    const b = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, []);
    const before = forwarder.configure([group([a.server]), group([b.server], 'corp')]);
    const after = forwarder.configure([group([b.server], 'corp'), group([a.server])]);
    t.equal(
      won((await ask(before, question('example.com', 1, 1))).outcome),
      2,
      'not the group that has the index now',
    );
    t.equal(won((await ask(after, question('example.com', 1, 1))).outcome), 1);
    forwarder.configure([]);
    t.equal(
      won((await ask(before, question('example.com', 1, 0))).outcome),
      1,
      'also when the group is gone',
    );
    t.equal(won((await ask(forwarder, 'example.com')).outcome), 'network');
  });

  t.test('a reload keeps the streams of servers that stay, and closes the others', async (t) => {
    const kept = await tcpUpstream(t, good(1));
    const dropped = await tcpUpstream(t, (seen, send) => {
      if (seen.name.startsWith('slow')) setTimeout(() => send(reply(seen, { address: 2 })), 100);
      else send(reply(seen, { address: 2 }));
    });
    const { forwarder } = upstreams(t, [], {
      groups: [group([kept.server]), group([dropped.server], 'corp')],
    });
    await ask(forwarder, question('example.com', 1, 0));
    await ask(forwarder, question('example.com', 1, 1));
    const underWay = ask(forwarder, question('slow.example.com', 1, 1));
    await until(() => dropped.seen.length === 2);
    forwarder.configure([group([{ ...kept.server }])]);
    await pause(20);
    t.equal(dropped.sockets.size, 1, 'not while a question is under way');
    t.equal(won((await underWay).outcome), 2);
    t.ok(await until(() => dropped.sockets.size === 0), 'then it is closed');
    await ask(forwarder, 'example.com');
    t.equal(kept.connections(), 1);
    forwarder.configure([group([{ ...kept.server, port: dropped.port }])]);
    t.ok(await until(() => kept.sockets.size === 0), 'an idle one at once');
  });

  t.test('a group that is gone still ends its stale questions, and leaves no stream behind', async (t) => {
    const server = await tcpUpstream(t, good(1));
    const { forwarder } = upstreams(t, []);
    const before = forwarder.configure([group([server.server])]);
    forwarder.configure([]);
    const asked = await Promise.all([ask(before, 'a.example.com'), ask(before, 'b.example.com')]);
    for (const { outcome } of asked) t.equal(won(outcome), 1);
    t.ok(await until(() => server.sockets.size === 0));
    t.equal(forwarder.openSockets, 0);
  });

  t.test('health outlives a reload', async (t) => {
    const silent = await udpUpstream(t, mute);
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [silent.server, second.server], { timing: { backoff: 5000 } });
    await ask(forwarder, 'example.com');
    const asked = silent.seen.length;
    forwarder.configure([group([{ ...silent.server }, { ...second.server }])]);
    t.equal(won((await ask(forwarder, 'example.com')).outcome), 2);
    t.equal(silent.seen.length, asked, 'the one that failed is not asked first again');
  });

  t.test('a server written twice is one', async (t) => {
    const silent = await udpUpstream(t, mute);
    const { forwarder } = upstreams(t, [silent.server, { ...silent.server }], {
      timing: { retries: [], end: 450 },
    });
    await ask(forwarder, 'example.com');
    t.equal(silent.seen.length, 2, 'asked, and asked again');
  });

  t.test('sockets are bounded', { skip: way === 'batched' && 'ports.test.ts has its own' }, async (t) => {
    const silent = await udpUpstream(t, mute);
    const { forwarder, events } = upstreams(t, [silent.server], {
      maxSockets: 20,
      timing: { firstRetry: 100, minRetry: 100, retries: [200, 300], end: 500 },
    });
    const asked = Array.from({ length: 50 }, (_, i) => ask(forwarder, `n${i}.example.com`));
    t.equal(forwarder.openSockets, 20);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, forwarder.openSockets);
    }, 5);
    const ended = await Promise.all(asked);
    clearInterval(watch);
    t.ok(most <= 20, `${most}`);
    t.equal(ended.filter(({ outcome }) => won(outcome) === 'network').length, 30);
    for (const { outcome, elapsed } of ended) if (won(outcome) === 'network') t.ok(elapsed < 400);
    t.equal(
      ended.filter(({ outcome }) => won(outcome) === 'silent').length,
      20,
      'retries took no place from them',
    );
    t.equal(forwarder.openSockets, 0);
    t.match(events, [{ kind: 'sockets-exhausted' }]);
    const names = new Map<string, number>();
    for (const { name } of silent.seen)
      names.set(name.toLowerCase(), (names.get(name.toLowerCase()) ?? 0) + 1);
    t.ok(
      [...names.values()].every((count) => count > 1),
      'they were retried, each in place of its earlier attempt',
    );
  });

  t.test('close ends questions and streams at once, and refuses later ones', async (t) => {
    const silent = await udpUpstream(t, mute);
    const stream = await tcpUpstream(t, (seen, send) => {
      if (!seen.name.startsWith('slow')) send(reply(seen));
    });
    const { forwarder } = upstreams(t, [], {
      groups: [group([silent.server]), group([stream.server], 'corp')],
    });
    await ask(forwarder, question('example.com', 1, 1));
    const asked = [
      ask(forwarder, 'example.com'),
      ask(forwarder, question('slow.example.com', 1, 1)),
      ask(forwarder, question('example.com', 1, 7)),
    ];
    await pause(20);
    forwarder.close();
    t.equal(forwarder.openSockets, 0);
    for (const { outcome } of await Promise.all(asked)) t.equal(won(outcome), 'network');
    t.ok(await until(() => stream.sockets.size === 0));
    t.equal(won((await ask(forwarder, 'example.com')).outcome), 'network');
    forwarder.close();
  });

  t.test('a question from within done, and from within close', async (t) => {
    const server = await udpUpstream(t, good(1));
    const { forwarder } = upstreams(t, [server.server]);
    const nested = await new Promise<string[]>((resolve) => {
      const outcomes: string[] = [];
      const next = (left: number): void => {
        const listener: ForwardListener = {
          accept: () => 'good',
          slow: () => {},
          failedLately: () => false,
          done: ({ kind }) => {
            outcomes.push(kind);
            if (left === 0) resolve(outcomes);
            else next(left - 1);
          },
        };
        forwarder.ask(question('example.com'), listener, 0);
      };
      next(3);
    });
    t.same(nested, ['reply', 'reply', 'reply', 'reply']);
    const last = new Promise<string>((resolve) => {
      const again: ForwardListener = {
        accept: () => 'good',
        slow: () => {},
        failedLately: () => false,
        done: ({ kind }) => resolve(kind),
      };
      const listener = { ...again, done: () => forwarder.ask(question('example.com'), again, 0) };
      forwarder.ask(question('example.com'), listener, 0);
    });
    forwarder.close();
    t.equal(await last, 'failure');
  });

  t.test('servers: system follows resolv.conf, and leaves ourselves out', async (t) => {
    const file = join(t.testdir({}), 'resolv.conf');
    const events: UpstreamEvent[] = [];
    const forwarder = new Upstreams({
      groups: [group('system')],
      isOurs: (host) => host === '127.0.0.2',
      onEvent: (event) => events.push(event),
      resolvConf: file,
      timing: { poll: 0 },
    });
    t.teardown(() => forwarder.close());
    t.same(forwarder.look(), ['default'], 'before anybody asks');
    t.equal(won((await ask(forwarder, 'example.com')).outcome), 'network', 'no file');
    // Port 53 of an address of loopback that nothing else takes; where the system forbids it, the rest is still tested.
    const host = '127.53.53.1';
    const server = await udpUpstream(t, good(5), { host, port: 53 }).catch(() => null);
    writeFileSync(file, `nameserver 127.0.0.2\nnameserver ${host}\n`);
    t.same(forwarder.look(), []);
    const { outcome } = await ask(forwarder, 'example.com');
    if (server === null) t.comment('port 53 cannot be bound here');
    else t.equal(won(outcome), 5);
    t.same(events, [
      { kind: 'system-servers', group: 'default', servers: [], ours: [] },
      {
        kind: 'system-servers',
        group: 'default',
        servers: [`udp://${host}:53`],
        ours: ['udp://127.0.0.2:53'],
      },
    ]);
    writeFileSync(file, 'nameserver 127.0.0.2\n');
    t.equal(
      won((await ask(forwarder, 'example.com')).outcome),
      'network',
      'ourselves alone: nobody is asked',
    );
    t.same(forwarder.look(), ['default']);
    forwarder.configure([group([])]);
    t.equal(won((await ask(forwarder, 'example.com')).outcome), 'network');
  });

  /** Runs TypeScript in a process of its own; resolves with what it printed and how long it took. */
  function run(t: { testdir(content: Record<string, string>): string }, script: string, limit = '') {
    const source = new URL('../../src/upstream/forwarder.ts', import.meta.url).href;
    const file = join(
      t.testdir({
        'child.ts': `
        import { closeSync, openSync } from 'node:fs';
        import { Upstreams } from '${source}';
        const question = (name) => ({ group: 0, name: Buffer.from('\\x04' + name + '\\x07example\\0', 'latin1'), type: 1, checkingDisabled: false });
        const ask = (forwarder, name) => new Promise((resolve) => forwarder.ask(question(name), { accept: () => 'good', slow() {}, done: resolve }));
        ${script}`,
      }),
      'child.ts',
    );
    const start = performance.now();
    const child = spawn('sh', ['-c', `${limit}exec "$0" "$1"`, process.execPath, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    return new Promise<{ text: string; errors: string; code: number | null; elapsed: number }>((resolve) => {
      child.on('close', (code) => resolve({ text, errors, code, elapsed: performance.now() - start }));
    });
  }

  t.test('an idle stream keeps no process alive, and a question in flight does', async (t) => {
    const tcp = await tcpUpstream(t, good(1));
    const ca = authority(t.testdir({}), 'exit');
    const listener = createServer(ca.issue('DNS:dns.example'));
    const tls = await tcpUpstream(t, good(1), { server: listener });
    const udp = await udpUpstream(t, (seen, send) => setTimeout(() => send(reply(seen)), 300));
    const servers = [
      tcp.server,
      { ...tls.server, protocol: 'tls', name: 'dns.example', ca: ca.pem },
      udp.server,
    ];
    const { text, errors, code, elapsed } = await run(
      t,
      `for (const server of ${JSON.stringify(servers)}) {
       const forwarder = new Upstreams({ groups: [{ name: 'default', servers: [server], zones: [] }], isOurs: () => false });
       ask(forwarder, 'aaaa').then((outcome) => console.log(outcome.kind));
     }`,
    );
    t.equal(code, 0, errors);
    t.same(text.trim().split('\n'), ['reply', 'reply', 'reply']);
    t.ok(elapsed < 5000, `${elapsed} ms`);
  });

  t.test('a probe keeps no process alive', async (t) => {
    const silent = await udpUpstream(t, mute);
    const second = await udpUpstream(t, good(2));
    const { text, errors, code, elapsed } = await run(
      t,
      `const servers = ${JSON.stringify([silent.server, second.server])};
     const forwarder = new Upstreams({ groups: [{ name: 'default', servers, zones: [] }], isOurs: () => false,
       timing: { firstRetry: 50, backoff: 50, probe: 20_000 } });
     await ask(forwarder, 'aaaa');
     await new Promise((resolve) => setTimeout(resolve, 100));
     await ask(forwarder, 'bbbb');
     console.log(forwarder.counters.probes, forwarder.openSockets);`,
    );
    t.equal(code, 0, errors);
    t.equal(text.trim(), '1 1');
    t.ok(elapsed < 10_000, `${elapsed} ms`);
  });

  t.test('no file descriptors left: questions fail, the process lives, and it works again', async (t) => {
    const udp = await udpUpstream(t, (seen, send) => {
      if (seen.name.toLowerCase().startsWith('good')) send(reply(seen));
    });
    const tcp = await tcpUpstream(t, good(1));
    const { text, errors, code } = await run(
      t,
      `const events = [];
     const make = (server) => new Upstreams({ groups: [{ name: 'default', servers: [server], zones: [] }], isOurs: () => false,
       onEvent: (event) => events.push(event), timing: { firstRetry: 300, retries: [], end: 2000 } });
     const udp = make(${JSON.stringify(udp.server)});
     const tcp = make(${JSON.stringify(tcp.server)});
     const asked = Array.from({ length: 200 }, () => ask(udp, 'mute'));
     const taken = [];
     // A failed socket gives its descriptor back: the stream must not find that one.
     try {
       for (;;) taken.push(openSync('/dev/null', 'r'));
     } catch {}
     const stream = await ask(tcp, 'good');
     const ended = await Promise.all(asked);
     for (const descriptor of taken) closeSync(descriptor);
     const count = (reason) => ended.filter((outcome) => outcome.reason === reason).length;
     const later = await ask(udp, 'good');
     const laterStream = await ask(tcp, 'good');
     console.log(JSON.stringify({ silent: count('silent'), network: count('network'), stream: stream.kind,
       later: later.kind, laterStream: laterStream.kind, events, open: udp.openSockets }));`,
      'ulimit -n 60; ',
    );
    t.equal(code, 0, errors);
    const seen = JSON.parse(text);
    t.ok(seen.silent > 0 && seen.network > 100, text);
    t.equal(seen.silent + seen.network, 200);
    t.match(seen, { stream: 'failure', later: 'reply', laterStream: 'reply', open: 0 });
    t.same(
      seen.events.map((event: UpstreamEvent) => event.kind),
      ['sockets-exhausted', 'sockets-exhausted'],
      'it is not the servers that are said to be down',
    );
  });
});
