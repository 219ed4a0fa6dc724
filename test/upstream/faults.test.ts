import t from 'tap';
import {
  ask,
  bothUpstream,
  everyWay,
  frame,
  group,
  upstreams as portable,
  reply,
  type Seen,
  tcpUpstream,
  udpUpstream,
  until,
  won,
} from './scripted.ts';

/** Servers with faults that other resolvers live with. No time is asserted: what is counted is who was asked what. */
const hasOpt = ({ octets }: Seen): boolean => octets.readUInt16BE(10) === 1;
const headerOnly = (seen: Seen, flags: number): Buffer => {
  const octets = Buffer.alloc(12);
  octets.writeUInt16BE(seen.id, 0);
  octets.writeUInt16BE(flags, 2);
  return octets;
};

everyWay(t, (t, upstreams) => {
  // They wait more than they work.
  t.jobs = 3;
  const TO_OPT: Record<string, (seen: Seen) => Buffer | null> = {
    FORMERR: (seen) => reply(seen, { rcode: 1, address: null }),
    'FORMERR without the question': (seen) => headerOnly(seen, 0x8181),
    NOTIMP: (seen) => reply(seen, { rcode: 4, address: null }),
    BADVERS: (seen) => {
      const octets = Buffer.concat([
        reply(seen, { address: null }),
        Buffer.from([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]),
      ]);
      octets.writeUInt16BE(1, 10);
      return octets;
    },
    'SERVFAIL without OPT': (seen) => reply(seen, { rcode: 2, address: null }),
    'REFUSED without OPT': (seen) => reply(seen, { rcode: 5, address: null }),
    silence: () => null,
  };
  for (const [what, toOpt] of Object.entries(TO_OPT)) {
    t.test(`to OPT ${what}: asked without, and remembered`, async (t) => {
      const server = await udpUpstream(t, (seen, send) => {
        const octets = hasOpt(seen) ? toOpt(seen) : reply(seen, { address: 7 });
        if (octets !== null) send(octets);
      });
      const { forwarder, events } = upstreams(t, [server.server], {
        timing: { firstRetry: 60, minRetry: 50, retries: [120, 180, 2500] },
      });
      for (let i = 0; i < 4; i++) t.equal(won((await ask(forwarder, `n${i}.example.com`)).outcome), 7);
      const asked = server.seen.filter(({ name }) => !name.toLowerCase().startsWith('n0'));
      t.same(asked.map(hasOpt), [false, false, false], 'from the second question on without');
      t.match(
        events.filter(({ kind }) => kind.startsWith('edns')),
        [{ kind: 'edns-off', group: 'default', server: `udp://127.0.0.1:${server.port}` }],
        'the log hears once',
      );
      t.notOk(events.some(({ kind }) => kind === 'server-down'));
    });
  }

  t.test('a server that knows EDNS: its SERVFAIL is one, and its silence is one', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      if (seen.name.toLowerCase().startsWith('mute')) return;
      const bad = seen.name.toLowerCase().startsWith('bad');
      send(reply(seen, bad ? { rcode: 2, address: null } : {}));
    });
    const { forwarder, events } = upstreams(t, [server.server], {
      timing: { firstRetry: 40, minRetry: 40, retries: [80, 120, 160], end: 250 },
    });
    t.equal(won((await ask(forwarder, 'good.example.com')).outcome), 1);
    t.equal(won((await ask(forwarder, 'bad.example.com')).outcome), 'refused');
    t.equal(won((await ask(forwarder, 'mute.example.com')).outcome), 'silent');
    t.ok(server.seen.every(hasOpt));
    t.same(events, []);
  });

  t.test('a forged FORMERR without the question does not end the wait', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      if (!hasOpt(seen)) return;
      send(headerOnly(seen, 0x8181));
      setTimeout(() => send(reply(seen, { address: 7 })), 20);
    });
    const { forwarder, events } = upstreams(t, [server.server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
    t.same(events, [], 'and nothing is remembered');
  });

  t.test('OPT is tried again beside a question, and used when it is answered', async (t) => {
    let knows = false;
    let now = 0;
    const server = await udpUpstream(t, (seen, send) =>
      send(hasOpt(seen) && !knows ? reply(seen, { rcode: 1, address: null }) : reply(seen)),
    );
    const real = performance.now();
    const { forwarder, events } = upstreams(t, [server.server], {
      time: {
        now: () => performance.now() - real + now,
        after: (ms, run) => {
          const timer = setTimeout(run, ms).unref();
          return { stop: () => clearTimeout(timer), again: () => void timer.refresh() };
        },
        every: (ms, run) => {
          const timer = setInterval(run, ms);
          return { stop: () => clearInterval(timer), again: () => void timer.refresh() };
        },
      },
    });
    await ask(forwarder, 'a.example.com');
    t.equal(server.seen.length, 2);
    now += 6_000;
    await ask(forwarder, 'b.example.com');
    t.ok(await until(() => server.seen.length === 4), 'with OPT too');
    t.ok(await until(() => forwarder.inFlight === 0));
    now += 6_000;
    await ask(forwarder, 'c.example.com');
    t.equal(server.seen.length, 5, 'the wait has doubled');
    knows = true;
    now += 6_000;
    await ask(forwarder, 'd.example.com');
    t.ok(await until(() => events.some(({ kind }) => kind === 'edns-on')));
    const before = server.seen.length;
    await ask(forwarder, 'e.example.com');
    t.same(server.seen.slice(before).map(hasOpt), [true]);
    t.same(
      events.map(({ kind }) => kind),
      ['edns-off', 'edns-on'],
    );
  });

  t.test('TC in twelve octets: TCP answers', async (t) => {
    const { tcp, server } = await bothUpstream(
      t,
      (seen, send) => send(headerOnly(seen, 0x8600)),
      (seen, send) => send(reply(seen, { address: 9 })),
    );
    const { forwarder } = upstreams(t, [server]);
    t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 9);
    t.equal(tcp.seen.length, 1);
  });

  t.test('a wrong ID in every reply: TCP answers, and from then on at once', async (t) => {
    const { udp, tcp, server } = await bothUpstream(
      t,
      (seen, send) => send(reply(seen, { id: seen.id ^ 1, address: 66 })),
      (seen, send) => send(reply(seen, { address: 9 })),
    );
    const { forwarder } = upstreams(t, [server], {
      timing: { firstRetry: 50, minRetry: 50, retries: [100, 150] },
    });
    t.equal(won((await ask(forwarder, 'a.example.com')).outcome), 9);
    const before = udp.seen.length;
    t.ok(before <= 4, `${before} questions over UDP`);
    t.equal(won((await ask(forwarder, 'b.example.com')).outcome), 9);
    t.equal(udp.seen.length, before + 1);
    t.equal(tcp.seen.length, 2);
  });

  t.test('one malformed reply is not the end, of one server alone, with TCP or without', async (t) => {
    const script = (count: () => number) => (seen: Seen, send: (octets: Buffer) => void) =>
      send(count() === 1 ? reply(seen).subarray(0, -3) : reply(seen, { address: 7 }));
    const udp = await udpUpstream(
      t,
      script(() => udp.seen.length),
    );
    const over = upstreams(t, [udp.server]);
    t.equal(won((await ask(over.forwarder, 'www.example.com')).outcome), 7);
    const tcp = await tcpUpstream(
      t,
      script(() => tcp.seen.length),
    );
    const stream = upstreams(t, [tcp.server]);
    t.equal(won((await ask(stream.forwarder, 'www.example.com')).outcome), 7);
  });

  t.test('malformed replies alone: three, and then it is over', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen).subarray(0, -3)));
    const { forwarder } = upstreams(t, [server.server]);
    const { outcome } = await ask(forwarder, 'www.example.com');
    t.match(outcome, { kind: 'failure', reason: 'refused' });
    t.match(outcome, {
      cause: { detail: 'malformed reply over UDP, and TCP failed: ECONNREFUSED', ede: -1 },
    });
    t.equal(server.seen.length, 3);
  });

  t.test('mix_case: false takes a reply in another case, and asks in lower case', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(reply(seen, { fold: true, address: 7 })));
    const { forwarder, events } = upstreams(t, [{ ...server.server, mixCase: false }]);
    const name = 'a-name-of-many-letters.example.com';
    t.equal(won((await ask(forwarder, name)).outcome), 7);
    t.equal(server.seen[0]!.name, name);
    forwarder.configure([group([{ ...server.server, mixCase: false }])]);
    t.equal(won((await ask(forwarder, name)).outcome), 7, 'after a reload too');
    t.same(events, []);
    forwarder.configure([group([server.server])]);
    await ask(forwarder, name);
    t.not(server.seen.at(-1)!.name, name, 'and no longer when it is written no more');
  });

  const swapped = (letter: string): string => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase());
  const NOTES: [string, (seen: Seen) => Buffer, string][] = [
    [
      'another case each time',
      (seen) => reply(seen, { name: seen.name.replace(/[a-z]/gi, swapped) }),
      'a reply in another case of letters, and TCP failed: ECONNREFUSED',
    ],
    [
      'TC',
      (seen) => reply(seen, { truncated: true, address: null }),
      'truncated over UDP, and TCP failed: ECONNREFUSED',
    ],
    [
      'wrong IDs',
      (seen) => reply(seen, { id: seen.id ^ 1 }),
      'replies under wrong IDs, and TCP failed: ECONNREFUSED',
    ],
  ];
  for (const [what, toAll, detail] of NOTES) {
    t.test(`${what}, and no TCP: the log and the outcome say so`, async (t) => {
      const server = await udpUpstream(t, (seen, send) => send(toAll(seen)));
      const { forwarder, events } = upstreams(t, [server.server], {
        timing: {
          firstRetry: 40,
          minRetry: 40,
          retries: [80, 120, 160],
          end: 250,
          backoff: 0,
          maxBackoff: 0,
        },
      });
      const name = 'a-name-of-many-letters.example.com';
      for (let i = 0; i < 3; i++) {
        const { outcome } = await ask(forwarder, name);
        if (i > 0) t.match(outcome, { kind: 'failure', cause: { server: /^udp:/, detail } });
      }
      t.match(events, [{ kind: 'server-down', detail: new RegExp(`^${detail.split(',')[0]}`) }]);
    });
  }

  /** SERVFAIL or another RCODE with an EDE, as a server that knows EDNS says it. */
  const withEde = (seen: Seen, rcode: number, ede: number): Buffer => {
    const octets = Buffer.concat([
      reply(seen, { rcode, address: null }),
      Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, ede]),
    ]);
    octets.writeUInt16BE(1, 10);
    return octets;
  };
  for (const [what, rcode] of [
    ['SERVFAIL', 2],
    ['REFUSED', 5],
  ] as const) {
    t.test(`one ${what} of a server alone is not the end, over UDP and TCP`, async (t) => {
      const udp = await udpUpstream(t, (seen, send) =>
        send(udp.seen.length === 1 ? withEde(seen, rcode, 6) : reply(seen, { address: 7 })),
      );
      const tcp = await tcpUpstream(t, (seen, send) =>
        send(tcp.seen.length === 1 ? withEde(seen, rcode, 6) : reply(seen, { address: 7 })),
      );
      for (const { server, seen } of [udp, tcp]) {
        const { forwarder } = upstreams(t, [server]);
        const { outcome, waited } = await ask(forwarder, 'www.example.com');
        t.equal(won(outcome), 7);
        t.ok(waited >= 190, `after a wait: ${waited} ms`);
        t.equal(seen.length, 2);
      }
    });

    t.test(`${what} twice is the end, with what was said last`, async (t) => {
      const server = await udpUpstream(t, (seen, send) => {
        const bad = server.seen.filter(({ name }) => name.toLowerCase().startsWith('bad')).length;
        if (bad === 0) send(reply(seen));
        else send(bad === 1 ? withEde(seen, rcode, 6) : reply(seen, { rcode, address: null }));
      });
      const { forwarder } = upstreams(t, [server.server], { timing: { firstRetry: 40, minRetry: 40 } });
      t.equal(won((await ask(forwarder, 'good.example.com')).outcome), 1, 'it knows EDNS');
      const { outcome } = await ask(forwarder, 'bad.example.com');
      t.match(outcome, { kind: 'failure', reason: 'refused', cause: { detail: what, ede: -1 } });
      t.equal(server.seen.length, 3);
    });

    t.test(`${what} is the end for a name that failed lately`, async (t) => {
      const server = await udpUpstream(t, (seen, send) => send(withEde(seen, rcode, 6)));
      const { forwarder } = upstreams(t, [server.server]);
      const { outcome } = await ask(forwarder, 'www.example.com', () => true, true);
      t.match(outcome, { kind: 'failure', reason: 'refused', cause: { ede: 6 } });
      t.equal(server.seen.length, 1);
    });

    t.test(`${what} from two servers: one of them is asked once more`, async (t) => {
      const script = (seen: Seen, send: (octets: Buffer) => void): void => send(withEde(seen, rcode, 6));
      const servers = [await udpUpstream(t, script), await udpUpstream(t, script)] as const;
      const { forwarder } = upstreams(
        t,
        servers.map(({ server }) => server),
        { timing: { firstRetry: 40, minRetry: 40 } },
      );
      t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 'refused');
      t.equal(servers[0].seen.length + servers[1].seen.length, 3);
    });

    t.test(`one ${what}, and the other server is silent or gone`, async (t) => {
      for (const closed of [false, true]) {
        const other = await udpUpstream(t, () => {});
        if (closed) await other.close();
        const server = await udpUpstream(t, (seen, send) =>
          send(server.seen.length === 1 ? withEde(seen, rcode, 6) : reply(seen, { address: 7 })),
        );
        const { forwarder } = upstreams(t, [server.server, other.server], {
          timing: { firstRetry: 40, minRetry: 40, retries: [80, 120, 2500] },
        });
        t.equal(won((await ask(forwarder, 'www.example.com')).outcome), 7);
      }
    });
  }

  t.test('a name that is refused twice counts once for the health of the server', async (t) => {
    const server = await udpUpstream(t, (seen, send) => send(withEde(seen, 2, 6)));
    const { forwarder, events } = upstreams(t, [server.server], {
      timing: { firstRetry: 40, minRetry: 40, report: 0, backoff: 0, maxBackoff: 0 },
    });
    for (const name of ['a', 'b']) await ask(forwarder, `${name}.example.com`);
    t.equal(server.seen.length, 4);
    t.same(events, []);
    for (const name of ['c', 'd']) await ask(forwarder, `${name}.example.com`);
    t.match(events, [{ kind: 'server-down' }], 'four names are more than one');
  });

  t.test('the server’s own reason comes with the failure', async (t) => {
    const server = await udpUpstream(t, (seen, send) => {
      const octets = Buffer.concat([
        reply(seen, { rcode: 2, address: null }),
        Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 9, 0, 15, 0, 5, 0, 6, 0x62, 0x61, 0x64]),
      ]);
      octets.writeUInt16BE(1, 10);
      send(octets);
    });
    const mute = await udpUpstream(t, () => {});
    const { forwarder } = upstreams(t, [server.server, mute.server], {
      timing: { firstRetry: 40, minRetry: 40, retries: [80], end: 200 },
    });
    t.match((await ask(forwarder, 'www.example.com')).outcome, {
      kind: 'failure',
      cause: { detail: 'SERVFAIL, EDE 6 (bad)', ede: 6 },
    });
  });
});

for (const answers of [1, 3]) {
  for (const names of [20, 40, 300]) {
    t.test(`a TCP server that closes after ${answers} answers, ${names} names at once`, async (t) => {
      let most = 0;
      const server = await tcpUpstream(t, (seen, _send, socket, connection) => {
        most = Math.max(most, server.sockets.size);
        const count = server.seen.filter((each) => each.connection === connection).length;
        if (count < answers) socket.write(frame(reply(seen, { address: 4 })));
        else if (count === answers) socket.end(frame(reply(seen, { address: 4 })));
      });
      // A busy machine takes its time for 300 connections.
      const { forwarder } = portable(t, [server.server], { timing: { end: 30_000 } });
      const asked = await Promise.all(
        Array.from({ length: names }, (_, i) => ask(forwarder, `n${i}.example.com`)),
      );
      t.same(new Set(asked.map(({ outcome }) => won(outcome))), new Set([4]));
      t.ok(most > 1 && most <= 16, `${most} connections at once`);
      t.ok(server.connections() <= names);
    });
  }
}
