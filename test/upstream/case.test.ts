import t, { type Test } from 'tap';
import { MACHINE_TIME } from '../../src/upstream/time.ts';
import {
  ask,
  bothUpstream,
  everyWay,
  PATIENT,
  pause,
  reply,
  type Seen,
  type UdpScript,
  udpUpstream,
  until,
  won,
} from './scripted.ts';

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

  const NAME = 'a-name-of-many-letters.example.com';
  for (const [what, servers] of [
    ['closed', (t: Test, udp: UdpScript) => udpUpstream(t, udp).then((udp) => ({ udp, server: udp.server }))],
    ['silent', (t: Test, udp: UdpScript) => bothUpstream(t, udp, () => {})],
  ] as const) {
    t.test(`a server alone that folds case, and TCP is ${what}: UDP shows it`, async (t) => {
      const { udp, server } = await servers(t, (seen, send) => send(reply(seen, { fold: true, address: 7 })));
      let passed = 0;
      const time = { ...MACHINE_TIME, now: () => MACHINE_TIME.now() + passed };
      const { forwarder, events } = upstreams(t, [server], { time });
      t.equal(won((await ask(forwarder, NAME)).outcome), 7);
      t.equal(udp.seen.length, 4, 'the doubt, and three proofs');
      t.equal(new Set(udp.seen.map(({ from }) => from.port)).size, 4, 'each from a port of its own');
      t.ok(new Set(udp.seen.map(({ id }) => id)).size > 1, 'under IDs of their own');
      t.equal(new Set(udp.seen.map(({ name }) => name)).size, 4, 'and in cases of their own');
      const folding = { kind: 'case-folding', group: 'default', server: `udp://127.0.0.1:${udp.port}` };
      t.match(events, [folding]);
      t.equal(won((await ask(forwarder, NAME)).outcome), 7);
      t.same(
        udp.seen.slice(4).map(({ name }) => name),
        [NAME],
        'then it is asked once, in lower case',
      );
      passed = 3_600_000;
      t.equal(won((await ask(forwarder, NAME)).outcome), 7);
      t.not(udp.seen[5]!.name, NAME, 'and after an hour it is learned anew');
      t.equal(events.filter(({ kind }) => kind === 'case-folding').length, 2);
      t.ok(await until(() => udp.seen.length === 9));
    });
  }

  t.test('two servers that fold case, both without TCP', async (t) => {
    const folding = (seen: Seen, send: (octets: Buffer) => void): void =>
      send(reply(seen, { fold: true, address: 7 }));
    const servers = [await udpUpstream(t, folding), await udpUpstream(t, folding)];
    const { forwarder, events } = upstreams(
      t,
      servers.map(({ server }) => server),
    );
    t.equal(won((await ask(forwarder, NAME)).outcome), 7);
    t.ok(events.some(({ kind }) => kind === 'case-folding'));
  });

  t.test('a server that folds case has no TCP and no EDNS, and begins with SERVFAIL', async (t) => {
    const udp = await udpUpstream(t, (seen, send) => {
      const plain = udp.seen.filter(({ octets }) => octets[11] === 0).length;
      if (seen.octets[11] !== 0) send(reply(seen, { fold: true, rcode: 1, address: null }));
      else
        send(reply(seen, plain === 1 ? { fold: true, rcode: 2, address: null } : { fold: true, address: 7 }));
    });
    const { forwarder, events } = upstreams(t, [udp.server]);
    t.equal(won((await ask(forwarder, NAME)).outcome), 7);
    t.match(events, [{ kind: 'case-folding' }]);
    t.equal(won((await ask(forwarder, NAME)).outcome), 7);
    t.match(events, [{ kind: 'case-folding' }, { kind: 'edns-off' }]);
  });

  t.test('the proofs are asked again where a datagram is lost', async (t) => {
    const udp = await udpUpstream(t, (seen, send) => {
      if (udp.seen.length !== 3) send(reply(seen, { fold: true, address: 7 }));
    });
    const { forwarder, events } = upstreams(t, [udp.server], {
      timing: { firstRetry: 60, minRetry: 60, retries: [120, 180, 240] },
    });
    t.equal(won((await ask(forwarder, NAME)).outcome), 7);
    t.match(events, [{ kind: 'case-folding' }]);
  });

  t.test('a forger who wins all exchanges but one: what the server says counts', async (t) => {
    // The first raises the doubt; the others are proofs.
    for (const honest of [2, 3, 4]) {
      const udp = await udpUpstream(t, (seen, send) => {
        send(reply(seen, udp.seen.length === honest ? { address: 7 } : { fold: true, address: 66 }));
      });
      const { forwarder, events } = upstreams(t, [udp.server]);
      t.equal(won((await ask(forwarder, NAME)).outcome), 7, `${honest}`);
      t.equal(udp.seen.length, honest);
      t.same(events, [], 'nothing is remembered');
    }
  });

  t.test('what the server says counts, though the forger was quicker', async (t) => {
    // To the last proof nobody replies before the server has replied to another.
    for (const honest of [1, 2, 3]) {
      const udp = await udpUpstream(t, (seen, send) => {
        const count = udp.seen.length;
        if (count < 4) send(reply(seen, { fold: true, address: 66 }));
        if (count === honest) setTimeout(() => send(reply(seen, { address: 7 })), 100);
      });
      const { forwarder, events } = upstreams(t, [udp.server], { timing: PATIENT });
      t.equal(won((await ask(forwarder, NAME)).outcome), 7, `${honest}`);
      t.equal(udp.seen.length, 4);
      t.same(events, [], 'nothing is remembered');
    }
  });

  t.test('one wrong ID at the port of a proof: nothing is shown', async (t) => {
    for (const guessed of [2, 3, 4]) {
      const udp = await udpUpstream(t, (seen, send) => {
        if (udp.seen.length === guessed) send(reply(seen, { id: seen.id ^ 1, fold: true, address: 66 }));
        send(reply(seen, { fold: true, address: 66 }));
      });
      const { forwarder, events } = upstreams(t, [udp.server], { timing: { end: 300 } });
      const { outcome, accepted } = await ask(forwarder, NAME);
      t.equal(won(outcome), 'silent', `${guessed}`);
      t.equal(accepted, 0);
      t.equal(udp.seen.length, guessed);
      t.same(events, []);
    }
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
