import t from 'tap';
import { ask, bothUpstream, everyWay, PATIENT, pause, reply, udpUpstream, won } from './scripted.ts';

everyWay(t, (t, upstreams) => {
  t.test('a truncated reply is asked again over TCP, from the same server', async (t) => {
    const { udp, tcp, server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { truncated: true, address: null })),
      (seen, send) => send(reply(seen, { address: 9 })),
    );
    const { forwarder } = upstreams(t, [server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 9);
    t.equal(udp.seen.length, 1);
    t.equal(tcp.seen.length, 1);
    t.equal(tcp.seen[0]!.name, udp.seen[0]!.name, 'in the same case');
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 9);
    t.equal(tcp.connections(), 1, 'on the same connection');
    t.equal(forwarder.counters.overTcp, 2);
  });

  t.test('truncated in the middle of a record', async (t) => {
    const { server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { truncated: true }).subarray(0, -2)),
      (seen, send) => send(reply(seen, { address: 9 })),
    );
    const { forwarder } = upstreams(t, [server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 9);
  });

  t.test('truncated, and TCP is closed: the next server at once', async (t) => {
    const first = await udpUpstream(t, (seen, send) => send(reply(seen, { truncated: true, address: null })));
    const second = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 2 })));
    const { forwarder } = upstreams(t, [first.server, second.server], { timing: PATIENT });
    const { outcome, elapsed } = await ask(forwarder, 'www.example.com');
    t.equal(won(outcome), 2);
    t.ok(elapsed < 1500, `${elapsed} ms`);
  });

  t.test('truncated, and TCP is silent: that server has failed, and is asked after the next', async (t) => {
    const silent = await bothUpstream(
      t,
      // Later than the next server answers: the wait over TCP is shorter than a whole one.
      (seen, send) => setTimeout(() => send(reply(seen, { truncated: true, address: null })), 40),
      () => {},
    );
    const good = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 2 })));
    const { forwarder } = upstreams(t, [silent.server, good.server]);
    const first = await ask(forwarder, 'a.example.com');
    t.equal(won(first.outcome), 2);
    t.ok(first.waited > 200, 'it had its time');
    for (const name of ['b', 'c', 'd']) {
      const { outcome, elapsed } = await ask(forwarder, `${name}.example.com`);
      t.equal(won(outcome), 2);
      t.ok(elapsed < 150, `the next: ${elapsed} ms`);
    }
  });

  t.test('truncated over TCP too: unusable', async (t) => {
    const { server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { truncated: true, address: null })),
      (seen, send) => send(reply(seen, { truncated: true, address: null })),
    );
    const { forwarder } = upstreams(t, [server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'refused');
  });

  t.test('a server that folds case over UDP and TCP is remembered', async (t) => {
    const { udp, tcp, server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { fold: true, address: 1 })),
      (seen, send) => send(reply(seen, { fold: true, address: 9 })),
    );
    const { forwarder, events } = upstreams(t, [server]);
    const name = 'a-name-of-many-letters.example.com';
    t.equal(won((await ask(forwarder, name)).outcome), 9, 'the answer of TCP');
    t.equal(tcp.seen.length, 1);
    t.match(events, [{ kind: 'case-folding', group: 'default', server: `udp://127.0.0.1:${udp.port}` }]);
    for (let i = 0; i < 5; i++) t.equal(won((await ask(forwarder, name)).outcome), 1, 'and then that of UDP');
    t.equal(tcp.seen.length, 1);
    for (const seen of udp.seen.slice(1)) t.equal(seen.name, name, 'asked in lower case');
    t.equal(events.length, 1);
    forwarder.configure([{ name: 'default', servers: [server], zones: [] }]);
    t.equal(won((await ask(forwarder, name)).outcome), 9, 'learned anew after a reload');
  });

  t.test('a UDP reply in the wrong case, and TCP in the right one: the UDP reply was forged', async (t) => {
    const { udp, tcp, server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { fold: true, address: 66 })),
      (seen, send) => send(reply(seen, { address: 9 })),
    );
    const { forwarder, events } = upstreams(t, [server]);
    const name = 'a-name-of-many-letters.example.com';
    for (let i = 0; i < 3; i++) t.equal(won((await ask(forwarder, name)).outcome), 9);
    t.equal(tcp.seen.length, 3, 'nothing is remembered');
    t.equal(udp.seen.length, 3);
    t.same(events, []);
  });

  t.test('the right UDP reply may still come while TCP is asked', async (t) => {
    const { server } = await bothUpstream(
      t,
      (seen, send) => {
        send(reply(seen, { fold: true, address: 66 }));
        send(reply(seen, { fold: true, address: 67 }));
        setTimeout(() => send(reply(seen, { address: 7 })), 30);
      },
      () => {},
    );
    const { forwarder, events } = upstreams(t, [server]);
    t.equal(won((await ask(forwarder, 'a-name-of-many-letters.example.com')).outcome), 7);
    t.same(events, []);
  });

  t.test('the wrong case, and TCP is closed: the next server, and the reply is not used', async (t) => {
    const first = await udpUpstream(t, (seen, send) => send(reply(seen, { fold: true, address: 66 })));
    const second = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 2 })));
    const { forwarder, events } = upstreams(t, [first.server, second.server], { timing: PATIENT });
    const { outcome, elapsed } = await ask(forwarder, 'a-name-of-many-letters.example.com');
    t.equal(won(outcome), 2);
    t.ok(elapsed < 1500, `${elapsed} ms`);
    t.same(
      events.filter((event) => event.kind === 'case-folding'),
      [],
    );
  });

  t.test('the wrong case, and TCP is silent: the next server in time', async (t) => {
    const { server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { fold: true, address: 66 })),
      () => {},
    );
    const second = await udpUpstream(t, (seen, send) => send(reply(seen, { address: 2 })));
    const { forwarder } = upstreams(t, [server, second.server]);
    const { outcome, elapsed } = await ask(forwarder, 'a-name-of-many-letters.example.com');
    t.equal(won(outcome), 2);
    t.ok(elapsed < 900, `${elapsed} ms`);
  });

  t.test('a forger who knows all but the case gets nowhere, while the server is silent', async (t) => {
    const { server } = await bothUpstream(
      t,
      (seen, send) => {
        for (let i = 0; i < 50; i++) send(reply(seen, { fold: true, address: 66 }));
      },
      () => {},
    );
    const { forwarder } = upstreams(t, [server], { timing: { end: 300 } });
    const { outcome, accepted } = await ask(forwarder, 'a-name-of-many-letters.example.com');
    t.equal(won(outcome), 'silent');
    t.equal(accepted, 0);
    await pause(10);
  });
});
