import t from 'tap';
import { running } from '../clock.ts';
import {
  ask,
  closedPort,
  everyWay,
  PATIENT,
  pause,
  reply,
  type Seen,
  tcpUpstream,
  type UdpUpstream,
  udpUpstream,
  until,
  won,
} from './scripted.ts';

everyWay(t, (t, upstreams) => {
  // They wait more than they work.
  t.jobs = 3;
  const good = (address: number) => (seen: Seen, send: (octets: Buffer) => void) =>
    send(reply(seen, { address }));
  const mute = (): void => {};

  t.test('the next server within 400 ms of the first send, and its answer wins', async (t) => {
    const silent = await udpUpstream(t, mute);
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [silent.server, second.server]);
    const { outcome, slow } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 2);
    const gap = second.seen[0]!.at - silent.seen[0]!.at;
    const ran = second.seen[0]!.ran - silent.seen[0]!.ran;
    t.ok(gap > 100 && ran <= 400, `${gap} ms`);
    t.equal(slow, null);
    t.equal(forwarder.openSockets, 0);
  });

  t.test(
    'a server alone is asked again within 400 ms, and in the end the question fails as silent',
    async (t) => {
      const server = await udpUpstream(t, mute);
      const { forwarder } = upstreams(t, [server.server]);
      const { outcome, elapsed, waited, slow } = await ask(forwarder, 'www.example.com');
      t.equal(won(outcome), 'silent');
      t.ok(waited > 3000 && elapsed < 4000, `${waited} ms`);
      t.ok(slow !== null && slow >= 1790 && slow < 2000, `slow after ${slow} ms`);
      const sends = server.seen.map((seen) => Math.round(seen.at - server.seen[0]!.at));
      t.equal(sends.length, 5, sends.join(' '));
      t.ok(server.seen[1]!.ran - server.seen[0]!.ran <= 400, sends.join(' '));
      for (let i = 2; i < sends.length; i++) t.ok(sends[i]! - sends[i - 1]! >= 500, 'later ones are spaced');
      t.equal(new Set(server.seen.map((seen) => seen.from.port)).size, 5, 'each from a port of its own');
      t.ok(new Set(server.seen.map((seen) => seen.id)).size > 1);
      t.ok(await until(() => forwarder.openSockets === 0));
    },
  );

  t.test('an earlier exchange may still win after the retry', async (t) => {
    const late = await udpUpstream(t, (seen, send) => {
      if (late.seen.length === 1) setTimeout(() => send(reply(seen, { address: 1 })), 600);
    });
    const second = await udpUpstream(t, mute);
    const { forwarder } = upstreams(t, [late.server, second.server]);
    const { outcome, elapsed, waited } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 1);
    t.ok(waited >= 590 && elapsed < 1000, `${waited} ms`);
    t.equal(second.seen.length, 1);
  });

  t.test('a datagram lost: the second one is answered', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      if (server.seen.length > 1) send(reply(seen, { address: 1 }));
    });
    const { forwarder } = upstreams(t, [server.server]);
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 1);
    t.ok(elapsed < 900, `${elapsed} ms`);
  });

  for (const [what, shape] of [
    ['SERVFAIL', { rcode: 2, address: null }],
    ['FORMERR', { rcode: 1, address: null }],
    ['NOTIMP', { rcode: 4, address: null }],
    ['REFUSED', { rcode: 5, address: null }],
    ['an unknown RCODE', { rcode: 11, address: null }],
    ['REFUSED and truncated', { rcode: 5, truncated: true, address: null }],
  ] as const) {
    t.test(`${what}: the next server at once`, async (t) => {
      const bad = await udpUpstream(t, (seen, send) => send(reply(seen, shape)));
      const second = await udpUpstream(t, good(2));
      const { forwarder } = upstreams(t, [bad.server, second.server], { timing: PATIENT });
      const { outcome, elapsed, accepted } = await ask(forwarder, 'www.example.com');
      t.equal(won(outcome), 2);
      t.equal(accepted, 1);
      t.ok(elapsed < 1500, `${elapsed} ms`);
    });

    t.test(
      `${what} from all, to a name that failed lately: the question fails as refused, at once`,
      async (t) => {
        const bad = await udpUpstream(t, (seen, send) => send(reply(seen, shape)));
        const { forwarder } = upstreams(t, [bad.server], { timing: PATIENT });
        const { outcome, elapsed } = await ask(forwarder, 'www.example.com', () => true, true);
        t.equal(won(outcome), 'refused');
        t.ok(elapsed < 1500, `${elapsed} ms`);
      },
    );
  }

  t.test('BADVERS, whose header says NOERROR', async (t) => {
    const bad = await udpUpstream(t, (seen, send) => {
      const octets = Buffer.concat([
        reply(seen, { address: null }),
        Buffer.from([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]),
      ]);
      octets.writeUInt16BE(1, 10);
      send(octets);
    });
    const { forwarder } = upstreams(t, [bad.server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'refused');
  });

  t.test('a reply cut inside a record', async (t) => {
    const bad = await udpUpstream(t, (seen, send) => send(reply(seen).subarray(0, -3)));
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [bad.server, second.server], { timing: PATIENT });
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 2);
    t.ok(elapsed < 1500);
  });

  t.test('content that cannot be used: the next server at once', async (t) => {
    const first = await udpUpstream(t, good(66));
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [first.server, second.server], { timing: PATIENT });
    const { outcome, elapsed, accepted } = await ask(
      forwarder,
      'www.example.com',
      (message) => message.at(-1) !== 66,
    );
    t.equal(won(outcome), 2);
    t.equal(accepted, 1);
    t.ok(elapsed < 1500);
    const none = await ask(forwarder, 'www.example.com', () => false);
    t.equal(won(none.outcome), 'refused');
  });

  t.test('nobody listens: the next server at once', async (t) => {
    const port = await closedPort(t);
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [{ ...second.server, port }, second.server], { timing: PATIENT });
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 2);
    t.ok(elapsed < 1500, `${elapsed} ms`);
  });

  t.test('what a mixed failure is called', async (t) => {
    const port = await closedPort(t);
    const refusing = await udpUpstream(t, (seen, send) => send(reply(seen, { rcode: 5, address: null })));
    const silent = await udpUpstream(t, mute);
    const closed = { ...refusing.server, port };
    const reason = async (...servers: UdpUpstream['server'][]): Promise<number | string> => {
      const { forwarder } = upstreams(t, servers, {
        timing: { firstRetry: 50, retries: [100, 150], end: 250 },
      });
      return won((await ask(forwarder, 'www.example.com')).outcome);
    };
    t.equal(await reason(closed), 'network');
    t.equal(await reason(closed, refusing.server), 'refused');
    t.equal(await reason(refusing.server, closed), 'refused');
    t.equal(await reason(silent.server, refusing.server, closed), 'silent');
    t.equal(await reason(), 'network', 'no server at all');
  });

  t.test('a lame server among good ones costs one question nothing but its round trip', async (t) => {
    const lame = await udpUpstream(t, (seen, send) => send(reply(seen, { rcode: 5, address: null })));
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [lame.server, second.server], { timing: PATIENT });
    for (let i = 0; i < 20; i++) {
      const { outcome, elapsed } = await ask(forwarder, `n${i}.example.com`);
      t.equal(won(outcome), 2);
      t.ok(elapsed < 1500);
    }
    t.ok(lame.seen.length < 10, `after three refusals it is left alone: ${lame.seen.length}`);
  });

  t.test(
    'a silent server is asked last after it failed, and probed beside the others until it answers',
    async (t) => {
      let answering = false;
      const first = await udpUpstream(t, (seen, send) => {
        if (answering) send(reply(seen, { address: 1 }));
      });
      const second = await udpUpstream(t, good(2));
      const timing = { backoff: 400, maxBackoff: 600, probe: 400, report: 0, minRetry: 60, firstRetry: 60 };
      const { forwarder, events } = upstreams(t, [first.server, second.server], { timing });
      t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 2);
      const asked = first.seen.length;
      t.equal(won((await ask(forwarder, 'b.example.com')).outcome), 2, 'now the second is first');
      t.equal(first.seen.length, asked, 'and the first is left alone until its backoff is over');
      await pause(450);
      const beside = await ask(forwarder, 'c.example.com');
      t.equal(won(beside.outcome), 2);
      t.ok(await until(() => first.seen.length === asked + 1), 'one real question goes beside');
      t.equal(first.seen.at(-1)!.name.toLowerCase(), 'c.example.com');
      await ask(forwarder, 'd.example.com');
      t.equal(first.seen.length, asked + 1, 'one probe at a time');
      t.ok(await until(() => events.length === 1));
      t.match(events, [{ kind: 'server-down', group: 'default', server: `udp://127.0.0.1:${first.port}` }]);
      answering = true;
      const start = running();
      let answer: number | string = 0;
      while (answer !== 1 && running() - start < 4000) {
        await pause(20);
        answer = won((await ask(forwarder, 'e.example.com')).outcome);
      }
      t.equal(answer, 1, `first again after ${running() - start} ms`);
      t.match(events.at(-1), { kind: 'server-up' });
      t.equal(events.length, 2);
      t.ok(await until(() => forwarder.openSockets === 0));
    },
  );

  t.test('recovery is seen within 5 s, with the times as they are', async (t) => {
    let answering = false;
    const first = await udpUpstream(t, (seen, send) => {
      if (answering) send(reply(seen, { address: 1 }));
    });
    const second = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [first.server, second.server]);
    const until4 = performance.now() + 4000;
    while (performance.now() < until4) {
      t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 2);
      await pause(100);
    }
    answering = true;
    const start = running();
    let answer: number | string = 0;
    let late = 0;
    while (answer !== 1 && running() - start < 30_000) {
      const paused = performance.now();
      await pause(100);
      late += performance.now() - paused - 100;
      answer = won((await ask(forwarder, 'b.example.com')).outcome);
    }
    const took = running() - start;
    t.equal(answer, 1);
    // What a busy machine adds to a pause it adds to each timer and each answer of a trial.
    t.ok(took < 5000 + 4 * late, `${took} ms, pauses ${late} ms late`);
  });

  t.test('when all have failed, all are tried anyway', async (t) => {
    let answering = false;
    const script = (address: number) => (seen: Seen, send: (octets: Buffer) => void) => {
      if (answering) send(reply(seen, { address }));
    };
    const servers = await Promise.all([udpUpstream(t, script(1)), udpUpstream(t, script(2))]);
    const { forwarder } = upstreams(
      t,
      servers.map((server) => server.server),
      { timing: { firstRetry: 50, minRetry: 50, retries: [100, 150], end: 250 } },
    );
    t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 'silent');
    for (const server of servers) t.ok(server.seen.length > 0);
    answering = true;
    t.equal((await ask(forwarder, 'b.example.com')).outcome.kind, 'reply');
  });

  t.test('the quicker server is preferred, by what real questions show', async (t) => {
    const slow = await udpUpstream(t, (seen, send) =>
      setTimeout(() => send(reply(seen, { address: 1 })), 60),
    );
    const quick = await udpUpstream(t, good(2));
    const { forwarder } = upstreams(t, [slow.server, quick.server]);
    t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 1, 'as written, at first');
    t.equal(won((await ask(forwarder, 'b.example.com')).outcome), 1);
    t.ok(await until(() => quick.seen.length === 1), 'the other is measured beside it');
    await pause(20);
    for (let i = 0; i < 5; i++) t.equal(won((await ask(forwarder, 'c.example.com')).outcome), 2);
    t.equal(slow.seen.length, 2);
  });

  t.test('servers that are about equal are asked as written, and the others are left in peace', async (t) => {
    // To a busy machine the first may look slow: then the others are measured, and a calm round is waited for.
    for (let round = 0; round < 50; round++) {
      const first = await udpUpstream(t, good(1));
      const second = await udpUpstream(t, good(2));
      const { forwarder } = upstreams(t, [first.server, second.server]);
      let longest = 0;
      for (let i = 0; i < 20; i++) {
        const { outcome, waited } = await ask(forwarder, 'a.example.com');
        t.equal(won(outcome), 1);
        longest = Math.max(longest, waited);
      }
      if (longest >= 10) continue;
      t.equal(second.seen.length, 0);
      return;
    }
    t.comment('fifty rounds, and an answer took 10 ms in each');
  });

  t.test('a silent server before one on TCP', async (t) => {
    const silent = await udpUpstream(t, mute);
    const tcp = await tcpUpstream(t, (seen, send) => send(reply(seen, { address: 3 })));
    const { forwarder } = upstreams(t, [silent.server, tcp.server]);
    t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 3);
  });

  t.test('a flood that fails tells the log once', async (t) => {
    const port = await closedPort(t);
    const { forwarder, events } = upstreams(
      t,
      [{ protocol: 'udp', host: '127.0.0.1', port, name: null, ca: null }],
      {
        timing: { backoff: 0, maxBackoff: 0 },
      },
    );
    for (let i = 0; i < 200; i++) t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 'network');
    t.equal(events.length, 1);
    t.match(events[0], { kind: 'server-down', detail: 'ECONNREFUSED' });
  });
});
