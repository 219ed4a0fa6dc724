import { createSocket } from 'node:dgram';
import t from 'tap';
import { MAX_WRONG } from '../../src/upstream/way.ts';
import { lowerName } from '../../src/wire/name.ts';
import {
  ask,
  bothUpstream,
  closedPort,
  everyWay,
  PATIENT,
  pause,
  question,
  reply,
  type Seen,
  udpUpstream,
  until,
  wire,
  won,
} from './scripted.ts';

everyWay(t, (t, upstreams) => {
  t.test('a question and its reply', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 7 })));
    const { forwarder } = upstreams(t, [server.server], { timing: PATIENT });
    const { outcome, elapsed, slow, accepted } = await ask(forwarder, question('www.example.com', 28));
    t.equal(won(outcome), 7);
    t.match(outcome, { kind: 'reply', verified: false });
    t.ok(elapsed < 1500);
    t.equal(slow, null);
    t.equal(accepted, 1);
    t.equal(server.seen.length, 1);
    t.equal(server.seen[0]!.type, 28);
    t.equal(server.seen[0]!.name.toLowerCase(), 'www.example.com');
    t.equal(forwarder.openSockets, 0);
    t.match(forwarder.counters, {
      questions: 1,
      replies: 1,
      overTcp: 0,
      mismatched: 0,
      probes: 0,
    });
  });

  t.test('over IPv6', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 6 })), { host: '::1' });
    const { forwarder } = upstreams(t, [{ ...server.server, host: '0:0::0001' }]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 6, 'however the address is written');
  });

  t.test('NXDOMAIN and no data are answers', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen, { rcode: 3, address: null })));
    const { forwarder } = upstreams(t, [server.server]);
    t.equal((await ask(forwarder, 'www.example.com')).outcome.kind, 'reply');
  });

  t.test('each question has a fresh port, ID and case', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen)));
    const { forwarder } = upstreams(t, [server.server]);
    for (let i = 0; i < 40; i++) {
      t.equal((await ask(forwarder, 'a-name-of-some-length.example.com')).outcome.kind, 'reply');
    }
    const count = (of: (seen: (typeof server.seen)[0]) => unknown): number =>
      new Set(server.seen.map(of)).size;
    t.ok(count((seen) => seen.from.port) > 35, 'ports');
    t.ok(count((seen) => seen.id) > 35, 'IDs');
    t.ok(count((seen) => seen.name) > 35, 'cases');
  });

  t.test('the name belongs to the caller again when ask returns', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      // The second time: the first went without an answer.
      if (server.seen.length === 2) send(reply(seen));
    });
    const { forwarder } = upstreams(t, [server.server]);
    const name = Buffer.from(wire('www.example.com'));
    const asked = ask(forwarder, { group: 0, name, type: 1, checkingDisabled: false });
    name.fill(0xff);
    t.equal((await asked).outcome.kind, 'reply');
    for (const seen of server.seen) t.equal(seen.name.toLowerCase(), 'www.example.com');
  });

  t.test('the root, a name without letters, one of 255 octets, and one with odd octets', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen)));
    const { forwarder } = upstreams(t, [server.server]);
    const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
    for (const name of ['.', '4.3.2.1', long, 'a\\.b\\000\\255.example']) {
      const { outcome } = await ask(forwarder, name);
      t.equal(outcome.kind, 'reply', name.slice(0, 20));
    }
    t.equal(server.seen.length, 4);
  });

  /** Everything that is not the reply, for the price of one datagram each. */
  const wrong: Record<string, (seen: Seen) => Buffer> = {
    'wrong ID': (seen) => reply(seen, { id: seen.id ^ 0x5555, address: 66 }),
    'QR=0': (seen) => reply(seen, { flags: 0x0100, address: 66 }),
    'opcode NOTIFY': (seen) => reply(seen, { flags: 0xa180, address: 66 }),
    'no question': (seen) => reply(seen, { questions: 0, address: 66 }),
    'two questions': (seen) => reply(seen, { questions: 2, address: 66 }),
    'another name': (seen) => reply(seen, { name: 'evil.example', address: 66 }),
    'another name of the same length': (seen) => reply(seen, { name: 'wvw.example.com', address: 66 }),
    'header only': (seen) => reply(seen).subarray(0, 12),
    'cut in the question': (seen) => reply(seen).subarray(0, 20),
    'one octet': () => Buffer.from([1]),
    'no octets': () => Buffer.alloc(0),
    garbage: (seen) => Buffer.concat([seen.octets.subarray(0, 2), Buffer.alloc(500, 0xff)]),
    'the query itself': (seen) => seen.octets,
    'another type': (seen) => {
      const octets = reply(seen, { address: 66 });
      octets[seen.questionEnd - 3] = 16;
      return octets;
    },
    'another class': (seen) => {
      const octets = reply(seen, { address: 66 });
      octets[seen.questionEnd - 1] = 3;
      return octets;
    },
  };

  for (const [what, make] of Object.entries(wrong)) {
    t.test(`the wait goes on after: ${what}`, async (t) => {
      const server = await udpUpstream(t, (seen, send) => {
        send(make(seen));
        setTimeout(() => send(reply(seen, { address: 7 })), 20);
      });
      const { forwarder } = upstreams(t, [server.server]);
      const { outcome, accepted } = await ask(forwarder, 'www.example.com');
      t.equal(won(outcome), 7);
      t.equal(accepted, 1);
      t.equal(server.seen.length, 1, 'no second question was needed');
      t.equal(forwarder.counters.mismatched, 1);
    });
  }

  t.test('a few replies under wrong IDs do not end the wait', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      for (let id = 1; id < MAX_WRONG; id++) send(reply(seen, { id: seen.id ^ id, address: 66 }));
      setTimeout(() => send(reply(seen, { address: 7 })), 30);
    });
    const { forwarder } = upstreams(t, [server.server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
    t.equal(server.seen.length, 1, 'the port is kept');
    t.equal(forwarder.counters.mismatched, MAX_WRONG - 1);
  });

  t.test('a flood of wrong IDs: the question goes out again from another port', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      const flooded = server.seen.length === 1;
      for (let id = 1; flooded && id <= 200; id++) send(reply(seen, { id: seen.id ^ id, address: 66 }));
      setTimeout(() => send(reply(seen, { address: flooded ? 66 : 7 })), 20);
    });
    const { forwarder } = upstreams(t, [server.server], { timing: PATIENT });
    const { outcome, elapsed, accepted } = await ask(forwarder, 'a-name-of-some-letters.example.com');
    t.equal(won(outcome), 7);
    t.equal(accepted, 1, 'what came to the port that was given up is not looked at, be it right');
    t.ok(elapsed < 1500, `${elapsed} ms`);
    const [first, second] = server.seen;
    t.equal(server.seen.length, 2);
    t.not(first!.from.port, second!.from.port);
    t.not(first!.id, second!.id);
    t.not(first!.name, second!.name, 'in another case');
    t.equal(forwarder.counters.mismatched, MAX_WRONG);
    t.equal(forwarder.counters.overTcp, 1, 'and beside it over TCP, which is closed');
  });

  t.test('a flood that follows to the second port: what the letters allow is passed over', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      for (let id = 1; id <= 200; id++) send(reply(seen, { id: seen.id ^ id, address: 66 }));
      setTimeout(() => send(reply(seen, { address: 7 })), 20);
    });
    const { forwarder } = upstreams(t, [server.server], { timing: PATIENT });
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
    t.equal(server.seen.length, 2);
    t.equal(forwarder.counters.mismatched, MAX_WRONG + 200);
  });

  t.test('a flood to every port, for a name without letters: TCP answers', async (t) => {
    const { udp, tcp, server } = await bothUpstream(
      t,
      (seen, send) => {
        for (let id = 1; id <= 100; id++) send(reply(seen, { id: seen.id ^ id, address: 66 }));
      },
      (seen, send) => setTimeout(() => send(reply(seen, { address: 9 })), 50),
    );
    const { forwarder } = upstreams(t, [server], { timing: PATIENT });
    t.equal(won((await ask(forwarder, '4.3.2.1')).outcome), 9);
    t.equal(tcp.seen.length, 1);
    t.equal(udp.seen.length, 4, 'and no port after the fourth');
    t.equal(forwarder.counters.mismatched, 4 * MAX_WRONG);
  });

  t.test('a flood to every port, and no TCP: the next server at once, and this one again', async (t) => {
    let flooding = true;
    const flooded = await udpUpstream(t, (seen, send) => {
      for (let id = 1; flooding && id <= 100; id++) send(reply(seen, { id: seen.id ^ id, address: 66 }));
      if (!flooding) send(reply(seen, { address: 1 }));
    });
    const second = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 2 })));
    const { forwarder } = upstreams(t, [flooded.server, second.server], { timing: PATIENT });
    const { outcome, elapsed } = await ask(forwarder, '4.3.2.1');
    t.equal(won(outcome), 2);
    t.ok(elapsed < 1500, `${elapsed} ms`);
    const timing = { firstRetry: 200, retries: [400, 600], end: 800 };
    const alone = upstreams(t, [flooded.server], { timing });
    t.equal(won((await ask(alone.forwarder, '4.3.2.1')).outcome), 'silent');
    const asked = ask(alone.forwarder, '4.3.2.1');
    await pause(100);
    flooding = false;
    t.equal(won((await asked).outcome), 1, 'when the flood is over');
    t.equal(alone.forwarder.openSockets, 0);
  });

  t.test('a reply from another port, or another address, is not seen', async (t) => {
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => other.bind(0, '127.0.0.1', resolve));
    t.teardown(() => other.close());
    const third = createSocket('udp4');
    const server = await udpUpstream(t, (seen, send, from) => {
      other.send(reply(seen, { address: 66 }), from.port, from.address);
      third.send(reply(seen, { address: 67 }), from.port, from.address);
      setTimeout(() => send(reply(seen, { address: 7 })), 20);
    });
    await new Promise<void>((resolve) => third.bind(server.port, '127.0.0.2', resolve));
    t.teardown(() => third.close());
    const { forwarder } = upstreams(t, [server.server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
  });

  t.test('of two replies one is taken', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      send(reply(seen, { address: 7 }));
      send(reply(seen, { address: 8 }));
    });
    const { forwarder } = upstreams(t, [server.server]);
    const { outcome, accepted } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 7);
    t.equal(accepted, 1);
    await pause(30);
  });

  t.test('a reply that comes late goes nowhere', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      setTimeout(() => send(reply(seen)), 150);
    });
    const { forwarder } = upstreams(t, [server.server], { timing: { end: 100, retries: [] } });
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'silent');
    await pause(100);
    t.equal(forwarder.openSockets, 0);
  });

  t.test('nobody listens: ICMP ends the attempt at once', async (t) => {
    const port = await closedPort(t);
    const { forwarder } = upstreams(t, [{ protocol: 'udp', host: '127.0.0.1', port, name: null, ca: null }], {
      timing: PATIENT,
    });
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 'network');
    t.ok(elapsed < 1500, `${elapsed} ms`);
    t.equal(forwarder.openSockets, 0);
  });

  t.test('addresses that cannot be sent to', async (t) => {
    for (const [host, port] of [
      ['255.255.255.255', 53],
      ['fe80::1%nosuchdevice', 53],
      ['127.0.0.1', 0],
      ['127.0.0.1', 70_000],
    ] as const) {
      for (const protocol of ['udp', 'tcp', 'tls'] as const) {
        // A stream to a link-local address would leave by whatever interface there is.
        if (protocol !== 'udp' && /^(255|fe80)/.test(host)) continue;
        const { forwarder } = upstreams(t, [{ protocol, host, port, name: null, ca: null }]);
        const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
        t.equal(won(outcome), 'network', `${protocol} ${host} ${port}`);
        t.ok(elapsed < 1000);
        t.equal(forwarder.openSockets, 0);
      }
    }
  });

  t.test('a server that is no address is not looked up', async (t) => {
    for (const protocol of ['udp', 'tcp', 'tls'] as const) {
      const { forwarder, events } = upstreams(
        t,
        [{ protocol, host: 'localhost', port: 53, name: null, ca: null }],
        {
          timing: { backoff: 0, maxBackoff: 0 },
        },
      );
      for (let i = 0; i < 2; i++) t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'network');
      t.match(events, [{ kind: 'server-down', detail: 'EINVAL' }], protocol);
    }
  });

  t.test('many at once', async (t) => {
    const server = await udpUpstream(t, (seen, send) =>
      send(reply(seen, { address: seen.octets[13]! & 0xf })),
    );
    const { forwarder } = upstreams(t, [server.server]);
    const asked = await Promise.all(
      Array.from({ length: 500 }, (_, i) => ask(forwarder, `n${i}.example.com`)),
    );
    for (const { outcome } of asked) t.equal(outcome.kind, 'reply');
    for (const [i, { outcome }] of asked.entries()) {
      if (outcome.kind !== 'reply') continue;
      const name = lowerName(outcome.message.subarray(12, 12 + wire(`n${i}.example.com`).length));
      t.same(name, wire(`n${i}.example.com`), 'each its own');
    }
    t.ok(await until(() => forwarder.openSockets === 0));
    t.equal(forwarder.inFlight, 0);
  });
});
